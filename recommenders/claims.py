"""What a generated answer claims to recommend, read with the parser that every stage uses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from prompts.answers import read_answer
from prompts.mentions import MARKED
from prompts.titles import TitleIndex
from rectune.types import Item
from retrieval.grounding import Claim, Grounding
from retrieval.index import build_index

_LONGEST = 200  # characters in the place of a title that can still be one


def ground_in(items: Sequence[Item], folder: Path, embedder: str) -> Grounding:
    """Grounding in these items; their index is built in `folder` or taken from there."""
    return Grounding(items, build_index(items, folder, embedder), claim_reader)


def claim_reader(titles: Sequence[str]) -> Callable[[str], Claim]:
    """A function that reads out of an answer which of these titles it recommends."""
    index = TitleIndex(titles)

    def read(answer: str) -> Claim:
        reading = read_answer(answer, index)
        if reading.recommended is None:
            return Claim(None, False, reading.words[:_LONGEST])
        # Running text has no end of a title to go by: what is found there is the title.
        return Claim(reading.recommended, reading.form == "none" or reading.certainty[0] >= MARKED)

    return read
