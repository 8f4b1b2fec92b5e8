"""Untrusted text in Markdown: titles, answers and reasons as plain words."""

from __future__ import annotations

import re
from typing import Any

_SIGNS = re.compile(r"([\\`*_{}\[\]()#+!|~-])")


def one_line(value: Any) -> str:
    """Untrusted text as plain words on one line of Markdown: no markup, no HTML, no end of a table cell."""
    text = " ".join(str(value).split())
    escaped = _SIGNS.sub(r"\\\1", text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))
    return re.sub(
        r"(?i)\b(https?|ftp|www)([:.])", r"\1&#8203;\2", escaped
    )  # keeps bare addresses from becoming links


def quoted(value: Any) -> str:
    """Untrusted text as a Markdown block quote that keeps its lines."""
    return "\n".join(f"> {one_line(line)}  " for line in str(value).splitlines() or [""])
