"""Standard streams that no text and no closed descriptor can break, and that say which of them takes nothing
more.
"""

from __future__ import annotations

import codecs
import io
import json
import os
import sys
from typing import Any

UNSHOWN = "rectune.unshown"  # how characters are shown that a terminal's encoding lacks, see `_unshown`
# Signs of our own tables and charts, each with what is shown for it; others are written out.
_PLAIN = (
    dict(zip("▁▂▃▄▅▆▇█", "1234567#", strict=True))
    | dict.fromkeys("▏▎▍▌▋▊▉", "#")
    | {"░": "x", "─": "-", "–": "-", "…": "...", "·": ".", "⟪": "<", "⟫": ">", "⟦": "[", "⟧": "]", "␛": "^"}
)


def _unshown(problem: UnicodeError) -> tuple[str | bytes, int]:
    """A handler of encoding errors: one of `_PLAIN`, or the character's code as `\\U0001f389`."""
    if isinstance(problem, UnicodeEncodeError):
        sign = problem.object[problem.start]
        if sign in _PLAIN:
            return _PLAIN[sign], problem.start + 1
        problem.end = problem.start + 1
    return codecs.backslashreplace_errors(problem)


codecs.register_error(UNSHOWN, _unshown)


class _Output(io.FileIO):
    """A standard stream whose errors bear its name, as those of files do."""

    def __init__(self, number: int, called: str) -> None:
        super().__init__(number, "w", closefd=False)
        self._called = called

    def write(self, content: Any) -> int:
        """Write what there is."""
        try:
            return super().write(content) or 0
        except OSError as problem:
            problem.filename = self._called
            raise


def prepare_streams() -> None:
    """Make standard output and error take any text, and open what the caller closed, as /dev/null.

    A closed descriptor would be given to the next file that is opened, and every print would go there.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free
    sys.stdin = sys.stdin or open(0, closefd=False)  # noqa: SIM115 (stays open)
    sys.stdout = _outgoing(1, "standard output", sys.stdout)
    sys.stderr = _outgoing(2, "standard error", sys.stderr)


def _outgoing(number: int, called: str, before: Any) -> io.TextIOWrapper:
    encoding = before.encoding if before else "utf-8"
    lines = number == 2 or os.isatty(number)
    buffer = io.BufferedWriter(_Output(number, called))
    return io.TextIOWrapper(buffer, encoding, UNSHOWN, line_buffering=lines)


def flush_streams() -> OSError | None:
    """Write out what waits; the error where that fails. What could not be written is given up then."""
    failed = None
    for number, stream in ((1, sys.stdout), (2, sys.stderr)):
        try:
            stream.flush()
        except OSError as problem:
            failed = failed or problem
            os.dup2(os.open(os.devnull, os.O_WRONLY), number)  # or the interpreter complains when it ends
    return failed


def json_line(value: Any) -> str:
    """JSON on one line for standard output: characters as they are where its encoding has them all, else
    escaped.
    """
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(value)
    return text
