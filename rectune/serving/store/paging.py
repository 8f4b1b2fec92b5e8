"""Pages of long lists: a cursor says where the next one begins, so that new rows move none of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from rectune.core.errors import UserError

MAX_PAGE = 1000
Row = TypeVar("Row")


@dataclass(frozen=True)
class Page(Generic[Row]):
    """`after` is given to the next call; None at the end."""

    rows: Sequence[Row]
    after: str | None


def page_size(limit: int) -> int:
    """The limit itself.

    Raises:
        UserError: it is not from 1 to `MAX_PAGE`.
    """
    if not 1 <= limit <= MAX_PAGE:
        raise UserError(f"limit is {limit}", hint=f"give a number from 1 to {MAX_PAGE}")
    return limit


def parse_cursor(after: str) -> tuple[int, int]:
    """A time and an id, as `time-id`.

    Raises:
        UserError: it is something else.
    """
    first, dash, second = after.partition("-")
    if not (dash and first.isdecimal() and second.isdecimal() and len(after) < 40):
        raise UserError("this is no cursor", hint="give `after` as the page before said it")
    return int(first), int(second)
