"""What a `Recommender` is made of, from files, frames, interactions and the results of runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rectune.core.artifacts import ArtifactStore
from rectune.core.catalogue import load_catalogue
from rectune.core.errors import UserError
from rectune.core.settings import RetrievalConfig
from rectune.core.types import Item, content_id
from rectune.rankers.base import (
    Ranker,
)
from rectune.rankers.domain_data import DomainData, TrainLikes
from rectune.readers.catalogue import CatalogueOptions
from rectune.recommender.load_ranker import fit_by_name
from rectune.recommender.tables import items_of, likes_of, read_likes

if TYPE_CHECKING:
    import polars as pl

    from rectune.recommender.generative import GenerativeRecommender
    from rectune.retrieval.grounding import Grounding

RUNS = Path("runs")


@dataclass(frozen=True)
class RecommenderParts:
    """What `rectune.recommender.recommender.Recommender` is made of; see there."""

    items: Sequence[Item]
    ranker: Ranker | None
    generative: GenerativeRecommender | None
    grounding: Callable[[], Grounding]
    histories: Mapping[str, Sequence[str]]


def from_items(
    items: Sequence[Item],
    *,
    ranker: str | Ranker | None = None,
    model: str | Path | None = None,
    likes: TrainLikes | None = None,
    histories: Mapping[str, Sequence[str]] | None = None,
    retrieval: RetrievalConfig | None = None,
    folder: Path | None = None,
) -> RecommenderParts:
    """The parts of a recommender of items that were read.

    Args:
        items: of one domain.
        ranker: a name of `rectune.rankers.base.RANKERS`, `module:Class`, or a fitted ranker. Without one the
            language model ranks, by what it answers; without either, `hybrid` does.
        model: a GGUF file or `embedded`; it words the reasons. Without one they are plain sentences.
        likes: what train users liked, for rankers that look at it.
        histories: user -> ids liked, oldest first.
        retrieval: how answers are grounded and the catalogue is indexed.
        folder: keeps the index and what the model wrote; by the catalogue's content in runs/catalogues if not
            given.

    Raises:
        UserError: there are no items, no such ranker or model, or the ranker needs interactions.
    """
    settings = retrieval or RetrievalConfig()
    if not items:
        raise UserError("the catalogue holds no items", hint="give at least one item with a title")
    place = folder or RUNS / "catalogues" / content_id(
        "items", [astuple(item) for item in items], settings.embedder
    )
    if ranker is None and model is None:
        ranker = "hybrid"
    if isinstance(ranker, str):
        data = DomainData(items[0].domain, items, (lambda: likes) if likes else None, settings.embedder)
        ranker = fit_by_name(ranker, data, likes)
    ground = _Once(partial(_grounding, items, place, settings))
    generative = _generative(model, ground(), settings, place) if model is not None else None
    return RecommenderParts(items, ranker, generative, ground, histories or {})


def from_catalogue(
    catalogue: Any,
    *,
    model: str | Path | None = "embedded",
    ranker: str | Ranker | None = None,
    options: CatalogueOptions | None = None,
    retrieval: RetrievalConfig | None = None,
    folder: Path | None = None,
) -> RecommenderParts:
    """See `Recommender.from_catalogue`."""
    items = items_of(catalogue, options)
    return from_items(items, ranker=ranker, model=model, retrieval=retrieval, folder=folder)


def from_run(
    recipe: str = "demo",
    domain: str = "",
    *,
    ranker: str | Ranker | None = None,
    model: str | Path | None = "run",
    retrieval: RetrievalConfig | None = None,
    runs: str | Path = RUNS,
) -> RecommenderParts:
    """See `Recommender.from_run`."""
    store = ArtifactStore(Path(runs))
    name = store.name_of(Path(recipe))
    settings = retrieval or run_retrieval(recipe)
    data = store.resolve(name, "data")
    if not domain and len(known := load_catalogue(data / "items.parquet").domains) == 1:
        domain = known[0]
    place = store.root / "catalogues" / content_id("catalogue", data.name, domain, settings.embedder)
    chosen = run_model(recipe, runs) if model == "run" else model
    return from_folder(data, domain, ranker, chosen, settings, place)


def from_folder(
    data: Path,
    domain: str,
    ranker: str | Ranker | None,
    model: str | Path | None,
    retrieval: RetrievalConfig,
    folder: Path,
) -> RecommenderParts:
    """The parts of a recommender of one domain of a finished stage `data`, whose users are known.

    Raises:
        UserError: the data has no such domain.
    """
    from rectune.core.rows import read_rows
    from rectune.core.types import Case
    from rectune.rankers.domain_data import train_likes

    known = load_catalogue(data / "items.parquet")
    if domain not in known.domains:
        raise UserError(
            f"which catalogue? There is no domain {domain!r}",
            hint=f"give a catalogue, or the domain, one of: {', '.join(known.domains)}",
        )
    likes = train_likes(data, read_rows(data / "cases.parquet", Case), domain) if ranker else None
    return from_items(
        known.of(domain), ranker=ranker, model=model, likes=likes, histories=_RunHistories(data, domain),
        retrieval=retrieval, folder=folder,
    )  # fmt: skip


def fit(
    interactions: Any,
    items: Any,
    *,
    ranker: str = "item_knn",
    model: str | Path | None = None,
    positive_threshold: float | None = None,
    columns: Mapping[str, str] | None = None,
    options: CatalogueOptions | None = None,
    retrieval: RetrievalConfig | None = None,
    folder: Path | None = None,
) -> RecommenderParts:
    """See `Recommender.fit`."""
    catalogue = items_of(items, options)
    liked = read_likes(interactions, [item.item_id for item in catalogue], positive_threshold, columns)
    histories = {user: list(dict.fromkeys(rows)) for user, rows in _by_user(liked)}
    return from_items(
        catalogue,
        ranker=ranker,
        model=model,
        likes=likes_of(liked, [item.item_id for item in catalogue]),
        histories=histories,
        retrieval=retrieval,
        folder=folder,
    )


def run_model(recipe: str = "demo", runs: str | Path = RUNS) -> Path:
    """The GGUF file of the aligned model that a recipe's run exported."""
    store = ArtifactStore(Path(runs))
    return store.resolve(store.name_of(Path(recipe)), "export") / "model.gguf"


def run_retrieval(recipe: str = "demo", changed: Sequence[str] = ()) -> RetrievalConfig:
    """The section `retrieval` of a recipe."""
    from rectune.core.recipe import load_recipe

    return load_recipe(Path(recipe), list(changed)).retrieval


def _by_user(liked: pl.DataFrame) -> Iterator[tuple[str, list[str]]]:
    for (user,), rows in liked.group_by(["user_id"], maintain_order=True):
        yield str(user), rows["item_id"].to_list()


def _grounding(items: Sequence[Item], folder: Path, settings: RetrievalConfig) -> Grounding:
    from rectune.retrieval.grounding import ground_in

    return ground_in(items, folder / "index", settings.embedder, settings)


def _generative(
    model: str | Path, grounding: Grounding, settings: RetrievalConfig, folder: Path
) -> GenerativeRecommender:
    from rectune.models.reference import gguf_file
    from rectune.recommender.generative import GenerativeRecommender

    return GenerativeRecommender(gguf_file(str(model)), grounding, settings, folder / "generations.sqlite")


class _Once:
    """A function without arguments that is called once; what it gave is kept."""

    def __init__(self, make: partial[Grounding]) -> None:
        self._make = make

    @cached_property
    def made(self) -> Grounding:
        return self._make()

    def __call__(self) -> Grounding:
        return self.made


class _RunHistories(Mapping[str, Sequence[str]]):
    """The likes of the users of a run's domain, oldest first; read when they are first asked for."""

    def __init__(self, data: Path, domain: str) -> None:
        self._data, self._domain = data, domain

    @cached_property
    def _likes(self) -> dict[str, list[str]]:
        import polars as pl

        own = pl.col("domain") == self._domain
        users = pl.scan_parquet(self._data / "users.parquet").filter(own).select("user", "user_id")
        items = pl.scan_parquet(self._data / "items.parquet").filter(own).select("item", "item_id")
        rows = (
            pl.scan_parquet(self._data / "interactions.parquet")
            .filter(own & pl.col("liked"))
            .join(users, on="user")
            .join(items, on="item")
            .sort("timestamp", "order", nulls_last=False)
            .unique(["user_id", "item_id"], keep="first", maintain_order=True)
            .group_by("user_id", maintain_order=True)
            .agg("item_id")
            .collect()
        )
        return dict(zip(rows["user_id"].to_list(), rows["item_id"].to_list(), strict=True))

    def __getitem__(self, user: str) -> Sequence[str]:
        return self._likes[user]

    def __iter__(self) -> Iterator[str]:
        return iter(self._likes)

    def __len__(self) -> int:
        return len(self._likes)
