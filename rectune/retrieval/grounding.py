"""Grounding: resolving a generated answer to real items of the catalogue.

Three steps, the most certain first: the answer ends on an exact title; it ends on a misspelt title; else its
whole text is the query of a search over the catalogue's chunks. The last is the idea of HyDE (Gao et al.
2022, "Precise Zero-Shot Dense Retrieval without Relevance Labels"): a made-up answer is nearer to the right
document than the question is.
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rectune.core.settings import RetrievalConfig
from rectune.core.text.support import content_words
from rectune.core.types import Item
from rectune.prompts.answers import find_items, items_in_places, read_answer
from rectune.prompts.title_index import TitleIndexes
from rectune.prompts.title_matching import MARKED, SURE
from rectune.retrieval.chunks import ChunkConfig
from rectune.retrieval.embedding import reads
from rectune.retrieval.index import IndexConfig, build_index
from rectune.retrieval.search import CatalogueIndex, SearchHit

How = Literal["title", "fuzzy", "embedding", "ranked"]

_NEAREST = 3  # items in which the words of a query are looked for
_LONGEST = 200  # characters in the place of a title that can still be one


@dataclass(frozen=True, slots=True)
class GroundedItem:
    """A real item and how it was found.

    `similarity` is 1 for an exact title; for a misspelt one that of `TitleIndex.alike`, 0 to 1 (and 1 where
    words follow the exact title); for an embedding the cosine between the query and the item's best chunk.
    Where a ranker put it there (`ranked`) it is None. `mean` is the cosine over all of its chunks, `evidence`
    the text that led to it: the title as the answer wrote it, the best chunk, or what speaks for a ranked
    item. `ranks` is its rank in each search (name, rank from 1).
    """

    item_id: str
    title: str
    how: How
    similarity: float | None
    mean: float = 0.0
    evidence: str = ""
    ranks: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class NamedItem:
    """The text in the place of a title in an answer, and the item that it means.

    `item` is None if no title is named, or only items of the history have it (`known`). `title` is the
    catalogue's title that was read, `bearers` the number of items with it; `words` is the text of the answer.
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
    """Grounding in these items; their index in `folder` is updated, or created.

    `config` has the chunking and the threshold of approximate search; the default is that of recipes.
    """
    plan = (
        IndexConfig(ChunkConfig(config.chunk, config.overlap), config.ann_threshold)
        if config
        else IndexConfig()
    )
    return Grounding(items, build_index(items, folder, embedder, plan))


class Grounding:
    """Resolves answers to the items it was given, and to no others.

    Args:
        items: the catalogue, any number of domains.
        index: the index of the same items.

    Attributes:
        titles: by domain, to look items and titles up in.
    """

    def __init__(self, items: Sequence[Item], index: CatalogueIndex) -> None:
        self.index = index
        self.titles = TitleIndexes(items)

    def ids(self, domain: str) -> frozenset[str]:
        """The ids of all items of a domain."""
        return frozenset(item.item_id for item in self.titles[domain].items)

    def min_similarity(self, domain: str) -> float:
        """The domain's threshold, a cosine; see `rectune.retrieval.relevance_threshold`."""
        return self.index.min_similarities.get(domain, -1.0)

    def top(
        self,
        answer: str,
        domain: str,
        k: int,
        history: AbstractSet[str] = frozenset(),
        queries: Sequence[str] = (),
    ) -> list[GroundedItem]:
        """The `k` items of an answer: first the one it names, then the nearest ones.

        Never an item of the history, none twice, and fewer than `k` only if the domain has no more. With
        `queries`, the request's texts are searched for besides the answer.
        """
        first = self.named(answer, domain, history)
        named = [first] if first else []
        taken = history | {item.item_id for item in named}
        return [*named, *self.nearest(answer, domain, k - len(named), taken, queries)][:k]

    def named(self, answer: str, domain: str, history: AbstractSet[str] = frozenset()) -> GroundedItem | None:
        """The item that the answer itself names at its end, exactly or misspelt; None if there is none.

        An item of the history is no recommendation: naming one counts as naming none.
        """
        return self.read(answer, domain, history).item

    def read(self, answer: str, domain: str, history: AbstractSet[str] = frozenset()) -> NamedItem:
        """The item that the answer names at its end."""
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
        queries: Sequence[str] = (),
    ) -> list[GroundedItem]:
        """The `k` items nearest to a text and to the queries, whatever titles they name.

        The queries together have as much weight as the text, since an answer may stray from the request.
        """
        weights = [1.0, *(1 / len(queries) for _ in queries)]
        return [_as_grounded(hit) for hit in self.index.find([text, *queries], domain, k, history, weights)]

    def fit(self, texts: Sequence[str], domain: str, history: AbstractSet[str] = frozenset()) -> float:
        """Cosine of the nearest item to any of the texts of a request; -1 where there is nothing."""
        hits = [hit for text in texts if text.strip() for hit in self.index.near(text, domain, 1, history)]
        return max((hit.similarity for hit in hits), default=-1.0)

    def share_found(self, text: str, domain: str) -> float:
        """The share of what a query asks for that an item has, 0 to 1, the nearest items of an embedder that
        reads the text, else any item.
        """
        if not self.reads(text):
            return self.index.share_found(text, domain)
        asked = content_words(text)
        titles = self.titles[domain]
        near = titles.places(hit.item_id for hit in self.index.near(text, domain, _NEAREST))
        told = (_said_of(titles.items[place]) for place in near)
        most = max((len(asked.standing_in(content_words(one))) for one in told), default=0)
        return most / len(asked.all) if asked.all else 0.0

    def reads(self, text: str) -> bool:
        """Whether the embedder knows a text's language."""
        return reads(self.index.embedder, text)

    def mentioned(self, text: str, domain: str) -> list[str]:
        """The titles of the domain that a text names with certainty, in its order."""
        titles = self.titles[domain]
        return [titles.titles[m.index] for m in find_items(text, titles) if m.certainty >= SURE]

    def repeated(self, answer: str, domain: str) -> bool:
        """Whether one title is twice in the places for titles."""
        listed = items_in_places(answer, self.titles[domain])
        return len(set(listed)) < len(listed)


def _said_of(item: Item) -> str:
    values = (fact.partition(": ")[2] for fact in item.stated)
    return " . ".join((item.title, *item.categories, item.description, *values))


def _as_grounded(hit: SearchHit) -> GroundedItem:
    ranks = tuple(sorted(hit.ranks.items()))
    return GroundedItem(hit.item_id, hit.title, "embedding", hit.similarity, hit.mean, hit.evidence, ranks)
