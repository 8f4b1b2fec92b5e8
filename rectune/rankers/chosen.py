"""The ranker that validation chose: for each length of history one ranker, or a fusion of several."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from rectune.core.artifacts import write_atomically
from rectune.core.errors import UserError
from rectune.core.figures.fit import DomainChoice, HistoryLength, RankerWeights
from rectune.core.figures.read_records import read_figures
from rectune.rankers.base import Attributes, CatalogueRanker, Ranker, Scores, ranker_class
from rectune.rankers.choice import (
    ChoiceOptions,
    TextScores,
    choose,
    history_scores,
    learning_among,
    text_scores,
)
from rectune.rankers.co_likes import CoLikes
from rectune.rankers.saved import Arrays, SavedRanker, load_saved, save_ranker
from rectune.rankers.tuning import length_of
from rectune.rankers.weighting import item_weights, standardised, standardised_rows, weighted

if TYPE_CHECKING:
    from rectune.rankers.domain_data import DomainData


@dataclass(frozen=True)
class ScorePart:
    """What one ranker contributes to the score of an item.

    Attributes:
        ranker: its name.
        weight: of its standardised score, for this item.
        standardised: its score in standard deviations above the mean of the catalogue.
        score: as it gives it.
    """

    ranker: str
    weight: float
    standardised: float
    score: float


class ChosenRanker(CatalogueRanker):
    """Ranks by what validation chose for the length of the history: choice.json and the rankers it names.

    Attributes:
        choice: what was chosen, and how it did.
        rankers: by name, fitted on all train users.
        co_likes: what train users liked.
        search: [texts] -> [texts, items] scores by the catalogue's index; needed where it was chosen.
    """

    name = "chosen"

    choice: DomainChoice
    rankers: Mapping[str, Ranker]
    co_likes: CoLikes
    search: TextScores | None = None

    def fit(self, data: DomainData) -> Self:
        """Chooses among the rankers that the section `fit` of a recipe has by default; see `choose`."""
        return self.fit_with(data, ChoiceOptions())

    def fit_with(self, data: DomainData, options: ChoiceOptions) -> Self:
        """Chooses with these options."""
        found = choose(data, options)
        self.search = options.search
        return self.of(found.choice, found.rankers, CoLikes.of(data.likes))

    def of(self, choice: DomainChoice, rankers: Mapping[str, Ranker], co_likes: CoLikes) -> Self:
        """Take these parts."""
        self.choice, self.rankers, self.co_likes = choice, rankers, co_likes
        self.likes = co_likes.counts
        self.item_ids = tuple(next(iter(rankers.values())).item_ids)
        self._learning = learning_among(rankers)
        return self

    def with_search(self, search: TextScores | None) -> Self:
        """The same ranker with this search in an index."""
        other = copy(self)
        other.search = search
        return other

    def length_of(self, history: Sequence[str]) -> HistoryLength:
        """The length that counts: of the items that the catalogue has."""
        return length_of(history, self.place)

    def weights_for(self, history: Sequence[str]) -> RankerWeights:
        """What ranks for this history."""
        return self.choice.histories[self.length_of(history)].chosen

    def rankers_for(self, history: Sequence[str], text: str = "") -> list[Ranker]:
        """The rankers that score this history, where it counts beside the words; those that count most
        first.
        """
        if not self.history_share(history, text):
            return []
        weights = self.weights_for(history).weights
        return [self.rankers[name] for name in sorted(weights, key=lambda name: -weights[name])]

    def score_all(self, histories: Sequence[Sequence[str]]) -> Scores:
        """See `Ranker.score_all`."""
        return history_scores(self.choice.histories, self.rankers, self.likes, histories)

    @property
    def attributes_known(self) -> frozenset[str]:
        """See `Ranker.attributes_known`: of the rankers that were chosen for histories of some length."""
        names = {name for one in self.choice.histories.values() for name in one.chosen.weights}
        return frozenset().union(*(self.rankers[name].attributes_known for name in names))

    def score_users(self, histories: Sequence[Sequence[str]], attributes: Sequence[Attributes]) -> Scores:
        """See `Ranker.score_users`."""
        return history_scores(self.choice.histories, self.rankers, self.likes, histories, attributes)

    def score_texts(self, texts: Sequence[str]) -> Scores:
        """[len(texts), items] how well each item fits words that say what is wanted.

        Raises:
            UserError: the index was chosen and is not there.
        """
        chosen = self.choice.queries.chosen
        scores = {name: text_scores(name, self.rankers, self.search, texts) for name in chosen.weights}
        return weighted(scores, chosen, (), self.likes)

    def score_requests(
        self,
        histories: Sequence[Sequence[str]],
        texts: Sequence[str],
        attributes: Sequence[Attributes] | None = None,
    ) -> Scores:
        """[n, items] for histories and queries, either of which may be empty; both are fused.

        What users state (`attributes`, one mapping each) counts with the history.
        """
        stated = [{}] * len(texts) if attributes is None else attributes
        shares = [self.history_share(*each) for each in zip(histories, texts, strict=True)]
        found = np.zeros((len(shares), len(self.item_ids)))
        if past := [at for at, share in enumerate(shares) if share]:
            found[past] = self.score_users([histories[at] for at in past], [stated[at] for at in past])
        if not (asked := [at for at, text in enumerate(texts) if text.strip()]):
            return found
        for at, row in zip(asked, self.score_texts([texts[at] for at in asked]), strict=True):
            both = standardised_rows(np.stack([found[at], row]))
            found[at] = shares[at] * both[0] + (1 - shares[at]) * both[1] if shares[at] else row
        return found

    def history_share(self, history: Sequence[str], text: str) -> float:
        """How much the ranking by the history counts beside that by the words, from 0 (not at all) to 1."""
        if not text.strip():
            return 1.0
        return self.choice.queries.history_weight if self.length_of(history) != "0" else 0.0

    def parts_of(
        self, history: Sequence[str], item_ids: Sequence[str], attributes: Attributes | None = None
    ) -> list[list[ScorePart]]:
        """For each item what every ranker contributes to its score for this history, and what is stated."""
        chosen = self.weights_for(history)
        stated = [attributes or {}]
        scores = {name: self.rankers[name].score_users([history], stated)[0] for name in chosen.weights}
        return self._parts(chosen, scores, item_ids)

    def text_parts_of(self, text: str, item_ids: Sequence[str]) -> list[list[ScorePart]]:
        """For each item what every ranker, or the index, contributes to its score for these words."""
        chosen = self.choice.queries.chosen
        scores = {name: text_scores(name, self.rankers, self.search, [text])[0] for name in chosen.weights}
        return self._parts(chosen, scores, item_ids, learning=())

    def _parts(
        self,
        chosen: RankerWeights,
        scores: Mapping[str, Scores],
        item_ids: Sequence[str],
        learning: Collection[str] | None = None,
    ) -> list[list[ScorePart]]:
        each = item_weights(chosen, self._learning if learning is None else learning, self.likes)
        places = [self.place[item] for item in item_ids]
        found: list[list[ScorePart]] = [[] for _ in places]
        for name, weights in each.items():
            plain = standardised(scores[name])
            for parts, at in zip(found, places, strict=True):
                parts.append(ScorePart(name, float(weights[at]), float(plain[at]), float(scores[name][at])))
        return found

    def save(self, folder: Path) -> None:
        """See `Ranker.save`; with choice.json, and a folder within `rankers` for each ranker."""
        for name, ranker in self.rankers.items():
            ranker.save(ranker_folder(folder, name))
        self.save_choice(folder)

    def save_choice(self, folder: Path) -> None:
        """Write everything but the rankers."""
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / DomainChoice.file, self.choice.to_json())
        parameters = {"rankers": list(self.rankers)}
        arrays: Arrays = {"users": self.co_likes.users, "bounds": self.co_likes.bounds}
        save_ranker(folder, SavedRanker(self.name, {"item_id": self.item_ids}, parameters, arrays))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """See `Ranker.load`."""
        saved = load_saved(folder, cls.name)
        choice = read_figures(DomainChoice, folder)
        rankers = {
            name: ranker_class(name).load(ranker_folder(folder, name)) for name in saved.parameters["rankers"]
        }
        return cls().of(choice, rankers, _co_likes(saved))


def ranker_names(folder: Path) -> list[str]:
    """The names of the rankers in the folder of a choice.

    Raises:
        UserError: there is no choice, or it is damaged.
    """
    return list(load_saved(folder, ChosenRanker.name).parameters["rankers"])


def load_co_likes(folder: Path) -> CoLikes:
    """The likes of train users alone, from the folder of a choice.

    Raises:
        UserError: there is no choice, or it is damaged.
    """
    return _co_likes(load_saved(folder, ChosenRanker.name))


def _co_likes(saved: SavedRanker) -> CoLikes:
    arrays = saved.arrays
    if not {"users", "bounds"} <= set(arrays):
        raise UserError("a choice without likes", hint="run the stage fit again")
    return CoLikes(saved.items["item_id"], arrays["users"], arrays["bounds"])


def ranker_folder(folder: Path, name: str) -> Path:
    """Where the folder of a choice keeps the ranker of this name."""
    return folder / "rankers" / name.replace(":", "-")
