"""The statistics of the data as tables of words, the same for terminal, HTML and Markdown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rectune.evaluation.pages.data import Data, Row
from rectune.evaluation.pages.values import NONE


@dataclass(frozen=True)
class Line:
    """One domain, or one of its categories, and its figures as words, a column each."""

    name: str
    category: bool
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """`note` says what the heads mean."""

    title: str
    note: str
    heads: tuple[str, ...]
    lines: tuple[Line, ...]


def tables(data: Data) -> list[Table]:
    """Three tables, a line a domain with its categories below it; none where there are no statistics."""
    rows = data.rows
    if not rows:
        return []
    return [_table(rows, *what) for what in (_INTERACTIONS, _HISTORIES, _ITEMS)]


_Column = Callable[[Row], str]


def _table(rows: Sequence[Row], title: str, note: str, columns: Mapping[str, _Column]) -> Table:
    lines = (
        Line(_name(row), bool(row["category"]), tuple(words(row) for words in columns.values()))
        for row in rows
    )
    return Table(title, note, tuple(columns), tuple(lines))


def _name(row: Row) -> str:
    return str(row["category"] or row["domain"])


def _share(part: float | None, whole: float = 1.0) -> str:
    return f"{100 * part / whole:.1f} %" if part is not None and whole else NONE


def _density(row: Row) -> str:
    return f"{100 * row['density']:.2g} %" if row["density"] else NONE


def _number(value: float | None) -> str:
    return NONE if value is None else f"{round(value):,}"


def _years(row: Row) -> str:
    first, last = (str(row[end])[:4] if row[end] else "" for end in ("first", "last"))
    return first if first == last else f"{first}–{last}"


def _quartiles(spread: Mapping[str, Any]) -> str:
    return " / ".join(_number(value) for value in spread["quartiles"])


def _top(percent: int) -> _Column:
    return lambda row: _share(row["popularity"]["top"][str(percent)])


def _with(name: str) -> _Column:
    return lambda row: _share(row["text"][name], row["items"])


def _gini(row: Row) -> str:
    value = row["popularity"]["gini"]
    return NONE if value is None else f"{value:.2f}"


_INTERACTIONS: tuple[str, str, dict[str, _Column]] = (
    "Interactions",
    "Valued: with stars, points, hours or the like. Repeated: of a user with an item that he or she had met before. "
    "Density: pairs of user and item that met, of all pairs.",
    {
        "items": lambda row: _number(row["items"]),
        "users": lambda row: _number(row["users"]),
        "interactions": lambda row: _number(row["interactions"]),
        "kinds": lambda row: ", ".join(row["kinds"]) or NONE,
        "liked": lambda row: _share(row["liked"], row["interactions"]),
        "valued": lambda row: _share(row["with_value"], row["interactions"]),
        "repeated": lambda row: _share(row["repeated"], row["interactions"]),
        "density": _density,
        "years": lambda row: _years(row) or NONE,
    },
)
_HISTORIES: tuple[str, str, dict[str, _Column]] = (
    "Histories",
    "How many interactions a user has: quartiles, what 90 and 99 % of the users do not exceed, the longest.",
    {
        "quartiles": lambda row: _quartiles(row["history"]["all"]),
        "90 %": lambda row: _number(row["history"]["all"]["p90"]),
        "99 %": lambda row: _number(row["history"]["all"]["p99"]),
        "longest": lambda row: _number(row["history"]["all"]["max"]),
        "liked: quartiles": lambda row: _quartiles(row["history"]["liked"]),
        "longest liked": lambda row: _number(row["history"]["liked"]["max"]),
    },
)
_ITEMS: tuple[str, str, dict[str, _Column]] = (
    "Items",
    "Met: items with an interaction. Top 1 %: share of the interactions that the most popular 1 % of these hold. "
    "Gini: 0 where all are equally popular, near 1 where few hold everything. Title: its mean length in characters.",
    {
        "met": lambda row: _share(row["items_seen"], row["items"]),
        "top 1 %": _top(1),
        "top 10 %": _top(10),
        "top 20 %": _top(20),
        "Gini": _gini,
        "described": _with("description"),
        "categories": _with("categories"),
        "year": _with("year"),
        "title": lambda row: f"{row['text']['title_length']:.0f}",
    },
)
