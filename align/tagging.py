"""`rectune tag`: a person picks the best and the worst of the answers to every prompt, or the better of two
models.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rectune.align.assignment import REPEATS, assigned, in_order
from rectune.align.comparison import PairwiseComparison, win_rate_line
from rectune.align.prompt_view import make_prompt_views
from rectune.align.session import WORDS, AnnotationSession
from rectune.align.tagging_help import MOST_ANSWERS
from rectune.align.tags import TagStore
from rectune.align.tasks import ITEMS_FILE, AnnotationTask, load_tasks
from rectune.align.terminal import say
from rectune.core.errors import UserError
from rectune.core.extras import needs_extra


@dataclass(frozen=True, slots=True)
class TaggingOptions:
    """Who tags, where it is kept, and how it is shown.

    Attributes:
        store: the tag file, made when it is missing.
        annotator: under which name; the order of the answers follows from it.
        plain: line by line, for dumb terminals, screen readers and pipes; so it is too when there is no
            terminal.
        of: the annotators who share the prompts, this one among them; empty for one who does them all.
        overlap: the share of prompts that all of them get, 0 to 1.
        repeats: the share of prompts that come back, 0 to 1.
    """

    store: Path
    annotator: str
    plain: bool = False
    annotators: tuple[str, ...] = ()
    overlap: float = 0.0
    repeats: float = REPEATS


def tag(folders: Mapping[str, Path], sitting: TaggingOptions) -> int:
    """Tag until everything is done or the annotator leaves.

    Args:
        folders: what the stages `candidates`, `queries` and `data` made; the catalogue of the last gives the
            titles, and without it the instruction shows as it is.

    Returns:
        The exit status, 0: leaving early is no error.

    Raises:
        UserError: nothing to tag, a file is damaged, or the name cannot be used.
    """
    tasks = load_tasks(folders["candidates"], folders["queries"])
    if not tasks:
        hint = "raise data.preference and run: rectune run RECIPE --until candidates"
        raise UserError("there are no candidate answers to tag", where=str(folders["candidates"]), hint=hint)
    _sit(tasks, folders.get("data"), sitting)
    return 0


def compare(comparison: PairwiseComparison, data: Path | None, sitting: TaggingOptions) -> int:
    """Let a person judge two models blindly, then say which won how often.

    Args:
        duel: the answers of both.
        data: the folder of the stage `data`, for the titles.

    Returns:
        The exit status, 0: leaving early is no error.

    Raises:
        UserError: nothing to compare, the tag file is damaged, or the name cannot be used.
    """
    # Nothing comes back here: what is measured is the models.
    finished = _sit(comparison.tasks, data, replace(sitting, repeats=0.0)) if comparison.tasks else True
    with TagStore(sitting.store) as store:
        decisions = store.standing()
    if finished:
        say(win_rate_line(comparison, decisions))
    else:
        say("The win rate is told when all are judged, so that it cannot sway anybody.")
    return 0


def _sit(tasks: Sequence[AnnotationTask], data: Path | None, sitting: TaggingOptions) -> bool:
    """Let the annotator work through their share; True when all of it is done."""
    mine = (
        assigned(tasks, sitting.annotator, sitting.annotators, sitting.overlap)
        if sitting.annotators
        else tasks
    )
    if not mine:
        raise UserError(
            f"none of the {len(tasks)} prompts fell to {sitting.annotator}",
            hint="tag with fewer in --annotators",
        )
    plain = sitting.plain or not _terminal()
    most = max(len(task.answers) for task in mine)
    if most > MOST_ANSWERS and not plain:
        found = f"{most} answers a prompt are more than the {MOST_ANSWERS} the screen has keys for"
        raise UserError(found, hint="tag with --plain, or lower candidates.answers")
    requests = make_prompt_views(mine, data / ITEMS_FILE if data else None)
    with TagStore(sitting.store) as store:
        slots = in_order(mine, sitting.annotator, sitting.repeats)
        session = AnnotationSession(slots, store, sitting.annotator, requests)
        try:
            _work(session, plain)
            say(closing_line(session))
        except BrokenPipeError:
            # The reader has gone. Without this the interpreter complains when it flushes at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return session.finished


def closing_line(session: AnnotationSession) -> str:
    """What was decided so far, and where it is kept."""
    kinds = ", ".join(f"{count} {WORDS[kind]}" for kind, count in sorted(session.kinds.items()))
    what = f" ({kinds})" if kinds else ""
    return f"{session.done} of {len(session.slots)} prompts done{what}; kept in {session.store.path}"


@needs_extra("the tagging screen")
def _work(session: AnnotationSession, plain: bool) -> None:
    if plain:
        from rectune.align.tagging_plain import work
    else:
        from rectune.align.tagging_screen import work
    work(session)


def _terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
