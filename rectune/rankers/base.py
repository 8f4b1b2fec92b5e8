"""The interface of all rankers, and the table of rankers by name."""

from __future__ import annotations

import difflib
import importlib
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from rectune.core.errors import UserError
from rectune.core.extras import missing_extra
from rectune.rankers.best import best_allowed

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from rectune.rankers.domain_data import DomainData

Scores = NDArray[np.floating[Any]]
Attributes = Mapping[str, object]  # what a user states, as {"gender": "female", "age": 34}

_AT_ONCE = 64  # histories whose whole catalogue is scored together


class ScoredItem(NamedTuple):
    """An item and its score; only scores of one ranker and one history are comparable."""

    item_id: str
    score: float


class CandidateScorer(Protocol):
    """The interface that the evaluation needs: a name, and scores of given candidates."""

    @property
    def name(self) -> str:
        """The name in reports."""
        ...

    def score(self, histories: Sequence[Sequence[str]], candidates: Sequence[Sequence[str]]) -> list[Scores]:
        """Score each case's candidates.

        Args:
            histories: n lists of item ids, each oldest first; a list may be empty. Users that are not in the
                training data are allowed.
            candidates: n lists of item ids, each of its own length.

        Returns:
            n arrays; the i-th is [len(candidates[i])] float64, higher is better, in the order of the
            candidates. Ids that the ranker was not fitted on add nothing to a history, and score 0.
        """
        ...


@runtime_checkable
class HeedsWishes(Protocol):
    """A ranker that takes what users ask for in words beside their histories."""

    def score_wishes(
        self,
        histories: Sequence[Sequence[str]],
        candidates: Sequence[Sequence[str]],
        wishes: Sequence[str],
    ) -> list[Scores]:
        """See `CandidateScorer.score`; `wishes` has a text for each history, empty for no wish."""
        ...


class Ranker(ABC):
    """Fits on the items and likes of one domain, scores candidates, gives the top k of the whole catalogue.

    A custom class, named as `module:Class`, derives from this, has a constructor without arguments, and
    implements `fit`, `score`, `save` and `load`.

    Attributes:
        name: its name in reports and recipes.
        item_ids: the items it was fitted on, in the order of the catalogue.
        learns_from_likes: whether it is fitted on other people's likes: without any, all items score alike.
        learns_from_texts: whether one that learns from likes is fitted on the items' texts too.
        costly: whether fitting takes minutes, so that what was fitted on holdouts is kept as well. It keeps
            its state in the file `checkpoint`, to go on if killed, and begins from the fitted one `start`.
        learns_from_features: whether it may be fitted on categories and facts of items, and on attributes of
            users.
        grid: arguments of the constructor that are tried when it is tuned, the simplest first.
    """

    name: str = ""
    item_ids: Sequence[str] = ()
    learns_from_likes: ClassVar[bool] = True
    learns_from_texts: ClassVar[bool] = False
    costly: ClassVar[bool] = False
    checkpoint: Path | None = None
    start: Ranker | None = None
    learns_from_features: ClassVar[bool] = False
    grid: ClassVar[Sequence[Mapping[str, Any]]] = ({},)

    @abstractmethod
    def fit(self, data: DomainData) -> Self:
        """Learn from the items and the likes of one domain; returns itself."""

    @abstractmethod
    def score(self, histories: Sequence[Sequence[str]], candidates: Sequence[Sequence[str]]) -> list[Scores]:
        """See `CandidateScorer.score`."""

    def fit_cost(self, data: DomainData) -> str:
        """What fitting costs here, in words, measured on a part of it; "" unless it is `costly`."""
        return ""

    def of_items(self, data: DomainData) -> Self | None:
        """The same ranker for another catalogue, where it can score new items; else None."""
        return None

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write the fitted state into a folder, which is created: JSON, safetensors and Parquet."""

    @classmethod
    @abstractmethod
    def load(cls, folder: Path) -> Self:
        """The ranker that `save` wrote; it scores the same.

        Raises:
            UserError: the folder has no ranker of this class, or is damaged.
        """

    def top(
        self,
        histories: Sequence[Sequence[str]],
        k: int,
        exclude: Sequence[Collection[str]] | None = None,
        within: Collection[str] | None = None,
    ) -> list[list[ScoredItem]]:
        """The k best items of the whole catalogue for each history.

        Args:
            histories: n lists of item ids, oldest first.
            k: how many, at least 1; fewer are returned only where no more are allowed.
            exclude: n collections of ids that are not returned; without it those of each history.
            within: only these ids are returned; all of the catalogue without it.

        Returns:
            n lists, the best first; of equal scores the item that comes first in the catalogue.
        """
        allowed = self.allowed(within)
        found = []
        for start in range(0, len(histories), _AT_ONCE):
            some = histories[start : start + _AT_ONCE]
            for at, scores in enumerate(self.score_all(some), start):
                mine = allowed.copy()
                absent = histories[at] if exclude is None else exclude[at]
                mine[self.places_of(absent)] = False
                best = best_allowed(scores, k, mine)
                found.append([ScoredItem(self.item_ids[one], float(scores[one])) for one in best])
        return found

    @cached_property
    def place(self) -> dict[str, int]:
        """Item id -> its place in `item_ids`."""
        return {item: at for at, item in enumerate(self.item_ids)}

    def places_of(self, item_ids: Iterable[str]) -> list[int]:
        """The places of these items; unknown ids are left out."""
        return [self.place[item] for item in item_ids if item in self.place]

    def allowed(self, within: Collection[str] | None) -> NDArray[np.bool_]:
        """[items] which of the items are `within`; all of them without it."""
        if within is None:
            return np.ones(len(self.item_ids), np.bool_)
        found = np.zeros(len(self.item_ids), np.bool_)
        found[self.places_of(within)] = True
        return found

    def score_all(self, histories: Sequence[Sequence[str]]) -> Scores:
        """[len(histories), len(item_ids)] the scores of the whole catalogue for each history.

        Raises:
            UserError: `score` gives another number of scores.
        """
        scores = self.score(histories, [self.item_ids] * len(histories))
        if [len(row) for row in scores] != [len(self.item_ids)] * len(histories):
            raise UserError(
                f"the ranker {self.name} gives another number of scores than of candidates",
                hint="let its method score give an array for each history, with a score for each candidate",
            )
        return np.array(scores, np.float64).reshape(len(histories), len(self.item_ids))

    @property
    def attributes_known(self) -> frozenset[str]:
        """What users may state that counts here, as `gender: female` and `age: 30-39`; most know nothing."""
        return frozenset()

    def score_users(self, histories: Sequence[Sequence[str]], attributes: Sequence[Attributes]) -> Scores:
        """The same of users who state something beside their histories; most rankers take no notice of it.

        Args:
            histories: n lists of item ids.
            attributes: n mappings of what each user states; empty for nothing.
        """
        return self.score_all(histories)


class CatalogueRanker(Ranker):
    """A ranker that scores the whole catalogue at once; a subclass has `score_all` in place of `score`."""

    @abstractmethod
    def score_all(self, histories: Sequence[Sequence[str]]) -> Scores:
        """See `Ranker.score_all`; ids that are not in `item_ids` add nothing to a history."""

    def score(self, histories: Sequence[Sequence[str]], candidates: Sequence[Sequence[str]]) -> list[Scores]:
        """See `CandidateScorer.score`."""
        found: list[Scores] = []
        for start in range(0, len(histories), _AT_ONCE):
            some = slice(start, start + _AT_ONCE)
            for scores, shown in zip(self.score_all(histories[some]), candidates[some], strict=True):
                places = [self.place.get(item, -1) for item in shown]
                padded = np.append(scores, 0.0)  # what an unknown item scores
                found.append(padded[places])
        return found

    def counts_in(self, histories: Sequence[Sequence[str]], last: int = 0) -> csr_array:
        """[len(histories), len(item_ids)] how often each history has an item; of its `last` ones, 0: of all.

        float32; an item that is twice in a history counts twice.
        """
        from scipy.sparse import csr_array

        rows = [self.places_of(history[-last if last else None :]) for history in histories]
        bounds = np.cumsum([0, *map(len, rows)])
        places = np.array([at for row in rows for at in row], np.int64)
        found = csr_array(
            (np.ones(len(places), np.float32), places, bounds), shape=(len(histories), len(self.item_ids))
        )
        found.sum_duplicates()
        return found


# Name -> the class, the simplest first; nothing is imported before it is asked for.
RANKERS: dict[str, str] = {
    "random": "rectune.rankers.baselines:Random",
    "popularity": "rectune.rankers.popularity:Popularity",
    "recent_popularity": "rectune.rankers.popularity:RecentPopularity",
    "bm25": "rectune.rankers.baselines:Bm25",
    "embedding_mean": "rectune.rankers.baselines:EmbeddingMean",
    "embedding_best": "rectune.rankers.baselines:EmbeddingBest",
    "hybrid": "rectune.rankers.fusion:Hybrid",
    "item_knn": "rectune.rankers.item_knn:ItemKnn",
    "hybrid_knn": "rectune.rankers.hybrid_knn:HybridKnn",
    "svd": "rectune.rankers.svd:Svd",
    "ease": "rectune.rankers.ease:Ease",
    "als": "rectune.rankers.als:Als",
    "lightfm": "rectune.rankers.lightfm:LightFM",
    "lightfm_attributes": "rectune.rankers.lightfm:LightFMAttributes",
    "sasrec": "rectune.rankers.sequential.sasrec:SasRec",
    "sasrec_text": "rectune.rankers.sequential.sasrec:SasRecText",
    "bert4rec": "rectune.rankers.sequential.bert4rec:Bert4Rec",
    "gru4rec": "rectune.rankers.sequential.gru4rec:Gru4Rec",
    "nextitnet": "rectune.rankers.sequential.nextitnet:NextItNet",
    "ncf": "rectune.rankers.sequential.ncf:Ncf",
    "morec": "rectune.rankers.sequential.morec:MoRec",
    "allmrec_items": "rectune.rankers.allmrec.items_ranker:AllmrecItems",
    "tallrec": "rectune.rankers.allmrec.tallrec:TallRec",
    "llmsrec": "rectune.rankers.allmrec.llmsrec:LlmSRec",
    "mlp_llm": "rectune.rankers.allmrec.mlp_llm:MlpLlm",
    "allmrec": "rectune.rankers.allmrec.ranker:AllmRec",
    "allmrec_list": "rectune.rankers.allmrec.list_ranker:AllmRecList",
    "likelihood": "rectune.rankers.likelihood:LikelihoodRanker",
    "chosen": "rectune.rankers.chosen:ChosenRanker",
}

# Those that use no interactions but the given history, and no language model.
INTERACTION_FREE = ("random", "bm25", "embedding_mean", "embedding_best", "hybrid")


def fit_ranker(
    name: str,
    data: DomainData,
    parameters: Mapping[str, Any] | None = None,
    prepare: Callable[[Ranker], None] | None = None,
) -> Ranker:
    """The ranker of this name, fitted on a domain.

    Args:
        name: one of `RANKERS`, or `module:Class` of your own.
        data: the domain's items and likes.
        parameters: arguments of its constructor; its defaults without any.
        prepare: called with the ranker before it is fitted.

    Raises:
        UserError: there is none of this name, its module cannot be imported, it has no such arguments, or its
            `item_ids` are not the items of the domain in their order.
    """
    kind = ranker_class(name)
    try:
        ranker = kind(**(parameters or {}))
    except TypeError as wrong:
        fault = f"the ranker {name} cannot be made: {wrong}"
        raise UserError(fault, hint="see docs/recommenders.md") from wrong
    if prepare is not None:
        prepare(ranker)
    fitted = ranker.fit(data)
    if tuple(fitted.item_ids) != tuple(data.items):
        raise UserError(
            f"the ranker {name} has other item_ids than the items that it was fitted on, or another order",
            hint="let its method fit set: self.item_ids = tuple(data.items)",
        )
    return fitted


def ranker_class(name: str) -> type[Ranker]:
    """The class that a name stands for; see `fit_ranker`."""
    place = RANKERS.get(name, name)
    module, colon, inside = place.partition(":")
    if not colon:
        near = difflib.get_close_matches(name, RANKERS, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise UserError(
            f"there is no ranker {name}",
            hint=f"{hint}there are: {', '.join(RANKERS)}; or module:Class of your own",
        )
    try:
        found = getattr(_imported(module), inside)
    except (ImportError, AttributeError) as missing:
        raise missing_extra(missing, f"the ranker {name}") or UserError(
            f"the ranker {place} cannot be imported ({missing})",
            hint="name module:Class, where Class derives from rectune.Ranker",
        ) from None
    if not (isinstance(found, type) and issubclass(found, Ranker)):
        raise UserError(f"{place} is no ranker", hint="derive the class from rectune.Ranker")
    return found


def unknown_ids(known: Iterable[str], asked: Iterable[str]) -> list[str]:
    """The requested ids that are unknown, in their order, each once."""
    there = set(known)
    return [item for item in dict.fromkeys(asked) if item not in there]


def _imported(module: str) -> ModuleType:
    """Import a module, also from the working directory, which is searched last and shadows nothing."""
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.append(here)
    return importlib.import_module(module)
