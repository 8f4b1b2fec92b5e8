"""Text on a terminal: what an untrusted text may do there, and how a line is written."""

from __future__ import annotations

import io
import sys
import unicodedata

# Format characters that emoji and some scripts need and that move nothing on a terminal.
_HARMLESS = {"\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", "\u00ad"}


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
