"""What a `Recommender` is made of, from files, frames, interactions and the results of runs."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rectune.core.artifacts import ArtifactStore
from rectune.core.catalogue import load_catalogue
from rectune.core.errors import UserError
from rectune.core.progress import say
from rectune.core.settings import RetrievalConfig
from rectune.core.types import Item, content_id
from rectune.rankers.base import (
    INTERACTION_BASED,
    INTERACTION_FREE,
    RANKERS,
    Ranker,
    fit_ranker,
    ranker_class,
)
from rectune.rankers.domain_data import DomainData, TrainLikes
from rectune.rankers.saved import load_saved
from rectune.readers.catalogue import CatalogueFile, CatalogueOptions
from rectune.readers.catalogue import read_catalogue as read_catalogue_file
from rectune.readers.drops import Drops, drop_lines
from rectune.readers.file_format import FileFormat
from rectune.readers.interactions import InteractionTable
from rectune.retrieval.embedding import EMBEDDED

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
        ranker = _fitted(ranker, data, likes)
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


def items_of(catalogue: Any, options: CatalogueOptions | None = None) -> list[Item]:
    """The items of a file or folder, a polars or pandas frame, or a list of `Item`.

    What was read as what, and what was left out, is said on standard error.

    Raises:
        UserError: it cannot be read; see `rectune.readers.catalogue.read_catalogue`.
    """
    if isinstance(catalogue, Sequence) and not isinstance(catalogue, str):
        if not all(isinstance(item, Item) for item in catalogue):
            raise UserError(
                "the catalogue is a list of other things than items", hint="give a frame, or a file"
            )
        return list(catalogue)
    read = read_catalogue(catalogue, options)
    say(read.describe())
    return read.items


def read_catalogue(catalogue: Any, options: CatalogueOptions | None = None) -> CatalogueFile:
    """Read a catalogue: what was taken for what, and what was left out, is in the result.

    Args:
        catalogue: CSV, TSV, JSON lines, JSON or Parquet (each also gzipped), a folder of articles, or a
            polars or pandas frame.
        options: which column is what, and how the file is written.

    Raises:
        UserError: see `rectune.readers.catalogue.read_catalogue`.
    """
    with as_file(catalogue) as path:
        return read_catalogue_file(path, options)


def load_ranker(
    name: str | Path,
    items: Any = None,
    interactions: Any = None,
    *,
    positive_threshold: float | None = None,
    embedder: str = EMBEDDED,
    seed: int = 0,
) -> Ranker:
    """A ranker that is ready to score: fitted on a catalogue, or read from the folder that it was saved in.

    Args:
        name: a name of `rectune.rankers.base.RANKERS` or `module:Class`; or, without items, a folder.
        items: the catalogue; see `read_catalogue`.
        interactions: for rankers that look at them; see `read_likes`.
        positive_threshold: from which value on an interaction counts as liked.
        embedder: of rankers that embed.
        seed: of rankers that draw.

    Raises:
        UserError: there is no such ranker, it needs interactions and there are none, or the items or
            interactions cannot be read.
    """
    if items is None:
        folder = Path(name)
        if str(name) in RANKERS and not folder.exists():
            raise UserError(
                f"{name} is fitted on items, and none are given", hint="give items; or the folder of a ranker"
            )
        return ranker_class(load_saved(folder).name).load(folder)
    catalogue = items_of(items)
    ids = [item.item_id for item in catalogue]
    likes = None
    if interactions is not None:
        likes = likes_of(read_likes(interactions, ids, positive_threshold), ids)
    domain = catalogue[0].domain if catalogue else "other"
    return _fitted(
        str(name), DomainData(domain, catalogue, (lambda: likes) if likes else None, embedder, seed), likes
    )


def _fitted(name: str, data: DomainData, likes: TrainLikes | None) -> Ranker:
    """The ranker of this name; refuses to fit one on interactions that are not there."""
    if likes is None and name in INTERACTION_BASED:
        raise UserError(
            f"the ranker {name} needs interactions",
            hint=f"give them, with Recommender.fit for instance; without: {', '.join(INTERACTION_FREE)}",
        )
    return fit_ranker(name, data)


@contextmanager
def as_file(given: Any) -> Iterator[Path]:
    """A table as a file: a path as it is, a frame as Parquet, so that one reader reads both.

    Raises:
        UserError: it is neither.
    """
    import polars as pl

    if isinstance(given, (str, Path)):
        yield Path(given)
        return
    try:
        frame = given if isinstance(given, pl.DataFrame) else pl.from_pandas(given)
    except (TypeError, ValueError, ImportError) as refused:
        raise UserError(
            f"this is no table: {refused}", hint="give a path, or a polars or pandas frame"
        ) from None
    with tempfile.TemporaryDirectory(prefix="rectune-") as folder:
        path = Path(folder) / "frame.parquet"
        frame.write_parquet(path)
        try:
            yield path
        except UserError as refused:  # nobody knows the file
            where = refused.where.replace(str(path), "the frame")
            raise UserError(refused.message, where=where, hint=refused.hint) from None


def read_likes(
    interactions: Any,
    item_ids: Sequence[str],
    positive_threshold: float | None = None,
    columns: Mapping[str, str] | None = None,
) -> pl.DataFrame:
    """The interactions that count as liked, oldest first: user_id, item_id.

    Args:
        interactions: a file, or a polars or pandas frame.
        item_ids: of the catalogue; interactions with others are left out and counted.
        positive_threshold: from which value on one is liked; needed where values differ.
        columns: user_id, item_id, value, timestamp -> column, where the guess would be another.

    Raises:
        UserError: it cannot be read, values differ and nothing says which are liked, or none is.
    """
    import polars as pl

    drops = Drops()
    with as_file(interactions) as path:
        table = InteractionTable(path, FileFormat(), columns or {}, "click")
        found = table.columns()
        say(found.describe())
        batches = list(table.batches(found, drops))
    if not batches:
        raise UserError("there are no interactions", hint="give at least one row with a user and an item")
    rows = pl.concat(batches)
    if positive_threshold is None and rows["value"].drop_nulls().n_unique() > 1:
        low, high = (float(end) for end in (rows["value"].min(), rows["value"].max()))  # type: ignore[arg-type]
        raise UserError(
            f"values of interactions go from {low:g} to {high:g}",
            hint="say from which on one is liked: positive_threshold=4, for instance",
        )
    named = rows.drop_nulls("user_id")
    drops.add("interaction without a user", rows.height - named.height)
    known = named.filter(pl.col("item_id").is_in(list(item_ids)))
    drops.add("interaction with an unknown item", named.height - known.height)
    least = 0.0 if positive_threshold is None else positive_threshold
    liked = known.filter(pl.col("value") >= least)
    if drops.counts:
        say("\n".join(["left out:", *drop_lines(drops.counts, drops.first)]))
    if not liked.height:
        raise UserError("no interaction counts as liked", hint="lower positive_threshold, or check the ids")
    if "timestamp" in liked.columns:
        liked = liked.sort("timestamp", maintain_order=True, nulls_last=False)
    return liked.select("user_id", "item_id")


def likes_of(liked: pl.DataFrame, item_ids: Sequence[str]) -> TrainLikes:
    """Likes as the rankers take them: each pair of user and item once."""
    import polars as pl

    once = liked.unique(["user_id", "item_id"], maintain_order=True)
    users = once["user_id"].rank("dense").cast(pl.Int64).to_numpy() - 1
    place = {item: at for at, item in enumerate(item_ids)}
    return TrainLikes(tuple(item_ids), users, np.array([place[i] for i in once["item_id"]], np.int64))


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
