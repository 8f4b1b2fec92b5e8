"""`rectune tag`: a person picks the best and the worst of the answers to every prompt."""

from __future__ import annotations

import io
import os
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path

from align.session import Session
from align.tags import TagStore
from align.tasks import ITEMS_FILE, Task, load_tasks
from rectune.catalogue import load_catalogue
from rectune.errors import UserError

MOST_ANSWERS = 9  # that the screen can give a digit to

# Format characters that emoji and some scripts need and that move nothing on a terminal.
_HARMLESS = {"\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", "\u00ad"}


def tag(folders: Mapping[str, Path], store: Path, annotator: str, plain: bool) -> int:
    """Tag until everything is done or the annotator leaves.

    Args:
        folders: what the stages `candidates`, `queries` and `data` made; the catalogue of the last gives the
            title of the true next item, and without it its id is shown.
        store: the tag file, made when it is missing.
        annotator: under which name; the order of the answers follows from it.
        plain: line by line, for dumb terminals, screen readers and pipes; so it is too when there is no
            terminal.

    Returns:
        The exit status, 0: leaving early is no error.

    Raises:
        UserError: nothing to tag, a file is damaged, or the name cannot be used.
    """
    tasks = load_tasks(folders["candidates"], folders["queries"])
    plain = plain or not _terminal()
    _check(tasks, folders["candidates"], plain)
    with TagStore(store) as kept:
        session = Session(tasks, kept, annotator, _targets(tasks, folders.get("data")))
        if plain:
            from align.tagging_plain import work
        else:
            from align.tagging_screen import work
        try:
            work(session)
            say(f"{session.done} of {len(tasks)} prompts done ({session.skipped} skipped); kept in {store}")
        except BrokenPipeError:
            # The reader has gone. Without this the interpreter complains when it flushes at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def printable(text: str) -> str:
    """Untrusted text as a terminal may safely show it.

    Control characters become visible (escape is ␛), so no text can move the cursor, change colours or set the
    window's title; so do the marks that reverse the direction of writing. Line ends stay.
    """
    return "".join(map(_visible, text.replace("\r\n", "\n").replace("\t", "    ")))


def say(text: str) -> None:
    """A line for the annotator, whatever the terminal's encoding."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    print(text, flush=True)


def _visible(character: str) -> str:
    category = unicodedata.category(character)
    if character == "\n" or category not in ("Cc", "Cf", "Cs", "Zl", "Zp") or character in _HARMLESS:
        return character
    if category in ("Zl", "Zp"):
        return "\n"
    if ord(character) < 0x20:
        return chr(0x2400 + ord(character))  # the block of control pictures
    return "␡" if character == "\x7f" else f"<U+{ord(character):04X}>"


def _terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def _check(tasks: Sequence[Task], folder: Path, plain: bool) -> None:
    if not tasks:
        mend = "raise data.preference and run: rectune run RECIPE --until candidates"
        raise UserError("there are no candidate answers to tag", where=str(folder), mend=mend)
    most = max(len(task.answers) for task in tasks)
    if most > MOST_ANSWERS and not plain:
        raise UserError(
            f"{most} answers a prompt are more than the {MOST_ANSWERS} the screen has keys for",
            where=str(folder),
            mend="tag with --plain, or lower candidates.answers",
        )


def _targets(tasks: Sequence[Task], data: Path | None) -> dict[str, str]:
    """The title of each prompt's true next item."""
    if data is None:
        return {}
    catalogue = load_catalogue(data / ITEMS_FILE)
    prompts = [task.prompt for task in tasks]
    return {
        p.id: catalogue.items[p.domain, p.target].title
        for p in prompts
        if (p.domain, p.target) in catalogue.items
    }
