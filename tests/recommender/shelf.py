"""A shelf of six films and the likes of five people, whose right answers are known, as tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from rectune.core.settings import RetrievalConfig, SamplingConfig
from rectune.core.types import Item
from rectune.readers.catalogue import CatalogueOptions
from rectune.recommender.recommender import Recommender
from tests.retrieval import letters  # noqa: F401

RETRIEVAL = RetrievalConfig(
    embedder="letters", top=3, sampling=SamplingConfig(max_tokens=16), attempts=1, min_similarity=-1.0
)
OPTIONS = CatalogueOptions("movies", facts=("maker",))
FILMS = pl.DataFrame(
    {
        "movie_id": [11, 12, 13, 14, 15, 16],
        "title": ["Moon Landing", "Moon War", "Rocket Pilots", "Bread Baking", "Bread Street", "Harbour"],
        "genres": ["Space", "Space|War", "Space", "Cooking", "Cooking", "Crime"],
        "year": [1969, 1995, 1999, 2001, 2010, None],
        "maker": ["Acme", "Orbit", "Acme", "Oven", "Oven", "Quay"],
    }
)
# Whoever liked 11 liked 13 as well, and two of them 12; 14 and 15 go together; 16 nobody liked.
LIKES = pl.DataFrame(
    [
        ("ann", 11, 1), ("ann", 13, 2),
        ("bob", 11, 1), ("bob", 13, 3), ("bob", 12, 2),
        ("cay", 13, 1), ("cay", 11, 2), ("cay", 12, 3),
        ("dan", 15, 2), ("dan", 14, 1),
        ("eve", 14, 1), ("eve", 15, 2),
    ],
    ["user", "movie_id", "timestamp"],
    orient="row",
).with_columns(timestamp=1_700_000_000 + pl.col("timestamp"))  # fmt: skip


def films() -> list[Item]:
    """The films as they are read from the table."""
    return [
        Item("movies", str(row["movie_id"]), row["title"], tuple(row["genres"].split("|")), "", row["year"],
             (f"maker: {row['maker']}",))
        for row in FILMS.iter_rows(named=True)
    ]  # fmt: skip


def by_words(folder: Path, catalogue: Any = FILMS) -> Recommender:
    """BM25 over title and categories, without a language model."""
    return Recommender.from_catalogue(
        catalogue, model=None, ranker="bm25", options=OPTIONS, retrieval=RETRIEVAL, folder=folder
    )


def by_likes(folder: Path, likes: Any = LIKES, **more: Any) -> Recommender:
    """Item-kNN over the likes, without a language model."""
    given = {"ranker": "item_knn", "options": OPTIONS, "retrieval": RETRIEVAL, "folder": folder, **more}
    return Recommender.fit(likes, FILMS, **given)


def ids(found: Sequence[Any]) -> list[str]:
    """The ids of an answer, the best first."""
    return [item.item_id for item in found]
