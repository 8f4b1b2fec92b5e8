"""Grounding: which real item of the catalogue a generated answer stands for.

Three steps, the surest first: the answer ends on an exact title; it ends on something that is nearly a title;
else its whole text is the query of a search over the catalogue's chunks. The last is the idea of HyDE (Gao et
al. 2022, "Precise Zero-Shot Dense Retrieval without Relevance Labels"): a made-up answer lies nearer to the
right document than the question does.
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rectune.core.settings import RetrievalConfig
from rectune.core.types import Item
from rectune.prompts.answers import find_items, items_in_places, read_answer
from rectune.prompts.title_index import TitleIndexes
from rectune.prompts.title_matching import MARKED, SURE
from rectune.retrieval.chunks import ChunkConfig
from rectune.retrieval.index import IndexConfig, build_index
from rectune.retrieval.search import CatalogueIndex, SearchHit

How = Literal["title", "fuzzy", "embedding"]

_LONGEST = 200  # characters in the place of a title that can still be one


@dataclass(frozen=True, slots=True)
class GroundedItem:
    """A real item and how it was found.

    `similarity` is 1 for an exact title; for a fuzzy one that of `TitleIndex.alike`, 0 to 1 (and 1 where
    words follow the exact title); for an embedding the cosine between what was looked for and the item's best
    chunk. `mean` is the cosine over all of its chunks, `evidence` the words that led to it: the title as the
    answer wrote it, or the best chunk. `ranks` says at which place each search had it (name, place from 1).
    """

    item_id: str
    title: str
    how: How
    similarity: float
    mean: float = 0.0
    evidence: str = ""
    ranks: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class NamedItem:
    """What stands in the place of a title in an answer, and what it comes to.

    `item` is the item meant, None where no title is named, or only items of the history bear it (`known`).
    `title` is the catalogue's title that was read, `bearers` how many items bear it; `words` is what was
    written there.
    """

    item: GroundedItem | None = None
    title: str = ""
    how: How | None = None
    bearers: int = 0
    known: bool = False
    words: str = ""


def ground_in(
    items: Sequence[Item], folder: Path, embedder: str, config: RetrievalConfig | None = None
) -> Grounding:
    """Grounding in these items; their index in `folder` is brought up to date, or made.

    `config` says how texts are cut and from when on the search is approximate; without it, as recipes do by
    default.
    """
    plan = (
        IndexConfig(ChunkConfig(config.chunk, config.overlap), config.ann_threshold)
        if config
        else IndexConfig()
    )
    return Grounding(items, build_index(items, folder, embedder, plan))


class Grounding:
    """Resolves answers to the items it was given, and to nothing else.

    Args:
        items: the catalogue, any number of domains.
        index: the index of the same items.

    Attributes:
        titles: by domain, to look items and titles up in.
    """

    def __init__(self, items: Sequence[Item], index: CatalogueIndex) -> None:
        self.index = index
        self.titles = TitleIndexes(items)

    def floor(self, domain: str) -> float:
        """The calibrated cosine below which nothing of the domain fits a wish; see
        `rectune.retrieval.relevance_threshold`.
        """
        return self.index.floors.get(domain, -1.0)

    def top(
        self,
        answer: str,
        domain: str,
        k: int,
        history: AbstractSet[str] = frozenset(),
        wishes: Sequence[str] = (),
    ) -> list[GroundedItem]:
        """The `k` items that the answer stands for, the one it names first, the others by their nearness.

        Never an item of the history, none twice, and fewer than `k` only if the domain has no more. With
        `wishes`, what was asked for is looked for beside the answer.
        """
        first = self.named(answer, domain, history)
        named = [first] if first else []
        taken = history | {item.item_id for item in named}
        return [*named, *self.nearest(answer, domain, k - len(named), taken, wishes)][:k]

    def named(self, answer: str, domain: str, history: AbstractSet[str] = frozenset()) -> GroundedItem | None:
        """The item that the answer itself names at its end, exactly or misspelt; None if there is none.

        An item of the history is no recommendation: naming one counts as naming none.
        """
        return self.read(answer, domain, history).item

    def read(self, answer: str, domain: str, history: AbstractSet[str] = frozenset()) -> NamedItem:
        """What the answer names at its end."""
        titles = self.titles[domain]
        reading = read_answer(answer, titles)
        place, words = reading.recommended, reading.words[:_LONGEST]
        # Running text has no end of a title to go by: what is found there is the title.
        exact = place is not None and (reading.form == "none" or reading.certainty[0] >= MARKED)
        how: How = "title" if exact else "fuzzy"
        similarity = 1.0
        if place is None:
            place, similarity = titles.alike(words)
        if place is None:
            return NamedItem(words=words)
        found = titles.titles[place]
        bearers, words = titles.bearers(found), words or found
        free = [item for item in bearers if item.item_id not in history]
        item = GroundedItem(free[0].item_id, free[0].title, how, similarity, 0.0, words) if free else None
        return NamedItem(item, found, how, len(bearers), not free, words)

    def nearest(
        self,
        text: str,
        domain: str,
        k: int,
        history: AbstractSet[str] = frozenset(),
        wishes: Sequence[str] = (),
    ) -> list[GroundedItem]:
        """The `k` items that lie nearest to a text, and to the wishes, whatever titles stand in them.

        The wishes together weigh as much as the text: an answer may stray from what was asked.
        """
        weights = [1.0, *(1 / len(wishes) for _ in wishes)]
        return [_as_grounded(hit) for hit in self.index.find([text, *wishes], domain, k, history, weights)]

    def fit(self, texts: Sequence[str], domain: str, history: AbstractSet[str] = frozenset()) -> float:
        """How near the nearest item comes to any of the texts of a wish: a cosine, -1 where there is nothing."""
        hits = [hit for text in texts if text.strip() for hit in self.index.near(text, domain, 1, history)]
        return max((hit.similarity for hit in hits), default=-1.0)

    def mentioned(self, text: str, domain: str) -> list[str]:
        """The titles of the domain that a text surely names anywhere, in its order."""
        titles = self.titles[domain]
        return [titles.titles[m.index] for m in find_items(text, titles) if m.certainty >= SURE]

    def repeated(self, answer: str, domain: str) -> bool:
        """Whether one title stands twice in places that the answer makes for titles."""
        listed = items_in_places(answer, self.titles[domain])
        return len(set(listed)) < len(listed)


def _as_grounded(hit: SearchHit) -> GroundedItem:
    ranks = tuple(sorted(hit.ranks.items()))
    return GroundedItem(hit.item_id, hit.title, "embedding", hit.similarity, hit.mean, hit.evidence, ranks)
