"""What a reader returns: a dataset in its publisher's words, and the count of what could not be read."""

from __future__ import annotations

import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rectune.core.errors import UserError
from rectune.core.tables import KINDS

if typing.TYPE_CHECKING:
    import polars as pl

MALFORMED_LIMIT = 0.01  # default share of a file's lines; beyond it the file is broken, or not what it seems
_HOPELESS = 1000  # lines: after this many malformed ones and no other, the rest is not worth the time


@dataclass(frozen=True)
class Sizes:
    """How much of a file is in memory at a time.

    Attributes:
        chunk: bytes of lines that are parsed together.
        piece: bytes that are parsed together once more where a chunk holds anything odd.
        longest: bytes (in an array: characters); no record is longer.
        scanned: rows of a batch that `scan_scalars` gives, about.
    """

    chunk: int = 8 << 20
    piece: int = 128 << 10
    longest: int = 64 << 20
    scanned: int = 250_000


@dataclass
class Drops:
    """What was left out: how often, by reason, and where each reason was met first (`file:line: why`).

    `malformed_limit` is the share of a file's lines that may be malformed before reading it is an error.
    """

    counts: dict[str, int] = field(default_factory=dict)
    first: dict[str, str] = field(default_factory=dict)
    malformed_limit: float = MALFORMED_LIMIT

    def add(self, reason: str, count: int, where: str = "") -> None:
        """Count something left out; `where` is kept if it is the first of its reason."""
        if count:
            self.counts[reason] = self.counts.get(reason, 0) + count
        if count and where:
            self.first.setdefault(reason, where)


@dataclass
class Faults:
    """The malformed lines of one file."""

    path: Path
    bad: int = 0
    line: int = 0
    why: str = ""

    def add(self, line: int, why: str, count: int = 1) -> None:
        """Count malformed lines; `line` (from 1) and `why` describe the first of them."""
        if not self.bad:
            self.line, self.why = line, why
        self.bad += count
        if count == 1 and self.bad == line >= _HOPELESS:
            raise self._error(line, 0.0)

    def close(self, seen: int, drops: Drops) -> None:
        """Tell `drops` about them after `seen` lines were read.

        Raises:
            UserError: more were malformed than `drops.malformed_limit` allows.
        """
        if self.bad > drops.malformed_limit * seen:
            raise self._error(seen, drops.malformed_limit)
        drops.add("malformed line", self.bad, f"{self.path.name}:{self.line}: {self.why}")

    def _error(self, seen: int, limit: float) -> UserError:
        return UserError(
            f"{self.why}; {self.bad:,} of {seen:,} lines are malformed",
            where=f"{self.path}:{self.line}",
            hint=f"get the file again from its publisher, or fix the lines (data.malformed lets {limit:.1%} pass)",
        )


@dataclass
class Raw:
    """A dataset as published, with columns of the schemas below and nothing cleaned yet.

    `interactions` are batches in file order, so that no file has to fit into memory; `drops` is complete only
    when all of them were taken.
    """

    items: pl.DataFrame
    interactions: Iterable[pl.DataFrame]
    users: pl.DataFrame
    drops: Drops


def item_columns() -> dict[str, pl.DataType]:
    """`extra` is a JSON object as text; `marks` tell items of one title apart, the best mark first.

    `category` is the publisher's own division of the dataset (an Amazon category); empty or null where it has none.
    """
    import polars as pl

    return {
        "item_id": pl.String(),
        "title": pl.String(),
        "categories": pl.List(pl.String()),
        "description": pl.String(),
        "year": pl.Int32(),
        "extra": pl.String(),
        "marks": pl.List(pl.String()),
        "category": pl.String(),
    }


def interaction_columns() -> dict[str, pl.DataType]:
    """As in `rectune.core.tables.interaction_schema`, with published ids in place of codes, and without `order`.

    An id may be UInt32 as well, where all of them are whole numbers without leading zeros.
    """
    import polars as pl

    return {
        "user_id": pl.String(),
        "item_id": pl.String(),
        "value": pl.Float32(),
        "kind": pl.Enum(list(KINDS)),
        "timestamp": pl.Int64(),
    }


def item_frame(rows: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    """Items from one mapping a row; what a row lacks is null."""
    import polars as pl

    return pl.DataFrame(list(rows), schema=item_columns(), orient="row")


def interaction_frame(frame: pl.DataFrame, kind: str = "") -> pl.DataFrame:
    """One batch of interactions from `user_id`, `item_id`, `value` and, where published, `timestamp` and `kind`."""
    import polars as pl

    if kind:
        frame = frame.with_columns(kind=pl.lit(kind))
    if "timestamp" not in frame.columns:
        frame = frame.with_columns(timestamp=pl.lit(None))
    types = interaction_columns()
    types |= {name: dtype for name in ("user_id", "item_id") if (dtype := frame.schema[name]) == pl.UInt32()}
    return frame.select(pl.col(name).cast(dtype) for name, dtype in types.items())


def no_users() -> pl.DataFrame:
    """The users of a dataset that publishes nothing about them."""
    import polars as pl

    return pl.DataFrame(schema={"user_id": pl.String(), "attributes": pl.String()})
