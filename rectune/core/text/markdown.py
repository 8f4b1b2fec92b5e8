"""Untrusted text in Markdown: titles, answers and reasons as plain words."""

from __future__ import annotations

import html
import re
from typing import Any

from rectune.core.text.plain import printable

# Signs that may begin markup anywhere. Two can begin none and stay readable: a_b, and [0.1, 0.3] by itself.
_READABLE = r"(?<=[A-Za-z0-9])_(?=[A-Za-z0-9])|\[[-+]?[\d.]+, [-+]?[\d.]+\](?![\[(:])"
_SIGNS = re.compile(rf"({_READABLE})|([\\`*_{{}}\[\]#|~$])")
_LEADING = re.compile(r"^[-+=:](?=[-=\s]|$)")  # bullets, rules, underlines of headings
_NUMBERED = re.compile(r"^(\d{1,9})([.)])(?=\s|$)")
_LINK = re.compile(r"https?://[\w.~:/?#@!$&'()*+,;=%-]+", re.ASCII)
_ADDRESS = re.compile(r"(?i)\b(https?|ftp|www)([:.])")


def escaped(value: Any) -> str:
    """Untrusted text as plain words on one line of Markdown: no markup, no HTML, no end of a table cell.

    Control characters become spaces. A zero-width space keeps bare addresses from becoming links.
    """
    text = " ".join(printable(str(value)).split())
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = _SIGNS.sub(lambda found: found[1] or f"\\{found[2]}", text)
    text = _NUMBERED.sub(r"\1\\\2", _LEADING.sub(r"\\\g<0>", text))
    return _ADDRESS.sub(r"\1&#8203;\2", text)


def html_text(value: Any) -> str:
    """Untrusted text as words on one line inside an HTML element; bare addresses become no links."""
    return _ADDRESS.sub(r"\1&#8203;\2", html.escape(" ".join(printable(str(value)).split())))


def block_quote(value: Any) -> str:
    """Untrusted text as a Markdown block quote that keeps its lines."""
    return "\n".join(f"> {escaped(line)}  " for line in str(value).splitlines() or [""])


def link(address: str) -> str:
    """An address as a link; plain words where it is none of the web's."""
    return f"<{address}>" if _LINK.fullmatch(address) else escaped(address)


def joined(*blocks: str) -> str:
    """Blocks of Markdown as one text, an empty line between them; empty ones are left out."""
    return "\n\n".join(block for block in blocks if block)
