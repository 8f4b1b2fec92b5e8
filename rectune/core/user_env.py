"""Who is at the keyboard, and where they live; containers run as people whom their system does not know."""

from __future__ import annotations

import getpass
import re
import unicodedata
from pathlib import Path

from rectune.core.errors import UserError

_SPACES = re.compile("  +")


def login_name() -> str:
    """The name that somebody logged in with.

    Raises:
        UserError: the system does not know it.
    """
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        hint = "say who is tagging: --annotator NAME"
        raise UserError("the system knows no name of this user", hint=hint) from None


def home_folder() -> Path:
    """The home folder.

    Raises:
        UserError: the system knows of none.
    """
    try:
        return Path.home()
    except RuntimeError:
        hint = "set HOME to a folder that you may write to"
        raise UserError("the system knows no home folder of this user", hint=hint) from None


def path_of(given: str) -> Path:
    """A path as it was typed, `~` resolved.

    Raises:
        UserError: `~` stands for a home folder that nobody knows.
    """
    try:
        return Path(given).expanduser()
    except RuntimeError:
        hint = "set HOME, or write the whole path"
        raise UserError("~ stands for a home folder that is not known", where=given, hint=hint) from None


def plain_name(name: str) -> str:
    """A person's name as it counts: Unicode NFC, without white space around it, each run of spaces within as
    one.
    """
    return _SPACES.sub(" ", unicodedata.normalize("NFC", name).strip())
