"""`rectune tag`: a person picks best and worst of each prompt's answers, or the better of two models."""

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
from rectune.core.user_env import plain_name


@dataclass(frozen=True, slots=True)
class TaggingOptions:
    """Options of a tagging session.

    Attributes:
        store: the tag file, created if it is missing.
        annotator: the name of the annotator, on which the order of the answers depends.
        plain: line by line, for dumb terminals, screen readers and pipes; always so without a terminal.
        annotators: those who share the prompts, this one among them; empty for one who does them all.
        overlap: the share of prompts that all of them get, 0 to 1.
        repeats: the share of prompts that are repeated, 0 to 1.
    """

    store: Path
    annotator: str
    plain: bool = False
    annotators: tuple[str, ...] = ()
    overlap: float = 0.0
    repeats: float = REPEATS

    def __post_init__(self) -> None:
        """Names count as `plain_name` has them."""
        object.__setattr__(self, "annotator", plain_name(self.annotator))
        object.__setattr__(self, "annotators", tuple(map(plain_name, self.annotators)))


def tag(folders: Mapping[str, Path], options: TaggingOptions) -> int:
    """Tag until everything is done or the annotator leaves.

    Args:
        folders: of the stages `candidates`, `queries` and `data`; the catalogue of the last gives the titles,
            and without it the instruction is shown as it is.

    Returns:
        The exit status, 0: leaving early is no error.

    Raises:
        UserError: nothing to tag, a file is damaged, or the name is invalid.
    """
    tasks = load_tasks(folders["candidates"], folders["queries"])
    if not tasks:
        hint = "raise data.preference and run: rectune run RECIPE --until candidates"
        raise UserError("there are no candidate answers to tag", where=str(folders["candidates"]), hint=hint)
    _sit(tasks, folders.get("data"), options)
    return 0


def compare(comparison: PairwiseComparison, data: Path | None, options: TaggingOptions) -> int:
    """Let a person compare two models blindly, then print the win rate.

    Args:
        comparison: the answers of both.
        data: the folder of the stage `data`, for the titles.

    Returns:
        The exit status, 0: leaving early is no error.

    Raises:
        UserError: nothing to compare, the tag file is damaged, or the name cannot be used.
    """
    # Nothing is repeated here: the models are measured, not the annotator.
    finished = _sit(comparison.tasks, data, replace(options, repeats=0.0)) if comparison.tasks else True
    with TagStore(options.store) as store:
        decisions = store.standing()
    if finished:
        say(win_rate_line(comparison, decisions))
    else:
        say("The win rate is told when all are judged, so that it cannot sway anybody.")
    return 0


def _sit(tasks: Sequence[AnnotationTask], data: Path | None, options: TaggingOptions) -> bool:
    """Let the annotator go through their tasks; True when all are done."""
    mine = (
        assigned(tasks, options.annotator, options.annotators, options.overlap)
        if options.annotators
        else tasks
    )
    if not mine:
        raise UserError(
            f"none of the {len(tasks)} prompts fell to {options.annotator}",
            hint="tag with fewer in --annotators",
        )
    plain = options.plain or not _terminal()
    most = max(len(task.answers) for task in mine)
    if most > MOST_ANSWERS and not plain:
        found = f"{most} answers a prompt are more than the {MOST_ANSWERS} the screen has keys for"
        raise UserError(found, hint="tag with --plain, or lower candidates.answers")
    requests = make_prompt_views(mine, data / ITEMS_FILE if data else None)
    with TagStore(options.store) as store:
        slots = in_order(mine, options.annotator, options.repeats)
        session = AnnotationSession(slots, store, options.annotator, requests)
        try:
            _work(session, plain)
            say(closing_line(session))
        except BrokenPipeError:
            # The pipe is closed. Without this the interpreter reports an error when it flushes at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return session.finished


def closing_line(session: AnnotationSession) -> str:
    """The decisions so far, and where they are stored."""
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
