"""What a `Recommender` is made of, from items, likes, rankers and a language model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rectune.core.errors import UserError
from rectune.core.extras import is_installed
from rectune.core.progress import say
from rectune.core.settings import FitConfig, RetrievalConfig
from rectune.core.types import Item, Locale, content_id
from rectune.inference.generate import ServedModel
from rectune.rankers.base import Attributes, Ranker
from rectune.rankers.choice import ChoiceOptions
from rectune.rankers.chosen import ChosenRanker
from rectune.rankers.co_likes import CoLikes
from rectune.rankers.domain_data import DomainData, TrainLikes
from rectune.recommender.arguments import check_is
from rectune.recommender.load_ranker import fit_by_name
from rectune.recommender.ranker_reasons import ranker_can_write
from rectune.retrieval.embedding import embedder_identity
from rectune.retrieval.index_scores import index_scores

if TYPE_CHECKING:
    from rectune.recommender.generative import GenerativeRecommender
    from rectune.recommender.model_check import ModelVerdict
    from rectune.recommender.model_ranking import ModelRanking
    from rectune.retrieval.grounding import Grounding

RUNS = Path("runs")
ModelSource = str | Path | ServedModel
"""A GGUF file, `embedded`, `org/name:file.gguf` on the Hub, the model of an OpenAI-compatible server, or
`ranker`: the language model that the ranker itself reads with (`allmrec`)."""
RANKERS_OWN = "ranker"


@dataclass(frozen=True)
class RecommenderParts:
    """What `rectune.recommender.recommender.Recommender` is made of; see there."""

    items: Sequence[Item]
    ranker: Ranker | None
    generative: GenerativeRecommender | None
    grounding: Callable[[], Grounding]
    histories: Mapping[str, Sequence[str]]
    likes: CoLikes | None
    retrieval: RetrievalConfig
    model_ranking: ModelRanking | None = None
    ranker_writes: bool = False
    attributes: Mapping[str, Attributes] = field(default_factory=dict)


def from_items(
    items: Sequence[Item],
    *,
    ranker: str | Ranker | None = None,
    model: ModelSource | None = None,
    likes: TrainLikes | None = None,
    histories: Mapping[str, Sequence[str]] | None = None,
    attributes: Mapping[str, Attributes] | None = None,
    retrieval: RetrievalConfig | None = None,
    folder: str | Path | None = None,
    index: Path | None = None,
    co_likes: CoLikes | None = None,
    runs: str | Path = RUNS,
) -> RecommenderParts:
    """The parts of a recommender of items that were read.

    Args:
        items: of one domain.
        ranker: a name of `rectune.rankers.base.RANKERS` (`chosen` tunes and chooses on the spot),
            `module:Class`, or a fitted ranker. Without one `hybrid` ranks; or, where there is a model and
            `retrieval.grounding` says so, the model, by what it answers.
        model: a GGUF file, `embedded`, or the model of a server; it words the reasons. Without one they are
            plain sentences, and in the languages in which `rectune doctor --model` did not find it sound.
            `ranker`: the ranker's own language model words them, where it has one and ranks.
        likes: what train users liked, for rankers that look at it.
        histories: user -> ids liked, oldest first.
        attributes: user -> what they stated; that the rankers learn from is in `likes`.
        retrieval: how answers are grounded and the catalogue is indexed.
        folder: keeps the index and what the model wrote; by the catalogue's content in the folder
            `catalogues` of `runs` if not given.
        index: of these items, finished; made in `folder` if not given.
        co_likes: what people liked, for evidence; from `likes` or the ranker if not given.
        runs: the artifact store, which keeps what `rectune doctor --model` found.

    Raises:
        UserError: there are no items, no such ranker or model, the ranker needs interactions, or an argument
            is of another type.
    """
    if ranker is not None:
        check_is("ranker", ranker, (str, Ranker), "the name of a ranker, or one that is fitted")
    if retrieval is not None:
        check_is("retrieval", retrieval, RetrievalConfig, "RetrievalConfig(…)")
    check_is("runs", runs, (str, Path), "a folder")
    if folder is not None:
        check_is("folder", folder, (str, Path), "a folder")
    own, model = model == RANKERS_OWN, None if model == RANKERS_OWN else model
    settings = retrieval or RetrievalConfig()
    if not items:
        raise UserError("the catalogue holds no items", hint="give at least one item with a title")
    place = Path(folder) if folder else catalogue_folder(items, settings.embedder, Path(runs))
    ground = cache(partial(_grounding, items, place, settings, index))
    if ranker is None and (model is None or settings.grounding == "ranked"):
        ranker = "hybrid"
    if isinstance(ranker, str):
        data = DomainData(items[0].domain, items, (lambda: likes) if likes else None, settings.embedder)
        ranker = _fitted(ranker, data, likes, ground)
    if own:
        _check_writes(ranker)
    generative = _generative(model, ground(), settings, place, Path(runs)) if model is not None else None
    if isinstance(ranker, ChosenRanker):
        co_likes = co_likes or ranker.co_likes
    elif likes and ranker is not None:
        co_likes = co_likes or CoLikes.of(likes)
    return RecommenderParts(
        items, ranker, generative, ground, histories or {}, co_likes, settings, ranker_writes=own,
        attributes=attributes or {},
    )  # fmt: skip


def _check_writes(ranker: Ranker | None) -> None:
    """Refuse a ranker that is to word reasons and cannot.

    Raises:
        UserError: it has no language model that writes.
    """
    if not ranker_can_write(ranker):
        name = ranker.name if ranker else "no ranker"
        raise UserError(
            f"the reasons are to be the ranker's own, and {name} writes none",
            hint="take the ranker allmrec, or another model",
        )


def catalogue_folder(items: Sequence[Item], embedder: str, runs: Path) -> Path:
    """Where the index of these items lies: a folder of `runs` that is named by their content."""
    return runs / "catalogues" / content_id("items", list(map(astuple, items)), embedder_identity(embedder))


def _fitted(name: str, data: DomainData, likes: TrainLikes | None, ground: Callable[[], Grounding]) -> Ranker:
    """The ranker of this name; `chosen` is chosen now, and what was chosen is said."""
    from rectune.rankers.lightfm import LightFMAttributes
    from rectune.rankers.stage import choice_in_words

    if name != ChosenRanker.name or likes is None:
        return fit_by_name(name, data, likes)
    search = partial(_search, ground, data) if is_installed("lancedb") else None
    names = [*FitConfig().rankers, *([LightFMAttributes.name] if likes.attributes else [])]
    found = ChosenRanker().fit_with(data, ChoiceOptions(names, search=search))
    say(choice_in_words(found.choice))
    return found


def _search(ground: Callable[[], Grounding], data: DomainData, texts: Sequence[str]) -> NDArray[np.float64]:
    """Scores by the index, which is made when words are first looked up."""
    return index_scores(ground().index, data.domain, data.place, texts)


def _grounding(
    items: Sequence[Item], folder: Path, settings: RetrievalConfig, index: Path | None
) -> Grounding:
    from rectune.retrieval.grounding import Grounding, ground_in
    from rectune.retrieval.index import open_index

    if index is not None:
        return Grounding(items, open_index(index))
    return ground_in(items, folder / "index", settings.embedder, settings)


def _generative(
    model: ModelSource, grounding: Grounding, settings: RetrievalConfig, folder: Path, runs: Path
) -> GenerativeRecommender:
    from rectune.models.reference import gguf_file
    from rectune.recommender.generative import GenerativeRecommender

    cache = folder / "generations.sqlite"
    if isinstance(model, ServedModel):
        return GenerativeRecommender(model, grounding, settings, cache)
    file = gguf_file(str(model))
    verdict = verdict_for(file, settings, runs)
    untrusted = verdict.untrusted if verdict else frozenset[Locale]()
    return GenerativeRecommender(file, grounding, settings, cache, untrusted=untrusted)


def verdict_for(model: Path, settings: RetrievalConfig, runs: Path) -> ModelVerdict | None:
    """What is known of a model that words the reasons; None for nothing, and for one that chooses the items,
    whose reasons are asked for whatever was found.
    """
    from rectune.recommender.model_check import verdict_on

    return verdict_on(model, runs) if settings.grounding == "ranked" else None
