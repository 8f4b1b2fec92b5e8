"""Grounding: which real item of the catalogue a generated answer stands for.

Three steps, the surest first: the answer ends on an exact title; it ends on something that is nearly a title;
else its whole text is the query of a search over the catalogue's chunks. The last is the idea of HyDE (Gao et al. 2022,
"Precise Zero-Shot Dense Retrieval without Relevance Labels"): a made-up answer lies nearer to the right
document than the question does.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Literal, Protocol

from rectune.core.types import Item
from rectune.prompts.titles import fold, upright
from rectune.retrieval.search import Hit, Index

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


class Reads(Protocol):
    """Reads answers against a list of titles; what it returns are places in that list."""

    def __call__(self, answer: str) -> Claim:
        """What the answer recommends."""
        ...

    def named(self, text: str) -> list[int]:
        """The titles that a text surely names, in its order."""
        ...

    def listed(self, answer: str) -> list[int]:
        """The titles in the places that the answer makes for one, each time they stand there."""
        ...


# Given titles, what reads answers against them.
Reader = Callable[[Sequence[str]], Reads]


@dataclass(frozen=True, slots=True)
class Grounded:
    """A real item and how it was found.

    `similarity` is 1 for an exact title; for a fuzzy one difflib's ratio, 0 to 1 (and 1 where words follow
    the exact title); for an embedding the cosine between what was looked for and the item's best chunk. `mean` is the
    cosine over all of its chunks, `evidence` the words that led to it: the title as the answer wrote it, or the best chunk.
    `ranks` says at which place each search had it (name, place from 1).
    """

    item_id: str
    title: str
    how: How
    similarity: float
    mean: float = 0.0
    evidence: str = ""
    ranks: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Named:
    """What stands in the place of a title in an answer, and what it comes to.

    `item` is the item meant, None where no title is named, or only items of the history bear it (`known`). `title` is
    the catalogue's title that was read, `bearers` how many items bear it; `words` is what was written there.
    """

    item: Grounded | None = None
    title: str = ""
    how: How | None = None
    bearers: int = 0
    known: bool = False
    words: str = ""


class Grounding:
    """Resolves answers to the items it was given, and to nothing else.

    Args:
        items: the catalogue, any number of domains.
        index: the index of the same items.
        reader: reads what answers claim.
    """

    def __init__(self, items: Sequence[Item], index: Index, reader: Reader) -> None:
        self.index = index
        self._reader = reader
        self._names: dict[str, _Names] = {}
        self._items: dict[str, dict[str, Item]] = {}
        for item in items:
            self._items.setdefault(item.domain, {}).setdefault(item.item_id, item)

    def item(self, domain: str, item_id: str) -> Item:
        """The item of an id; KeyError where there is none."""
        return self._items[domain][item_id]

    def of(self, domain: str) -> list[Item]:
        """The items of a domain."""
        return list(self._items.get(domain, {}).values())

    def floor(self, domain: str) -> float:
        """The calibrated cosine below which nothing of the domain fits a wish; see `rectune.retrieval.floor`."""
        return self.index.floors.get(domain, -1.0)

    def top(
        self,
        answer: str,
        domain: str,
        k: int,
        history: AbstractSet[str] = frozenset(),
        wishes: Sequence[str] = (),
    ) -> list[Grounded]:
        """The `k` items that the answer stands for, the one it names first, the others by their nearness.

        Never an item of the history, none twice, and fewer than `k` only if the domain has no more. With `wishes`, what
        was asked for is looked for beside the answer.
        """
        first = self.named(answer, domain, history)
        named = [first] if first else []
        taken = history | {item.item_id for item in named}
        return [*named, *self.nearest(answer, domain, k - len(named), taken, wishes)][:k]

    def named(self, answer: str, domain: str, history: AbstractSet[str] = frozenset()) -> Grounded | None:
        """The item that the answer itself names at its end, exactly or misspelt; None if there is none.

        An item of the history is no recommendation: naming one counts as naming none.
        """
        return self.read(answer, domain, history).item

    def read(self, answer: str, domain: str, history: AbstractSet[str] = frozenset()) -> Named:
        """What the answer names at its end."""
        names = self._of(domain)
        claim = names.read(answer)
        how: How = "title" if claim.exact else "fuzzy"
        if claim.title is None:
            found, similarity = self._alike(claim.words, domain)
        else:
            found, similarity = names.titles[claim.title], 1.0
        bearers = names.bearers(found) if found else []
        if not bearers:
            return Named(words=claim.words)
        words = claim.words or found
        free = [item for item in bearers if item.item_id not in history]
        item = Grounded(free[0].item_id, free[0].title, how, similarity, 0.0, words) if free else None
        return Named(item, found, how, len(bearers), not free, words)

    def nearest(
        self,
        text: str,
        domain: str,
        k: int,
        history: AbstractSet[str] = frozenset(),
        wishes: Sequence[str] = (),
    ) -> list[Grounded]:
        """The `k` items that lie nearest to a text, and to the wishes, whatever titles stand in them.

        The wishes together weigh as much as the text: an answer may stray from what was asked.
        """
        weights = [1.0, *(1 / len(wishes) for _ in wishes)]
        return [_as_grounded(hit) for hit in self.index.find([text, *wishes], domain, k, history, weights)]

    def fit(self, texts: Sequence[str], domain: str, history: AbstractSet[str] = frozenset()) -> float:
        """How near the nearest item comes to any of the texts of a wish: a cosine, -1 where there is nothing."""
        hits = [hit for text in texts if text.strip() for hit in self.index.near(text, domain, 1, history)]
        return max((hit.similarity for hit in hits), default=-1.0)

    def called(self, title: str, domain: str) -> list[Item]:
        """The items of a title as somebody typed it: case and punctuation aside, or misspelt."""
        names = self._of(domain)
        return names.bearers(title) or names.bearers(self._alike(title, domain)[0])

    def bearers(self, title: str, domain: str) -> list[Item]:
        """The items that bear this very title, case and punctuation aside."""
        return self._of(domain).bearers(title)

    def mentioned(self, text: str, domain: str) -> list[str]:
        """The titles of the domain that a text surely names anywhere, in its order."""
        names = self._of(domain)
        return [names.titles[index] for index in names.read.named(text)]

    def repeated(self, answer: str, domain: str) -> bool:
        """Whether one title stands twice in places that the answer makes for titles."""
        listed = self._of(domain).read.listed(answer)
        return len(set(listed)) < len(listed)

    def titles(self, domain: str) -> Sequence[str]:
        """The titles of a domain, each once."""
        return self._of(domain).titles

    def _alike(self, words: str, domain: str) -> tuple[str, float]:
        """The title that these words misspell, and how alike they are; an empty title if there is none."""
        alike = ((_ratio(words, hit.title), hit.title) for hit in self.index.alike(words, domain))
        similarity, title = max(alike, default=(0.0, ""))
        enough = _ALIKE if len(plain_title(title)) >= _SHORT else _ALIKE_SHORT
        return (title, similarity) if similarity >= enough else ("", 0.0)

    def _of(self, domain: str) -> _Names:
        if domain not in self._names:
            self._names[domain] = _Names(self.of(domain), self._reader)
        return self._names[domain]


class _Names:
    """The titles of one domain, each once, and which items bear them."""

    def __init__(self, items: Sequence[Item], reader: Reader) -> None:
        self._bearers: dict[str, list[Item]] = {}
        for item in items:
            if item.title.strip():  # what has no title cannot be named
                self._bearers.setdefault(plain_title(item.title), []).append(item)
        self.titles = [bearers[0].title for bearers in self._bearers.values()]
        self.read = reader(self.titles)

    def bearers(self, title: str) -> list[Item]:
        return self._bearers.get(plain_title(title), [])


def _as_grounded(hit: Hit) -> Grounded:
    ranks = tuple(sorted(hit.ranks.items()))
    return Grounded(hit.item_id, hit.title, "embedding", hit.similarity, hit.mean, hit.evidence, ranks)


def _ratio(words: str, title: str) -> float:
    """How alike two titles are, 0 to 1; other numbers make it another work ("Alien 2", "Alien 3")."""
    left, right = plain_title(_YEAR.sub("", words)), plain_title(_YEAR.sub("", title))
    if re.findall(r"\d+", left) != re.findall(r"\d+", right):
        return 0.0
    if 2 * min(len(left), len(right)) < _ALIKE * (len(left) + len(right)):
        return 0.0  # lengths so different that the ratio cannot be enough; comparing them could take minutes
    return difflib.SequenceMatcher(None, left, right, autojunk=False).ratio()


def plain_title(title: str) -> str:
    """What spellings of one title have in common; a title of signs alone stays as it is."""
    return " ".join(_WORD.findall(fold(upright(title)))) or title
