"""Titles whose article a catalogue has moved behind: `Postman, The`."""

from __future__ import annotations

import re

_ARTICLES = (
    "The|A|An|La|Le|Les|L'|Un|Une|Il|Lo|I|Gli|Una|El|Los|Las|Der|Die|Das|Ein|Eine|O|Os|As|Den|Det|De|En"
)
_MOVED = re.compile(
    rf"(?P<begin>^|\()(?P<name>[^()]+(?:\([^()]*\))?), (?P<article>{_ARTICLES})(?=\s*(?:\(|\)|$)|:\s)"
)


def upright(title: str) -> str:
    """The title with articles in front that catalogues move behind: `Postman, The (1994)` is `The Postman
    (1994)`.
    """
    return _MOVED.sub(_in_front, title) if ", " in title else title


def _in_front(match: re.Match[str]) -> str:
    gap = "" if match["article"].endswith("'") else " "
    return f"{match['begin']}{match['article']}{gap}{match['name'].strip()}"
