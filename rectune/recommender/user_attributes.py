"""What users state of themselves: checked, read from tables, and what of it a ranker learnt."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import date
from decimal import Decimal
from numbers import Integral, Real
from typing import Any

import numpy as np

from rectune.core.errors import UserError
from rectune.core.progress import say
from rectune.core.text.plain import printable
from rectune.rankers.base import Attributes
from rectune.rankers.side_features import attribute_names
from rectune.readers import table
from rectune.readers.cells import MISSING
from rectune.readers.columns import INTERACTION_NAMES, find_columns
from rectune.readers.drops import Drops, left_out_lines
from rectune.readers.file_format import FileFormat
from rectune.recommender.tables import as_file, id_text, is_empty

_NOTHING = MISSING | {"", "NA", "N/A"}
_HINT = 'give names with texts or numbers, as {"gender": "female", "age": 34}'
_NO_DATE = "give the year, or the age"
_DATE = re.compile(r"\s*\d{4}([-/.])\d{1,2}\1\d{1,2}(?!\d)")


def checked_attributes(stated: Any) -> dict[str, object]:
    """What a user states, by name, without what is empty.

    Args:
        stated: a mapping, or one as a JSON object; None or an empty text for nothing.

    Raises:
        UserError: it is none, or a value is neither a text nor a number, as a date.
    """
    if isinstance(stated, str) and stated.strip():
        try:
            stated = json.loads(stated)
        except ValueError:
            raise UserError(f"attributes of a user that are no JSON: {stated[:60]}", hint=_HINT) from None
    if stated is None or stated == "":
        return {}
    if not isinstance(stated, Mapping):
        raise UserError("attributes of a user that are no mapping", hint=_HINT)
    return {str(name): _checked(name, value) for name, value in stated.items() if not _is_missing(value)}


def _checked(name: object, value: object) -> str | int | float:
    """A value as JSON has it."""
    if isinstance(value, (str, int, float)):
        return value
    if isinstance(value, (Integral, np.bool_)):
        return int(value) if isinstance(value, Integral) else bool(value)
    if isinstance(value, (Real, Decimal)):
        return float(value)
    if isinstance(value, date):
        raise UserError(f"the attribute {name} is a date: {value}", hint=f"{_NO_DATE}, or leave it out")
    raise UserError(f"the attribute {name} is neither a text nor a number", hint=_HINT)


def known_attributes(stated: Attributes, known: Collection[str]) -> tuple[dict[str, object], tuple[str, ...]]:
    """What a ranker learnt something of, and the rest as `name: value`.

    Args:
        stated: what a user states.
        known: see `Ranker.attributes_known`.
    """
    kept = dict[str, object]()
    unknown = list[str]()
    for name, value in stated.items():
        said = attribute_names({name: value})
        if any(one in known for one in said):
            kept[name] = value
        else:
            unknown += said
    return kept, tuple(unknown)


def read_attributes(
    users: Any, known: Collection[str], columns: Mapping[str, str] | None = None
) -> dict[str, dict[str, object]]:
    """What users state, by user, of those who are known; of the others it is said how many there are.

    Args:
        users: user -> attributes; or a file or frame with a column of users, whose other columns are what
            they state.
        known: the users who liked something.
        columns: `user_id` -> the column of users, where the guess would be another and the table has it.

    Raises:
        UserError: the table cannot be read, has no column of users, or states something of nobody who is
            known; see `checked_attributes` too.
    """
    column = ""
    if isinstance(users, Mapping):
        rows = [(id_text(user), checked_attributes(stated)) for user, stated in users.items()]
    else:
        rows, column = _rows(users, (columns or {}).get("user_id", ""))
    found = dict(rows)
    stated = {user: own for user, own in found.items() if own and user in known}
    names = dict.fromkeys(name for own in stated.values() for name in own)
    strange = sum(user not in known for user in found)
    if found and strange == len(found):
        raise UserError(
            f"none of {len(found):,} users liked anything, as {next(iter(found))!r}",
            where=f"users, column {printable(column)}" if column else "users",
            hint='name them as the interactions do; or their column: columns={"user_id": …}',
        )
    more = [f"left out: {strange:,} who liked nothing"] if strange else []
    by_tens, dates = _names_of(stated, _is_number), _names_of(stated, _is_date)
    more += [f"numbers count by tens: {by_tens}"] if by_tens else []
    more += [f"dates are learnt from where two users have the same one: {dates}; {_NO_DATE}"] if dates else []
    if twice := len(rows) - len(found):
        more.append(f"{twice:,} rows of users who come again: the last one counts")
    said = f"users: {len(stated):,} of {len(known):,} state something: {', '.join(names) or 'nothing'}"
    say("; ".join([said, *more, *([f"users are the column {printable(column)}"] if column else [])]))
    return stated


def _names_of(stated: Mapping[str, Attributes], test: Callable[[object], bool]) -> str:
    """The names under which somebody states what passes the test."""
    names = (name for own in stated.values() for name, value in own.items() if test(value))
    return ", ".join(dict.fromkeys(names))


def _is_number(value: object) -> bool:
    return attribute_names({"": value}) != [f": {value}"]


def _is_date(value: object) -> bool:
    return isinstance(value, str) and bool(_DATE.match(value))


def say_unlearnt(stated: Mapping[str, Attributes], known: Collection[str]) -> None:
    """Say which names a ranker learnt nothing of, though users state them: no two of them the same.

    Args:
        stated: what train users state, by user.
        known: see `Ranker.attributes_known`.
    """
    names = dict.fromkeys(name for own in stated.values() for name in own)
    learnt = {name for own in stated.values() for name in known_attributes(own, known)[0]}
    if lone := [name for name in names if name not in learnt]:
        say(f"nothing is learnt from {', '.join(lone)}: no two users state the same there")


def say_unknown(unknown: Iterable[Collection[str]]) -> None:
    """Say what was stated in many requests and is not known to what ranks (`unknown`, of each), how often."""
    counts = Counter(one for some in unknown for one in some)
    if counts:
        told = ", ".join(f"{one} ({count:,})" for one, count in counts.most_common(5))
        more = f", and {len(counts) - 5:,} others" if len(counts) > 5 else ""
        say(f"stated, not known to what ranks, and left out: {told}{more}")


def _rows(users: Any, column: str) -> tuple[list[tuple[str, dict[str, object]]], str]:
    """User and attributes of every row of a table, and which of its columns has the users."""
    drops, written = Drops(), FileFormat()
    with as_file(users) as path:
        there = table.columns(path, written)
        names = {"user_id": INTERACTION_NAMES["user_id"]}
        mapped = {"user_id": column} if column in there else {}
        column = find_columns(path, there, names, mapped, ("user_id",)).taken["user_id"]
        rows = list(table.rows(path, there, drops, written))
    if left_out := left_out_lines(drops):
        say("\n".join(left_out))
    stated = [(row.pop(column), row) for row in rows]
    if nobody := sum(is_empty(user) for user, _ in stated):
        say(f"left out: {nobody:,} rows without a user")
    return [(id_text(user), checked_attributes(row)) for user, row in stated if not is_empty(user)], column


def _is_missing(value: object) -> bool:
    """Whether somebody states nothing: an empty cell, or what programs write for one ("NULL", "nan")."""
    return value is None or str(value).strip() in _NOTHING
