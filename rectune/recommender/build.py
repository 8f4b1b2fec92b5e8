"""What a `Recommender` is made of, from files, frames, interactions and the results of runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from functools import cache, cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from rectune.core.catalogue import load_catalogue
from rectune.core.errors import UserError
from rectune.core.settings import RetrievalConfig
from rectune.core.types import Item, content_id
from rectune.rankers.base import Ranker
from rectune.rankers.domain_data import DomainData, TrainLikes
from rectune.recommender.load_ranker import fit_by_name

if TYPE_CHECKING:
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
    place = folder or RUNS / "catalogues" / content_id("items", list(map(astuple, items)), settings.embedder)
    if ranker is None and model is None:
        ranker = "hybrid"
    if isinstance(ranker, str):
        data = DomainData(items[0].domain, items, (lambda: likes) if likes else None, settings.embedder)
        ranker = fit_by_name(ranker, data, likes)
    ground = cache(partial(_grounding, items, place, settings))
    generative = _generative(model, ground(), settings, place) if model is not None else None
    return RecommenderParts(items, ranker, generative, ground, histories or {})


def from_folder(
    data: Path,
    domain: str,
    ranker: str | Ranker | None,
    model: str | Path | None,
    retrieval: RetrievalConfig,
    catalogues: Path,
) -> RecommenderParts:
    """The parts of a recommender of one domain of a finished stage `data`, whose users are known.

    `catalogues` holds a folder for each catalogue that is indexed.

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
        retrieval=retrieval,
        folder=catalogues / content_id("catalogue", data.name, domain, retrieval.embedder),
    )  # fmt: skip


def _grounding(items: Sequence[Item], folder: Path, settings: RetrievalConfig) -> Grounding:
    from rectune.retrieval.grounding import ground_in

    return ground_in(items, folder / "index", settings.embedder, settings)


def _generative(
    model: str | Path, grounding: Grounding, settings: RetrievalConfig, folder: Path
) -> GenerativeRecommender:
    from rectune.models.reference import gguf_file
    from rectune.recommender.generative import GenerativeRecommender

    return GenerativeRecommender(gguf_file(str(model)), grounding, settings, folder / "generations.sqlite")


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
