"""Counting interactions at any size: dense codes make counts arrays; pairs are sorted as 8-byte keys."""

from __future__ import annotations

import itertools
import typing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

if typing.TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    Counts = NDArray[np.int64]

_BATCH = 1_000_000  # interactions
_AT_ONCE = 64_000_000  # interactions whose keys are held and sorted together
_COLUMNS = ("user", "item", "value", "kind", "timestamp", "liked")
_WAITING = 100_000  # rows of counts that wait to be added up
_VALUES = 64  # distinct values; where there are more (hours played), they are counted in powers of two


@dataclass
class InteractionCounts:
    """The interactions of a domain, or of one of its categories, counted.

    Attributes:
        tally: rows by `group`, `kind`, `liked` and `value`, with `rows`, `timed`, `first` and `last`.
        items: interactions of each item.
        lengths: of the users' histories.
        liked: how many of each history's interactions are liked.
        repeated: interactions of a pair of user and item that has met before.
        scale: of `tally`'s values, "exact" or "log2".
    """

    tally: pl.DataFrame
    items: Counts
    lengths: Counts
    liked: Counts
    repeated: int
    scale: Literal["exact", "log2"]


class InteractionCounter:
    """Counts a domain's interactions in one reading, or in several where one does not fit into memory.

    Args:
        groups: the category's number of each item.
        count: of the groups.
        users: of the domain.
        batch: interactions that are read together.
        at_once: interactions whose keys are held and sorted together.
    """

    def __init__(
        self, groups: Counts, count: int, users: int, batch: int = _BATCH, at_once: int = _AT_ONCE
    ) -> None:
        import numpy as np

        self._batch, self._at_once = batch, at_once
        self._groups, self._count = groups, count
        self._items = np.zeros(len(groups), np.int64)
        self._lengths, self._liked = np.zeros(users, np.int64), np.zeros(users, np.int64)
        # A key is group, user, item and liked, from the highest bit to the lowest.
        self._user_bits = 1 + max(len(groups) - 1, 0).bit_length()
        self._group_bits = self._user_bits + max(users - 1, 0).bit_length()
        self._item_keys = ((groups << self._group_bits) + 2 * np.arange(len(groups))).astype(np.uint64)
        self._tally = _Tally()

    def count(self, rows: pl.LazyFrame) -> list[InteractionCounts]:
        """Count all rows; a part for each group."""
        import numpy as np

        for batch in rows.select("item").collect_batches(chunk_size=self._batch, engine="streaming"):
            self._items += np.bincount(batch["item"].to_numpy(), minlength=len(self._items))
        sizes = np.zeros(self._count, np.int64)
        np.add.at(sizes, self._groups, self._items)
        histories = []
        for first, last in _bunches(sizes.tolist(), self._at_once):
            keys = self._keys(rows, (first, last), int(sizes[first:last].sum()))
            keys.sort()
            cuts = np.cumsum([0, *sizes[first:last]]).tolist()
            histories += [self._history(keys[start:end]) for start, end in itertools.pairwise(cuts)]
        return [
            InteractionCounts(
                self._tally.of(group), self._items[self._groups == group], *history, self._tally.scale
            )
            for group, history in enumerate(histories)
        ]

    def whole(self, parts: Sequence[InteractionCounts]) -> InteractionCounts:
        """The domain, once its groups are counted."""
        repeated = sum(part.repeated for part in parts)
        return InteractionCounts(
            self._tally.of(-1), self._items, self._lengths, self._liked, repeated, self._tally.scale
        )

    def _keys(self, rows: pl.LazyFrame, groups: tuple[int, int], size: int) -> NDArray[np.uint64]:
        """The keys of all interactions in these groups (first, last + 1), which are tallied by the way."""
        import numpy as np
        import polars as pl

        keys, end = np.empty(size, np.uint64), 0
        for batch in rows.select(_COLUMNS).collect_batches(chunk_size=self._batch, engine="streaming"):
            group = self._groups[batch["item"].to_numpy()]
            if groups != (0, self._count):
                inside = (group >= groups[0]) & (group < groups[1])
                batch, group = batch.filter(pl.Series(inside)), group[inside]
            self._tally.add(batch.with_columns(group=pl.Series(group, dtype=pl.UInt16)))
            key = batch["user"].to_numpy().astype(np.uint64)
            key <<= np.uint64(self._user_bits)
            key += self._item_keys[batch["item"].to_numpy()]
            key += batch["liked"].to_numpy()
            keys[end : end + len(key)] = key
            end += len(key)
        return keys

    def _history(self, keys: NDArray[np.uint64]) -> tuple[Counts, Counts, int]:
        """Lengths, liked and repeats of one group's sorted keys, whose users it adds to the domain's."""
        import numpy as np

        repeated, starts = 0, [np.zeros(min(len(keys), 1), np.int64)]
        for start in range(0, len(keys), self._batch):
            pairs = keys[start : start + self._batch + 1] >> np.uint64(1)
            repeated += int(np.count_nonzero(pairs[1:] == pairs[:-1]))
            users = pairs >> np.uint64(self._user_bits - 1)
            starts.append(np.flatnonzero(users[1:] != users[:-1]) + start + 1)
        bounds = np.concatenate(starts)
        users = keys[bounds] >> np.uint64(self._user_bits)
        users &= np.uint64((1 << (self._group_bits - self._user_bits)) - 1)
        keys &= np.uint64(1)
        lengths = np.diff(bounds, append=len(keys))
        liked = np.add.reduceat(keys, bounds).astype(np.int64) if len(keys) else lengths
        self._lengths[users] += lengths
        self._liked[users] += liked
        return lengths, liked, repeated


def _bunches(sizes: Sequence[int], at_once: int) -> Iterator[tuple[int, int]]:
    """Neighbouring groups (first, last + 1) that fit into memory together; each holds at least one."""
    first, held = 0, 0
    for group, size in enumerate(sizes):
        if held and held + size > at_once:
            yield first, group
            first, held = group, 0
        held += size
    yield first, len(sizes)


class _Tally:
    """Rows by group, kind, liked and value. Values are kept as they are until there are too many distinct
    ones.
    """

    def __init__(self) -> None:
        import polars as pl

        from rectune.core.tables import interaction_schema

        self.scale: Literal["exact", "log2"] = "exact"
        self._waiting: list[pl.DataFrame] = []
        types = interaction_schema()
        self._frame = pl.DataFrame(
            schema={
                "group": pl.UInt16(),
                "kind": types["kind"],
                "liked": pl.Boolean(),
                "value": types["value"],
                **dict.fromkeys(("rows", "timed", "first", "last"), pl.Int64()),
            }
        )

    def add(self, batch: pl.DataFrame) -> None:
        """Count a batch with the columns `group`, `kind`, `liked`, `value` and `timestamp`."""
        import polars as pl

        time = pl.col("timestamp")
        times = (
            time.count().cast(pl.Int64).alias("timed"),
            time.min().alias("first"),
            time.max().alias("last"),
        )
        self._waiting.append(self._grouped(batch, pl.len().cast(pl.Int64).alias("rows"), *times))
        if sum(map(len, self._waiting)) > _WAITING:
            self._merge()

    def of(self, group: int) -> pl.DataFrame:
        """The counts of one group; of all for -1."""
        import polars as pl

        self._merge()
        return self._frame if group < 0 else self._frame.filter(pl.col("group") == group)

    def _merge(self) -> None:
        import polars as pl

        frame, self._waiting = pl.concat([self._frame, *self._waiting]), []
        sums = (pl.col("rows", "timed").sum(), pl.col("first").min(), pl.col("last").max())
        self._frame = self._grouped(frame, *sums)
        if self.scale == "exact" and self._frame["value"].n_unique() > _VALUES:
            self.scale = "log2"
            self._frame = self._grouped(self._frame, *sums)

    def _grouped(self, frame: pl.DataFrame, *figures: pl.Expr) -> pl.DataFrame:
        import polars as pl

        value = pl.col("value")
        if self.scale == "log2":
            # No Float32 lies so near below a power of two that the addition lifts it over.
            power = (value.cast(pl.Float64).log(2) + 1e-9).floor()
            value = pl.when(value > 0).then(2.0**power).otherwise(value * 0).cast(pl.Float32).alias("value")
        return frame.group_by("group", "kind", "liked", value).agg(*figures)
