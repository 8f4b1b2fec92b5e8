"""Arguments of the wrong type, refused where they are given and not where they are first used."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from numbers import Integral, Real

import numpy as np

from rectune.core.errors import UserError

_SHOWN = 60  # characters of a value that an error repeats


def refuse(name: str, value: object, expected: str) -> UserError:
    """The error for an argument that is something else than is expected."""
    said = repr(value)
    if len(said) > _SHOWN or "\n" in said:
        said = f"of the type {type(value).__name__}"
    return UserError(f"{name} is {said}", hint=f"give {expected}")


def check_number(name: str, value: object, expected: str = "a number") -> None:
    """Refuse what is no finite number.

    Raises:
        UserError: it is none.
    """
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Real) or not math.isfinite(value):
        raise refuse(name, value, expected)


def check_whole(name: str, value: object, expected: str = "a whole number") -> None:
    """Refuse what is no whole number.

    Raises:
        UserError: it is none.
    """
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Integral):
        raise refuse(name, value, expected)


def check_is(name: str, value: object, kinds: type | tuple[type, ...], expected: str) -> None:
    """Refuse what is of none of these types.

    Raises:
        UserError: it is of another.
    """
    if not isinstance(value, kinds):
        raise refuse(name, value, expected)


def check_names(name: str, value: object, expected: str) -> None:
    """Refuse what maps anything else than texts to texts.

    Raises:
        UserError: it does, or is no mapping.
    """
    if not isinstance(value, Mapping):
        raise refuse(name, value, expected)
    if odd := [one for pair in value.items() for one in pair if not isinstance(one, str)]:
        raise UserError(f"{name} holds {odd[0]!r}, which is no text", hint=f"give {expected}")


def check_ids(name: str, value: object) -> None:
    """Refuse what is no collection of ids; one text is none.

    Raises:
        UserError: it is none.
    """
    if isinstance(value, str):
        raise UserError(f"{name} is one text", hint="give a list of ids")
    check_is(name, value, Collection, "a list of ids")
