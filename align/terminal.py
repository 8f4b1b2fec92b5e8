"""How a line is written on a terminal."""

from __future__ import annotations

import io
import sys


def say(text: str) -> None:
    """A line for the annotator, whatever the terminal's encoding."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    print(text, flush=True)
