"""Small things that several subjects need of SQL statements."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar, cast

from sqlalchemy import CursorResult
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import UpdateBase

BLOCK = 500  # rows a statement: far below the number of parameters that the databases take
Row = TypeVar("Row")


def changed(session: Session, statement: UpdateBase) -> int:
    """Run a statement that changes rows; returns how many it changed."""
    return cast(CursorResult[tuple[()]], session.execute(statement)).rowcount


def blocks(rows: Sequence[Row], size: int = BLOCK) -> Iterator[Sequence[Row]]:
    """The rows, `size` at a time."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size]
