"""Rankers that need no language model: random, popularity, and the mean of sentence embeddings."""

from __future__ import annotations

import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from recommenders.base import Scores
from rectune.tables import read_table
from rectune.types import Case, Item, content_id
from retrieval.embedding import Vectors, embed, title_and_categories

if typing.TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class Random:
    """Uniform scores, which follow from seed, history and candidates alone, not from the cases around."""

    seed: int = 0
    name: str = "random"

    def rank(self, histories: Sequence[Sequence[str]], candidates: Sequence[Sequence[str]]) -> list[Scores]:
        """See `Ranker.rank`."""
        return [self._scores(h, c) for h, c in zip(histories, candidates, strict=True)]

    def _scores(self, history: Sequence[str], candidates: Sequence[str]) -> Scores:
        seed = int(content_id("random", self.seed, list(history), list(candidates)), 16)
        return np.random.default_rng(seed).random(len(candidates))


@dataclass(frozen=True)
class Popularity:
    """How many train users liked the item; the history is not looked at."""

    counts: Mapping[str, int]
    name: str = "popularity"

    def rank(self, histories: Sequence[Sequence[str]], candidates: Sequence[Sequence[str]]) -> list[Scores]:
        """See `Ranker.rank`."""
        return [
            np.array([self.counts.get(item, 0) for item in case], np.float64)
            for _, case in zip(histories, candidates, strict=True)
        ]


@dataclass(frozen=True)
class EmbeddingMean:
    """Cosine between a candidate and the mean of the last items of the history, over title and categories.

    A case with an empty history scores zero throughout.
    """

    items: Mapping[str, Item]
    embedder: str = "embedded"
    last: int = 10
    name: str = "embedding"
    _known: dict[str, Vectors] = field(default_factory=dict, repr=False, compare=False)

    def rank(self, histories: Sequence[Sequence[str]], candidates: Sequence[Sequence[str]]) -> list[Scores]:
        """See `Ranker.rank`."""
        recent = [history[-self.last :] for history in histories]
        self._embed(item for case in [*recent, *candidates] for item in case)
        return [self._scores(h, c) for h, c in zip(recent, candidates, strict=True)]

    def _scores(self, history: Sequence[str], candidates: Sequence[str]) -> Scores:
        if not history or not candidates:
            return np.zeros(len(candidates))
        profile = np.mean([self._known[item] for item in history], axis=0, dtype=np.float64)  # [d]
        profile /= max(float(np.linalg.norm(profile)), 1e-12)
        vectors = np.stack([self._known[item] for item in candidates])  # [len(candidates), d], unit rows
        scores: Scores = vectors.astype(np.float64) @ profile
        return scores

    def _embed(self, wanted: Iterable[str]) -> None:
        new = sorted(set(wanted) - self._known.keys())
        found = (self.items[item] for item in new)
        texts = [title_and_categories(item.title, item.categories) for item in found]
        vectors = embed(texts, self.embedder)
        self._known.update(zip(new, vectors, strict=True))


def liked_counts(data: Path, cases: Sequence[Case]) -> dict[str, dict[str, int]]:
    """How many train users liked each item: domain -> item id -> count.

    A user counts as train unless a case of another split is theirs, so that no test user's target is counted.

    Args:
        data: the folder with items.parquet, users.parquet and interactions.parquet.
        cases: the cases of all splits.
    """
    import polars as pl

    users = read_table(data / "users.parquet").select("domain", "user", "user_id")
    items = read_table(data / "items.parquet").select("domain", "item", "item_id")
    liked = pl.scan_parquet(data / "interactions.parquet").filter("liked").select("domain", "user", "item")
    held_out = {(c.domain, c.user) for c in cases if c.split != "train"}
    rows = pl.DataFrame(sorted(held_out), {"domain": pl.String(), "user_id": pl.String()}, orient="row")
    others = users.join(rows, on=["domain", "user_id"], how="semi").lazy()
    counted = (
        liked.join(others, on=["domain", "user"], how="anti")
        .unique()
        .group_by("domain", "item")
        .len()
        .join(items.lazy(), on=["domain", "item"])
        .collect(engine="streaming")
    )
    counts: dict[str, dict[str, int]] = {}
    for domain, item_id, count in counted.select("domain", "item_id", "len").iter_rows():
        counts.setdefault(domain, {})[item_id] = count
    return counts
