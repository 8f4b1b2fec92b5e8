"""Sampling negatives for a target: uniform, by popularity, or its nearest neighbours by embedding."""

from __future__ import annotations

import typing
from collections.abc import Sequence
from typing import Literal, Protocol

from rectune.datagen.rng import uniform

if typing.TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    Codes = NDArray[np.int64]
    Seeds = NDArray[np.uint64]

Kind = Literal["uniform", "popularity", "near"]
_NEAR = 5  # how many times as many neighbours as are wanted the choice is among
_CHUNK = 20_000  # targets that are worked on at once


class SeenItems:
    """Which users interacted with which items, liked or not."""

    def __init__(self, users: NDArray[np.int64], items: NDArray[np.int64]) -> None:
        """`users` and `items`: [interactions], aligned."""
        self._pairs = _pairs(users, items)
        self._pairs.sort()

    def holds(self, users: NDArray[np.int64], items: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether each user interacted with each item, elementwise."""
        import numpy as np

        pairs = _pairs(users, items)
        if not len(self._pairs):
            return np.zeros(pairs.shape, bool)
        places = np.minimum(np.searchsorted(self._pairs, pairs), len(self._pairs) - 1)
        return typing.cast("NDArray[np.bool_]", self._pairs[places] == pairs)


def _pairs(users: NDArray[np.int64], items: NDArray[np.int64]) -> NDArray[np.int64]:
    return (users.astype("int64") << 32) + items


class Negatives(Protocol):
    """Proposes items for a target in a seeded random order."""

    def some(self, targets: Codes, seeds: Seeds, wanted: int) -> Codes:
        """[n] targets -> [n, m] items, m at least `wanted`; items may repeat, -1 is none."""
        ...

    def all(self, target: int, seed: int) -> Codes:
        """Every possible candidate for the target, once."""
        ...


def draw(
    negatives: Negatives, targets: Codes, users: Codes, touched: SeenItems, seeds: Seeds, wanted: int
) -> list[list[int]]:
    """`wanted` distinct items per target that its user never interacted with, or all if there are fewer.

    Args:
        targets, users, seeds: [n], by case; a case's items depend on its own entries alone.
    """
    found: list[list[int]] = []
    for start in range(0, len(targets), _CHUNK):
        chunk = slice(start, start + _CHUNK)
        items = negatives.some(targets[chunk], seeds[chunk], wanted)
        free = (items >= 0) & ~touched.holds(users[chunk, None], items)
        found += [_first(row[good], wanted) for row, good in zip(items, free, strict=True)]
    for place in [place for place, row in enumerate(found) if len(row) < wanted]:
        rest = negatives.all(int(targets[place]), int(seeds[place]))
        found[place] = _first(rest[~touched.holds(users[place : place + 1], rest)], wanted)
    return found


def _first(items: Codes, wanted: int) -> list[int]:
    return list(dict.fromkeys(items.tolist()))[:wanted]


class CategorySampler:
    """Items of the target's category, each in proportion to its weight."""

    def __init__(self, categories: Sequence[str], weights: NDArray[np.float64]) -> None:
        """Both arguments run by item code; an item of weight 0 is never drawn."""
        import numpy as np

        names = sorted(set(categories))
        place = {name: at for at, name in enumerate(names)}
        self._pool_of = np.array([place[name] for name in categories], np.int64)
        self._weights = weights
        self._pools = [np.flatnonzero((self._pool_of == at) & (weights > 0)) for at in range(len(names))]
        self._sums = [np.cumsum(weights[pool]) for pool in self._pools]

    def some(self, targets: Codes, seeds: Seeds, wanted: int) -> Codes:
        """See `Negatives.some`."""
        import numpy as np

        chances = uniform(seeds, wanted + wanted // 2 + 4)
        items = np.full(chances.shape, -1, np.int64)
        for at in np.unique(self._pool_of[targets]):
            rows, pool, sums = self._pool_of[targets] == at, self._pools[at], self._sums[at]
            if len(pool):
                places = np.searchsorted(sums, chances[rows] * sums[-1], side="right")
                items[rows] = pool[np.minimum(places, len(pool) - 1)]
        return items

    def all(self, target: int, seed: int) -> Codes:
        """See `Negatives.all`; weighted without replacement (Efraimidis and Spirakis 2006)."""
        import numpy as np

        pool = self._pools[self._pool_of[target]]
        chances = uniform(np.array([seed], np.uint64), len(pool))[0]
        order = np.argsort(np.log1p(-chances) / self._weights[pool])[::-1]
        return typing.cast("Codes", pool[order])


class NearestNeighbours:
    """The target's nearest neighbours by cosine of title and categories; in its category if it has one."""

    def __init__(self, items: pl.DataFrame, embedder: str) -> None:
        """`items`: the domain's table, sorted by code; all of it is embedded (1.5 kB an item with MiniLM)."""
        import numpy as np

        from rectune.retrieval.embedding import embed, title_and_categories

        texts = [title_and_categories(*row) for row in items.select("title", "categories").iter_rows()]
        self._vectors = embed(texts, embedder)  # [items, d], unit rows
        self._categories = np.array(items["category"].to_list())

    def some(self, targets: Codes, seeds: Seeds, wanted: int) -> Codes:
        """See `Negatives.some`; a random choice among the nearest."""
        import numpy as np

        nearest = [self._nearest(int(target))[: _NEAR * wanted] for target in targets]
        width = max(map(len, nearest), default=0)
        items = np.full((len(targets), width), -1, np.int64)
        for row, near in enumerate(nearest):
            items[row, : len(near)] = near
        order = np.argsort(uniform(seeds, width), axis=1)
        return np.take_along_axis(items, order, axis=1)

    def all(self, target: int, seed: int) -> Codes:
        """See `Negatives.all`; the nearest first."""
        return self._nearest(target)

    def _nearest(self, target: int) -> Codes:
        import numpy as np

        alike = self._vectors @ self._vectors[target]
        order = np.argsort(-alike, kind="stable")
        same = self._categories[order] == self._categories[target]
        return typing.cast("Codes", order[same & (order != target)])


def open_negatives(kind: Kind, items: pl.DataFrame, interactions: pl.LazyFrame, embedder: str) -> Negatives:
    """The negatives of one domain.

    Args:
        kind: `popularity` weighs an item by the number of its interactions.
        items: the domain's table, sorted by code.
        interactions: a column `item`.
        embedder: the embedding model for `near`.
    """
    import numpy as np
    import polars as pl

    if kind == "near":
        return NearestNeighbours(items, embedder)
    categories = items["category"].to_list()
    if kind == "uniform":
        return CategorySampler(categories, np.ones(len(categories)))
    counts = interactions.group_by("item").agg(pl.len().alias("n")).collect(engine="streaming")
    known = items.select("item").join(counts, on="item", how="left", maintain_order="left")
    return CategorySampler(categories, known["n"].fill_null(0).cast(pl.Float64).to_numpy())
