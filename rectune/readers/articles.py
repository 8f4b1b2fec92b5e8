"""A folder of articles as a catalogue: one text, Markdown or HTML file per item."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

from rectune.core.errors import UserError

ENDINGS = (".txt", ".md", ".html", ".htm")

_MOST_BYTES = 20 * 2**20  # a file of more is no article
_LONGEST_TITLE = 200  # characters of a first line that can be a title
_BLOCKS = frozenset(
    "p div br li tr h1 h2 h3 h4 h5 h6 section article header footer blockquote pre ul ol table".split()
)
_SILENT = frozenset(("script", "style", "noscript", "template"))
_HEADING = re.compile(r"^\s{0,3}#{1,6}\s+(?P<title>.+?)\s*#*\s*$")
_MARKS = re.compile(
    r"^\s*(?:[>*+-]\s+|#{1,6}\s+|\d+[.)]\s+)|[*_`]{1,3}(?=\S)|(?<=\S)[*_`]{1,3}", re.MULTILINE
)


def read_articles(folder: Path) -> Iterator[dict[str, str]]:
    """One record (item_id, title, description) per file, by path; ids are paths within the folder.

    The title is the first heading, the page's title, or a short first line; without one the file's name.
    Scripts and styles are left out, and everything else is text.

    Raises:
        ValueError: a file is no UTF-8 text, or larger than 20 MiB.
        UserError: no such files.
    """
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS and path.is_file())
    if not paths:
        raise UserError(
            "holds no articles", where=str(folder), hint=f"give files that end in {', '.join(ENDINGS)}"
        )
    for path in paths:
        name = path.relative_to(folder).as_posix()
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError(f"{name} has more than {_MOST_BYTES // 2**20} MiB")
        try:
            text = path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as broken:
            raise ValueError(f"{name} is no UTF-8 text ({broken.reason} at byte {broken.start})") from None
        title, body = (
            _html(text) if path.suffix.lower().startswith(".htm") else _plain(text, path.suffix.lower())
        )
        yield {"item_id": name, "title": title or path.stem, "description": body}


def _plain(text: str, ending: str) -> tuple[str, str]:
    lines = text.splitlines()
    first = next((number for number, line in enumerate(lines) if line.strip()), None)
    if first is None:
        return "", ""
    heading = _HEADING.match(lines[first])
    title = heading["title"] if heading else lines[first].strip()
    if not heading and len(title) > _LONGEST_TITLE:
        return "", text.strip()
    body = "\n".join(lines[first + 1 :]).strip()
    return title, _MARKS.sub("", body) if ending == ".md" else body


def _html(text: str) -> tuple[str, str]:
    page = _Page()
    page.feed(text)
    page.close()
    body = "\n".join(filter(None, (" ".join(line.split()) for line in "".join(page.body).split("\n"))))
    title = " ".join(("".join(page.heading) or "".join(page.title)).split())
    return title, body


class _Page(HTMLParser):
    """Title, first heading and text of a page; unclosed tags are tolerated."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.title, self.heading, self.body = list[str](), list[str](), list[str]()
        self._inside = ""
        self._silent = ""
        self._headed = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record which element begins."""
        if tag == "title" or (tag == "h1" and not self._headed):
            self._inside = tag
        elif tag in _SILENT and not self._silent:
            self._silent = tag
        if tag in _BLOCKS:
            self.body.append("\n")

    def handle_endtag(self, tag: str) -> None:
        """Record which element ends."""
        if tag == self._inside:
            self._headed = self._headed or tag == "h1"
            self._inside = ""
        if tag == self._silent:
            self._silent = ""
        if tag in _BLOCKS:
            self.body.append("\n")

    def handle_data(self, data: str) -> None:
        """Add the text to its element."""
        if self._silent:
            return
        {"title": self.title, "h1": self.heading}.get(self._inside, self.body).append(data)
