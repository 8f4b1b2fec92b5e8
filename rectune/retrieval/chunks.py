"""Splitting an item's text into chunks: title and categories whole, long bodies by sentences.

Sentences end as English and Korean ones do: at a full stop, question or exclamation mark before a space and
no small letter, at such a mark after Hangul even without the space ("했다.그는"), at CJK punctuation,
and at a line's end.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from rectune.core.text.plain import encodable
from rectune.core.types import Item, opinion_fact

MOST = 256  # chunks of one item; what a body holds beyond them is not indexed
_LEAD = 80  # characters of the title that lead a chunk of the body when it is embedded

_END = re.compile(
    r"""(?<=[.!?…])["'”’」』)\]]*\s+(?=[^\sa-z])   # a mark, closing signs, a space, and no small letter
    | (?<=[가-힣][.!?])(?=[가-힣"“‘「『(])          # Korean often leaves the space out
    | (?<=[。！？])
    | \n\s*""",
    re.VERBOSE,
)
_NO_END = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|vs|etc|No|Vol|Inc|Ltd|Co|e\.g|i\.e)|\b[A-Z])\.$"  # "Mr.", "J."
)


@dataclass(frozen=True, slots=True)
class ChunkConfig:
    """How bodies are split: `longest` characters per chunk, `overlap` sentences shared by neighbours."""

    longest: int = 700
    overlap: int = 1


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk of an item. Part 0 is title, year, categories and facts, with the body if all of it is short.

    The body is the description and, behind it, the opinions (`Item.opinions`). `text` is shown to people and
    searched by full text, `embedded` is what the embedder reads.
    """

    part: int
    text: str
    embedded: str


def chunks_of(item: Item, cut: ChunkConfig | None = None) -> list[Chunk]:
    """The chunks of an item, at least one and at most `MOST`."""
    cut = cut or ChunkConfig()
    opinions = [opinion_fact(each) for each in item.opinions]
    head, body = head_of(item), encodable(" ".join([item.description, *opinions])).strip()
    whole = f"{head}. {body}" if head and body else head or body
    if len(whole) <= cut.longest or not body:
        return [Chunk(0, whole, whole)]
    lead = encodable(item.title)[:_LEAD]
    pieces = windows(sentences(body, cut.longest), cut)[: MOST - 1]
    return [Chunk(0, head, head), *(Chunk(n, text, f"{lead}. {text}") for n, text in enumerate(pieces, 1))]


def head_of(item: Item) -> str:
    """Title, year, categories and facts of an item, whole; what people think of it is no part of it."""
    year = f" ({item.year})" if item.year else ""
    parts = [f"{item.title}{year}" if item.title else "", ", ".join(item.categories), ", ".join(item.stated)]
    return encodable(". ".join(part for part in parts if part))


def sentences(text: str, longest: int) -> list[str]:
    """The sentences of a text; one of more than `longest` characters is cut at spaces into several."""
    found, start = list[str](), 0
    for end in _END.finditer(text):
        if not _NO_END.search(text[max(start, end.start() - 8) : end.start()]) or "\n" in end.group():
            found.append(text[start : end.end()].strip())
            start = end.end()
    found.append(text[start:].strip())
    return [piece for sentence in found if sentence for piece in _pieces(sentence, longest)]


def windows(parts: list[str], cut: ChunkConfig) -> list[str]:
    """Sentences joined to chunks of at most `cut.longest` characters.

    A chunk begins with the last `cut.overlap` sentences of the one before it, as far as they leave room for
    the next.
    """
    found, held, fresh = list[str](), list[str](), 0
    for part in parts:
        if fresh and _length([*held, part]) > cut.longest:
            found.append(" ".join(held))
            held, fresh = held[-cut.overlap :] if cut.overlap else [], 0
        while held and not fresh and _length([*held, part]) > cut.longest:
            del held[0]
        held.append(part)
        fresh += 1
    return [*found, " ".join(held)] if fresh else found


def _length(parts: list[str]) -> int:
    return sum(map(len, parts)) + len(parts) - 1


def _pieces(sentence: str, longest: int) -> list[str]:
    found = list[str]()
    while len(sentence) > longest:
        place = sentence.rfind(" ", longest // 2, longest + 1)
        place = longest if place < 0 else place
        found.append(sentence[:place].strip())
        sentence = sentence[place:].strip()
    return [*found, sentence] if sentence else found
