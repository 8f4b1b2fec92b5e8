"""Tagging line by line: for dumb terminals, screen readers and pipes."""

from __future__ import annotations

import io
import re
import sys

from align.session import Session, progress_line
from align.tagging import printable, say

PLAIN_HELP = """\
Answer with two numbers: the best answer, then the worst, as in "3 1". Or with one letter:
s skip (counts as done), u undo the last decision, t what the person really took next,
n next, p previous, r read the request again, ? this help, q quit. Everything decided is saved at once.\
"""


class _Quit(Exception):
    """The annotator leaves, or the input has ended."""


def work(session: Session) -> None:
    """Ask until the annotator quits or the input ends; what is done can still be undone or replaced."""
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")
    say(PLAIN_HELP)
    try:
        while True:
            _show(session)
            _ask(session)
    except (_Quit, KeyboardInterrupt):
        say("")


def _show(session: Session) -> None:
    prompt = session.task.prompt
    place = f"{session.place + 1} of {len(session.tasks)}"
    say(f"\n=== {place} · {printable(prompt.domain)} · {progress_line(session)}")
    if prompt.system:
        say(f"[{printable(prompt.system).strip()}]")
    say(printable(prompt.instruction).strip())
    for number, answer in enumerate(session.answers, start=1):
        say(f"\n--- {number}\n{printable(answer).strip()}")
    if choice := session.choice:
        kept = "skipped" if choice == "skip" else f"best {choice.best + 1}, worst {choice.worst + 1}"
        say(f"\n(decided before: {kept}; a new choice replaces it)")
    if session.finished:
        say("\nAll requests are done. q quits, u undoes the last decision.")


def _ask(session: Session) -> None:
    """Read lines until one of them leads to another prompt (or this one once more)."""
    while True:
        say("\nbest worst?")
        words = [word for word in re.split(r"[\s,]+", _line()) if word]
        if len(words) == 1 and words[0].lower() in "sunprtq?":
            if _command(session, words[0].lower()):
                return
        elif fault := _fault(words, len(session.answers)):
            say(fault)
        else:
            session.decide(int(words[0]) - 1, int(words[1]) - 1)
            return


def _line() -> str:
    line = sys.stdin.readline()
    if not line:
        raise _Quit
    return line


def _command(session: Session, letter: str) -> bool:
    """Do what the letter says; True when a prompt is to be shown."""
    if letter == "q":
        raise _Quit
    if letter in "?t":
        say(PLAIN_HELP if letter == "?" else f"Really taken next: {printable(session.target)}")
        return False
    if letter == "s":
        session.skip()
    elif letter in "np":
        session.go(session.place + (1 if letter == "n" else -1))
    elif letter == "u" and not session.undo():
        say("There is nothing to undo.")
        return False
    return True


def _fault(words: list[str], answers: int) -> str:
    """What is wrong with two numbers as typed; empty when nothing is."""
    if len(words) != 2 or not all(word.isascii() and word.isdigit() for word in words):
        return 'Wanted: two numbers such as "3 1" (best, then worst), or one of s u t n p r ? q.'
    best, worst = (int(word) for word in words)
    if not 1 <= best <= answers or not 1 <= worst <= answers:
        return f"The answers are numbered 1 to {answers}."
    return "Best and worst must be two different answers." if best == worst else ""
