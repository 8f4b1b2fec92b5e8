"""How a line is written on a terminal."""

from __future__ import annotations

import io
import sys

from rectune.core.std_streams import UNSHOWN


def say(text: str) -> None:
    """A line for the annotator, whatever the terminal's encoding."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors=UNSHOWN)
    print(text, flush=True)
