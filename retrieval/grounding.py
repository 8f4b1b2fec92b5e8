"""Grounding: which real item of the catalogue a generated answer stands for.

Three steps, the surest first: the answer ends on an exact title; it ends on something that is nearly a title;
else its whole text is the query of a nearest-neighbour search. The last is the idea of HyDE (Gao et al. 2022,
"Precise Zero-Shot Dense Retrieval without Relevance Labels"): a made-up answer lies nearer to the right
document than the question does.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Literal

from rectune.types import Item
from retrieval.index import Index

How = Literal["title", "fuzzy", "embedding"]

_ALIKE = 0.85  # difflib's ratio from which two folded titles are one, misspelt
_SHORT, _ALIKE_SHORT = 8, 0.93  # the same for titles under 8 characters, where one letter is another word

_WORD = re.compile(r"\w+")
_YEAR = re.compile(r"\(\s*\d{4}\s*\)")


@dataclass(frozen=True, slots=True)
class Claim:
    """What an answer says that it recommends.

    `title` is the place in the list of titles of the one that it names, None if it names none; `exact` is
    False where more words follow that title. `words` is the text that stands where the title should, empty if
    nothing does.
    """

    title: int | None = None
    exact: bool = False
    words: str = ""


# Given titles, a function that reads the claim out of an answer.
ClaimReader = Callable[[Sequence[str]], Callable[[str], Claim]]


@dataclass(frozen=True, slots=True)
class Grounded:
    """A real item and how it was found.

    `similarity` is 1 for an exact title; for a fuzzy one difflib's ratio, 0 to 1 (and 1 where words follow
    the exact title); for an embedding the cosine between answer and item.
    """

    item_id: str
    title: str
    how: How
    similarity: float


class Grounding:
    """Resolves answers to the items it was given, and to nothing else.

    Args:
        items: the catalogue, any number of domains.
        index: the index of the same items.
        reader: reads what answers claim.
    """

    def __init__(self, items: Sequence[Item], index: Index, reader: ClaimReader) -> None:
        self._index, self._reader = index, reader
        self._names: dict[str, _Names] = {}
        self._items: dict[str, list[Item]] = {}
        for item in items:
            self._items.setdefault(item.domain, []).append(item)

    def top(
        self, answer: str, domain: str, k: int, history: AbstractSet[str] = frozenset()
    ) -> list[Grounded]:
        """The `k` items that the answer stands for, the one it names first, the others by their nearness.

        Never an item of the history, none twice, and fewer than `k` only if the domain has no more.
        """
        first = self.named(answer, domain, history)
        named = [first] if first else []
        taken = history | {item.item_id for item in named}
        return [*named, *self.nearest(answer, domain, k - len(named), taken)][:k]

    def named(self, answer: str, domain: str, history: AbstractSet[str] = frozenset()) -> Grounded | None:
        """The item that the answer itself names at its end, exactly or misspelt; None if there is none.

        An item of the history is no recommendation: naming one counts as naming none.
        """
        names = self._of(domain)
        claim = names.read(answer)
        how: How = "title" if claim.exact else "fuzzy"
        if claim.title is None:
            found, similarity = self._alike(claim.words, domain)
        else:
            found, similarity = names.titles[claim.title], 1.0
        item = next((item for item in names.bearers(found) if item.item_id not in history), None)
        return Grounded(item.item_id, item.title, how, similarity) if item else None

    def nearest(
        self, text: str, domain: str, k: int, history: AbstractSet[str] = frozenset()
    ) -> list[Grounded]:
        """The `k` items whose embedding is nearest to that of the text, whatever titles stand in it."""
        near = self._index.near(text, domain, k, history) if k > 0 else []
        return [Grounded(hit.item_id, hit.title, "embedding", hit.similarity) for hit in near]

    def called(self, title: str, domain: str) -> list[Item]:
        """The items of a title as somebody typed it: case and punctuation aside, or misspelt."""
        names = self._of(domain)
        return names.bearers(title) or names.bearers(self._alike(title, domain)[0])

    def _alike(self, words: str, domain: str) -> tuple[str, float]:
        """The title that these words misspell, and how alike they are; an empty title if there is none."""
        alike = ((_ratio(words, hit.title), hit.title) for hit in self._index.alike(words, domain))
        similarity, title = max(alike, default=(0.0, ""))
        enough = _ALIKE if len(_plain(title)) >= _SHORT else _ALIKE_SHORT
        return (title, similarity) if similarity >= enough else ("", 0.0)

    def _of(self, domain: str) -> _Names:
        if domain not in self._names:
            self._names[domain] = _Names(self._items.get(domain, []), self._reader)
        return self._names[domain]


class _Names:
    """The titles of one domain, each once, and which items bear them."""

    def __init__(self, items: Sequence[Item], reader: ClaimReader) -> None:
        self._bearers: dict[str, list[Item]] = {}
        for item in items:
            if item.title.strip():  # what has no title cannot be named
                self._bearers.setdefault(_plain(item.title), []).append(item)
        self.titles = [bearers[0].title for bearers in self._bearers.values()]
        self.read = reader(self.titles)

    def bearers(self, title: str) -> list[Item]:
        return self._bearers.get(_plain(title), [])


def _ratio(words: str, title: str) -> float:
    """How alike two titles are, 0 to 1; other numbers make it another work ("Alien 2", "Alien 3")."""
    left, right = _plain(_YEAR.sub("", words)), _plain(_YEAR.sub("", title))
    if re.findall(r"\d+", left) != re.findall(r"\d+", right):
        return 0.0
    return difflib.SequenceMatcher(None, left, right, autojunk=False).ratio()


def _plain(title: str) -> str:
    """What spellings of one title have in common; a title of signs alone stays as it is."""
    folded = unicodedata.normalize("NFKC", title).casefold()
    return " ".join(_WORD.findall(folded)) or title
