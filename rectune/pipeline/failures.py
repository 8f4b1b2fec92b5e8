"""Failure notes of processes, and which of them shows the cause.

When one process dies the others fail too, since their connections break. So every process writes a note, and
the one that is shown is bad input before a kill, a kill before a crash, and among equals the first.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from rectune.core.errors import UserError, WaitingForPeople

Kind = Literal["user", "waiting", "killed", "crash"]

_ORDER: tuple[Kind, ...] = ("waiting", "user", "killed", "crash")
_PREFIX = ".failed-"
_TAIL = 8  # last lines of a log that are shown
_TAIL_BYTES = 4096


@dataclass(frozen=True)
class Failure:
    """The error of one process, with the fields of `UserError`; `who` is a rank if there are many."""

    kind: Kind
    message: str
    where: str = ""
    hint: str = ""
    who: str = ""
    log: str = ""
    time: float = field(default_factory=time.time)


def failure_of(error: Exception, who: str = "", log: str = "") -> Failure:
    """The note of an exception."""
    if isinstance(error, UserError):
        kind: Kind = "waiting" if isinstance(error, WaitingForPeople) else "user"
        return Failure(kind, error.message, error.where, error.hint, who, log)
    return Failure("crash", f"{type(error).__name__}: {error}", who=who, log=log)


def leave_note(folder: Path, run: str, name: str, failure: Failure) -> None:
    """Write a process's note, unless it has one already: its first is more specific than its agent's.

    `run` is the token of the attempt, so that a late note is not read by a later attempt.
    """
    try:
        with (folder / f"{_PREFIX}{run}-{name}.json").open("x", encoding="utf-8") as file:
            json.dump(asdict(failure), file)
    except OSError:
        return  # it is there, or the disk is full: the exit status still says that it failed


def notes(folder: Path, run: str) -> list[Failure]:
    """All notes of an attempt, the cause first; incomplete ones are left out."""
    found = []
    for path in sorted(folder.glob(f"{_PREFIX}{run}-*.json")):
        try:
            found.append(Failure(**json.loads(path.read_text(encoding="utf-8"))))
        except (OSError, ValueError, TypeError):
            continue
    return sorted(found, key=lambda one: (_ORDER.index(one.kind), one.time))


def clear_traces(folder: Path, *names: str) -> None:
    """Remove these files and the notes of every attempt."""
    for path in (*(folder / name for name in names), *folder.glob(_PREFIX + "*.json")):
        path.unlink(missing_ok=True)


def last_lines(log: Path) -> str:
    """The last few lines of a log, indented; nothing where there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return ""
    lines = [line.rstrip()[:200] for line in text.splitlines() if line.strip()]
    shown = ("".join(sign for sign in line if sign.isprintable()) for line in lines[-_TAIL:])
    return "\n".join(f"    {line}" for line in shown)


def how_it_died(code: int) -> str:
    """An exit status as text."""
    if code == -9:
        return "killed (signal 9); out of memory, perhaps"
    return f"ended by signal {-code}" if code < 0 else f"ended with exit status {code} and no word why"
