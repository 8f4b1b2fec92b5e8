"""What a cell of somebody's table holds, as text or number, however it was written. Nothing is ever
evaluated.
"""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from rectune.readers.text import clean_text

# What programs write for no value; nobody is called so. Of ids a few more words are none.
MISSING = frozenset(("nan", "NaN", "NAN", "<NA>", "NaT", "\\N", "NULL", "#N/A"))
_NO_ID = MISSING | {"None", "null", "undefined", "none"}
_NAMES = ("name", "title", "label", "text", "value")  # of an object, the key whose value is its name
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:[-_][A-Za-z]{2,4})?")
_BITS = 4096  # of the longest whole number that is read
_DEEPEST = 20  # lists within lists
_LITERAL = 1 << 20  # characters of the longest cell that is looked into
_MAY_SPELL = frozenset("[{b \t\n")  # what such a text begins with
_CLOSED_BY = {"[": "]", "{": "}"}


def text(value: Any, joint: str = ", ") -> str | None:
    """A published value as text; None where it is missing or says nothing.

    Lone surrogates (UTF-8 cannot hold them) become `?`, bytes are UTF-8, whole numbers have no fraction,
    lists are joined by `joint`, and of an object its name or title is taken (of one text a language: the
    English one).
    """
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, (int, float, Decimal)):
        return _digits(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        with suppress(UnicodeDecodeError):
            return bytes(value).decode("utf-8")
        return None
    if isinstance(value, Mapping):
        return text(_named(value), joint)
    if isinstance(value, (list, tuple, set, frozenset)):
        return joint.join(texts(value)) or None
    return str(value) if isinstance(value, (date, time, timedelta, UUID)) else None


def texts(value: Any, depth: int = 0) -> list[str]:
    """A published list of texts, however it was written: nested, one text, a literal inside a text, objects,
    null.
    """
    if isinstance(value, str) and value[:1] == "[":
        with suppress(ValueError):
            value = parse(value)
    if isinstance(value, (list, tuple, set, frozenset)):
        if depth > _DEEPEST:
            return []
        parts = (
            texts(part, depth + 1) if isinstance(part, (list, tuple)) else [text(part)] for part in value
        )
        return [part for some in parts for part in some if part]
    single = text(value)
    return [single] if single else []


def looked_into(value: Any) -> Any:
    """The value that a text spells as JSON or as a Python literal: a list or object with texts, or bytes."""
    if not isinstance(value, str) or value[:1] not in _MAY_SPELL:
        return value
    spelt = value.strip()
    if not spelt or len(spelt) > _LITERAL:
        return value
    if spelt[0] == "b" and spelt[1:2] in ("'", '"') and spelt[-1] == spelt[1] and len(spelt) > 2:
        found = _parsed(spelt)
        return found if isinstance(found, bytes) else value
    if _CLOSED_BY.get(spelt[0]) == spelt[-1]:
        found = _parsed(spelt)
        if isinstance(found, (list, dict)) and _holds_text(found):
            return found
    return value


def cell(value: Any, joint: str = ", ") -> str:
    """A cell as clean text on one line; empty where it is missing."""
    found = clean_text(text(looked_into(value), joint))
    return "" if found in MISSING else found


_EXACT = 2.0**53  # up to here a float holds every whole number


def identity(value: Any) -> str:
    """A cell as an id: a whole number has no fraction; empty where it is missing.

    A float too large to hold every whole number comes with its exponent, as spreadsheets write such ids.
    """
    if isinstance(value, float) and math.isfinite(value) and abs(value) > _EXACT:
        return f"{value:.6E}"
    found = (text(looked_into(value)) or "").strip()
    head, dot, zeros = found.partition(".")
    if dot and zeros and not zeros.strip("0") and head.lstrip("-").isdecimal():
        found = head
    return "" if found in _NO_ID else found


def is_missing_id(name: str) -> bool:
    """Whether a text stands for no id."""
    return not name or name in _NO_ID


def missing_ids() -> list[str]:
    """The texts that stand for no id."""
    return ["", *sorted(_NO_ID)]


def number(value: Any) -> float | None:
    """A published number, or a number in quotes (with a decimal comma before one or two digits); None for
    anything else.
    """
    if isinstance(value, Mapping):
        value = _named(value)
    if isinstance(value, bool) or not isinstance(value, (int, float, str, Decimal)):
        return None
    if isinstance(value, str) and "," in value:
        value = re.sub(r"^(\s*[+-]?\d+),(\d{1,2}\s*)$", r"\1.\2", value)
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def whole(value: Any) -> int | None:
    """A published number without its fraction; None for anything else, or beyond 64 bits."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value if -(2**63) <= value < 2**63 else None
    found = number(value)
    return None if found is None or abs(found) >= 2**63 else int(found)


def parse(line: str) -> Any:
    """A JSON value or a Python literal; nothing is ever evaluated.

    Raises:
        ValueError: it is neither.
    """
    with suppress(ValueError, RecursionError):
        return json.loads(line)
    try:
        return ast.literal_eval(line.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        raise ValueError("neither JSON nor a Python literal") from None


def _parsed(spelt: str) -> Any:
    try:
        return parse(spelt)
    except ValueError:
        return None


def _digits(value: float | Decimal) -> str | None:
    if isinstance(value, int):
        return str(value) if value.bit_length() < _BITS else None
    if not math.isfinite(value):
        return None
    whole_part = int(value)
    if value == whole_part and abs(whole_part) < 10**18:
        return str(whole_part)
    return f"{value:f}".rstrip("0") if isinstance(value, Decimal) else repr(value)


def _named(given: Mapping[Any, Any]) -> Any:
    """What an object is called; None where nothing says so."""
    keys = [str(key) for key in given]
    if len(keys) == 1 and keys[0].startswith("$"):  # as MongoDB exports ids, numbers and times
        return _inner(next(iter(given.values())))
    for name in _NAMES:
        if name in given:
            return _inner(given[name])
    if keys and all(map(_LANGUAGE.fullmatch, keys)) and all(isinstance(each, str) for each in given.values()):
        return (
            given.get("en")
            or next((given[key] for key in given if str(key).startswith("en")), None)
            or next((each for each in given.values() if each), None)
        )
    return None


def _inner(value: Any) -> Any:
    """A value within an object, if it is none of nested ones."""
    return (
        None if isinstance(value, Mapping) and not any(str(key).startswith("$") for key in value) else value
    )


def _holds_text(found: Any, depth: int = 0) -> bool:
    parts = found.values() if isinstance(found, dict) else found
    return depth <= _DEEPEST and any(
        isinstance(part, str) or (isinstance(part, (list, dict)) and _holds_text(part, depth + 1))
        for part in parts
    )
