"""Errors that are meant for people: what was found, where, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from rectune.core.package_data import CONSTRAINTS, WITH_SET_UP


class RectuneError(Exception):
    """Base of every error that rectune raises on purpose."""


class UserError(RectuneError):
    """Bad input or a missing piece that the user can correct.

    The command line prints it without a traceback and exits with 2.

    Args:
        message: what is wrong, in one sentence ("threshold is 'abc', not a number").
        where: the file (and line or key) it was found in; empty when there is none.
        hint: what to do about it.
    """

    def __init__(self, message: str, *, where: str = "", hint: str = "") -> None:
        self.message, self.where, self.hint = message, where, hint
        super().__init__(message, where, hint)

    def __reduce__(self) -> tuple[Callable[..., UserError], tuple[str]]:
        """So that it comes whole from another process."""
        return partial(UserError, where=self.where, hint=self.hint), (self.message,)

    def __str__(self) -> str:
        lead = f"{self.where}: {self.message}" if self.where else self.message
        return f"{lead}\n  {self.hint}" if self.hint else lead


class WaitingForPeople(UserError):
    """The pipeline cannot go on before a person has done something (tagged answers, say)."""


class MissingExtra(UserError):
    """Optional packages are needed and not installed.

    Args:
        extra: the extra of this package that brings them, as `llm`.
        needed_for: the subject of the sentence, as "embedding".
    """

    def __init__(self, extra: str, needed_for: str) -> None:
        self.extra = extra
        says = f"{needed_for} needs the extra {extra}, which is not installed"
        super().__init__(says, hint=how_to_install(extra))


def how_to_install(extra: str) -> str:
    """What to type for the packages of an extra."""
    command = f"pip install 'rectune[{extra}]'"
    if not CONSTRAINTS.is_file():
        return command
    by_hand = f".venv/bin/pip install -c constraints.txt -e '.[{extra}]'"
    return f"{command}; in a checkout: {'make setup' if extra in WITH_SET_UP else by_hand}"


def first_line(problem: BaseException) -> str:
    """The first line of an exception's message, at most 200 characters; its class name where it is empty."""
    return (str(problem).strip() or type(problem).__name__).splitlines()[0][:200]
