"""What a generated answer claims to recommend, read with the parser that every stage uses."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from rectune.core.settings import Retrieval
from rectune.core.types import Item
from rectune.prompts.answers import CLOSINGS, find_items, read_answer
from rectune.prompts.lists import lines_of
from rectune.prompts.mentions import MARKED, SURE, in_place
from rectune.prompts.titles import TitleIndex, unescape
from rectune.retrieval.chunks import Cut
from rectune.retrieval.grounding import Claim, Grounding
from rectune.retrieval.index import Plan, build_index

_LONGEST = 200  # characters in the place of a title that can still be one
_CLOSING = re.compile(
    rf"(?:{'|'.join(re.escape(words[:-1]) for words in CLOSINGS.values())})[*_]*[ \t]?[:：]", re.IGNORECASE
)


def ground_in(
    items: Sequence[Item], folder: Path, embedder: str, config: Retrieval | None = None
) -> Grounding:
    """Grounding in these items; their index in `folder` is brought up to date, or made.

    `config` says how texts are cut and from when on the search is approximate; without it, as recipes do by default.
    """
    plan = Plan(Cut(config.chunk, config.overlap), config.approximate) if config else Plan()
    return Grounding(items, build_index(items, folder, embedder, plan), ClaimReader)


class ClaimReader:
    """Reads which of these titles an answer recommends, names, or lists."""

    def __init__(self, titles: Sequence[str]) -> None:
        self.index = TitleIndex(titles)

    def __call__(self, answer: str) -> Claim:
        """What the answer recommends."""
        reading = read_answer(answer, self.index)
        if reading.recommended is None:
            return Claim(None, False, reading.words[:_LONGEST])
        # Running text has no end of a title to go by: what is found there is the title.
        exact = reading.form == "none" or reading.certainty[0] >= MARKED
        return Claim(reading.recommended, exact, reading.words[:_LONGEST])

    def named(self, text: str) -> list[int]:
        """The titles that are surely named anywhere in a text, in its order."""
        return [mention.index for mention in find_items(text, self.index) if mention.certainty >= SURE]

    def listed(self, answer: str) -> list[int]:
        """The titles in the places made for one, closing lines and entries of lists, each time they stand there."""
        plain, _ = unescape(answer)
        found = list[int]()
        for line in lines_of(plain):
            closings = [match.end() for match in _CLOSING.finditer(plain, line.start, line.end)]
            begin = closings[-1] if closings else line.begin if line.listed else None
            mention = None if begin is None else in_place(self.index, plain, begin, line.end)
            if mention and mention.certainty >= SURE:
                found.append(mention.index)
        return found
