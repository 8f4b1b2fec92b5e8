"""Tagging line by line: for dumb terminals, screen readers and pipes."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable

from rectune.align.prompt_view import overview
from rectune.align.session import WORDS, AnnotationSession, progress_line
from rectune.align.tagging_help import HANGUL, plain_help
from rectune.align.terminal import say
from rectune.core.errors import UserError
from rectune.core.text.plain import printable

_ENDLESS = 1 << 30  # lines: every title has its own


class _Quit(Exception):
    """The annotator leaves, or the input has ended."""


def work(session: AnnotationSession) -> None:
    """Prompt until the annotator quits or the input ends; decisions can still be undone or replaced.

    Raises:
        UserError: a decision could not be written, and there is no terminal to try again.
    """
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")
    say(plain_help(session))
    try:
        while True:
            _show(session)
            _ask(session)
    except (_Quit, KeyboardInterrupt):
        say("")


def _show(session: AnnotationSession) -> None:
    prompt = session.task.prompt
    flag = " · FLAGGED" if session.flagged else ""
    place = f"{session.place + 1} of {len(session.slots)}{flag}"
    say(f"\n=== {place} · {printable(prompt.domain)} · {progress_line(session)}")
    say(overview(session.request, 80, _ENDLESS))
    for number, answer in enumerate(session.answers, start=1):
        say(f"\n--- {number}\n{printable(answer).strip()}")
    if session.note:
        say(f"\nComment: {printable(session.note)}")
    if session.choice:
        say(f"\n(decided before: {_decided(session)}; a new choice replaces it)")
    if session.finished:
        say("\nAll requests are done. q quits, u undoes the last decision.")


def _decided(session: AnnotationSession) -> str:
    choice = session.choice
    if choice is None or isinstance(choice, str):
        return WORDS[choice or "skip"]
    better = f"{choice.best + 1} is better"
    return better if session.compares else f"best {choice.best + 1}, worst {choice.worst + 1}"


def _ask(session: AnnotationSession) -> None:
    """Read lines until one of them leads to another prompt (or to this one again)."""
    while True:
        say("\nbetter?" if session.compares else "\nbest worst?")
        line = _line()
        try:
            if _obey(session, line):
                return
        except UserError as error:
            if not sys.stdin.isatty():
                raise
            say(str(error))


def _line() -> str:
    line = sys.stdin.readline()
    if not line:
        raise _Quit
    return line.strip()


def _obey(session: AnnotationSession, line: str) -> bool:
    """Execute a line; True if a prompt is to be shown."""
    letter, _, rest = line.partition(" ")
    letter = HANGUL.get(letter, letter.lower())
    if letter == "c":
        session.write_note(rest)
        return _tell("Comment kept." if rest.strip() else "No comment.")
    if letter == "j":
        return _jump(session, rest.strip())
    command = _commands(session).get(letter) if not rest else None
    if command:
        return command()
    words = [word for word in re.split(r"[\s,]+", line) if word]
    if fault := _fault(session, words):
        return _tell(fault)
    first = int(words[0]) - 1
    session.decide(first, 1 - first if session.compares else int(words[1]) - 1)
    return True


def _jump(session: AnnotationSession, number: str) -> bool:
    try:
        session.jump(number)
    except UserError as error:
        return _tell(str(error))
    return True


def _commands(session: AnnotationSession) -> dict[str, Callable[[], bool]]:
    """The command of each letter; True if a prompt is to be shown."""

    def shown(action: Callable[[], object]) -> Callable[[], bool]:
        return lambda: action() is None

    def told(text: Callable[[], str]) -> Callable[[], bool]:
        return lambda: _tell(text())

    def or_else(action: Callable[[], bool], text: str) -> Callable[[], bool]:
        return lambda: action() or _tell(text)

    def leave() -> bool:
        raise _Quit

    return {
        "s": shown(lambda: session.settle("skip")),
        "e": shown(lambda: session.settle("tie")),
        "x": shown(lambda: session.settle("bad")),
        "n": shown(lambda: session.go(session.place + 1)),
        "p": shown(lambda: session.go(session.place - 1)),
        "r": shown(lambda: None),
        "u": or_else(session.undo, "There is nothing to undo."),
        "g": or_else(session.go_to_open, "No other is open."),
        "v": or_else(session.go_to_flagged, "None is flagged: f flags."),
        "f": told(lambda: _flag(session)),
        "t": told(lambda: f"Really taken next: {session.request.target}"),
        "i": told(lambda: session.request.instruction),
        "?": told(lambda: plain_help(session)),
        "q": leave,
    }


def _tell(text: str) -> bool:
    say(text)
    return False


def _flag(session: AnnotationSession) -> str:
    session.flag()
    return "Flagged." if session.flagged else "No flag."


def _fault(session: AnnotationSession, words: list[str]) -> str:
    """What is wrong with the numbers as typed; empty when nothing is."""
    answers, wanted = len(session.answers), 1 if session.compares else 2
    if len(words) != wanted or not all(_is_number(word) for word in words):
        example = (
            "one number (the better answer)"
            if wanted == 1
            else 'two numbers such as "3 1" (best, then worst)'
        )
        return f"Wanted: {example}, or one of e x s u c f t i n p g v j r ? q."
    places = [int(word) for word in words]
    if not all(1 <= place <= answers for place in places):
        return f"The answers are numbered 1 to {answers}."
    return "Best and worst must be two different answers." if len(set(places)) < wanted else ""


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdigit() and len(word) < 10
