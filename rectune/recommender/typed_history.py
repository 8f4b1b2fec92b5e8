"""What somebody typed, parted into titles with the help of the catalogue."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from rectune.prompts.title_index import TitleIndex
from rectune.recommender.requests import UserRequest

_SPACED = re.compile(r";(?:\s+|\s*$)")  # a semicolon within a title (Steins;Gate) has no space behind it
_ANY = re.compile(";")
_LONGEST = 8  # pieces that one title may consist of


@dataclass(frozen=True)
class Typed:
    """Titles as "A; B; C", a query, and the kind of things the titles are, as `UserRequest` has it."""

    history: str
    query: str = ""
    history_domain: str = ""

    @property
    def empty(self) -> bool:
        """Whether there is nothing to go by."""
        return not titles_in(self.history) and not self.query.strip()

    def user_request(self, domain: str, titles: Mapping[str, TitleIndex]) -> UserRequest:
        """The request, with titles split by the titles of their domain's catalogue."""
        known = titles[self.history_domain or domain]
        return UserRequest(titles_in(self.history, known), self.query, self.history_domain)


def titles_in(text: str, known: TitleIndex | None = None) -> list[str]:
    """The titles in "A; B; C".

    A title of the catalogue may hold the semicolons that part titles: the longest run of pieces that it has
    as a title is one ("Frankenstein; or, The Modern Prometheus").
    """
    mark = _SPACED if re.search(r";\s", text) else _ANY
    spans = [match.span() for match in mark.finditer(text)]
    ends = [*(start for start, _ in spans), len(text)]
    pieces = [
        piece
        for piece in zip([0, *(end for _, end in spans)], ends, strict=True)
        if text[slice(*piece)].strip()
    ]
    found = list[str]()
    while pieces:
        runs = [(pieces[0][0], end) for _, end in pieces[:_LONGEST]]
        last = max((at for at, run in enumerate(runs) if known and known.has(text[slice(*run)])), default=0)
        found.append(text[slice(*runs[last])].strip())
        pieces = pieces[last + 1 :]
    return found
