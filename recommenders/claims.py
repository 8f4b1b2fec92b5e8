"""What a generated answer claims to recommend, read with the parser that wrote the closing words."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from prompts.answers import CLOSINGS, TitleIndex
from rectune.types import Item
from retrieval.grounding import Claim, Grounding
from retrieval.index import build_index

_LONGEST = 200  # characters after the closing words that can still be a title

_WORD = re.compile(r"\w+")
_STOP = re.compile(r"[,.;:!?()\"'”’»*_」』》–—]")


def ground_in(items: Sequence[Item], folder: Path, embedder: str) -> Grounding:
    """Grounding in these items; their index is built in `folder` or taken from there."""
    return Grounding(items, build_index(items, folder, embedder), claim_reader)


def claim_reader(titles: Sequence[str]) -> Callable[[str], Claim]:
    """A function that reads out of an answer which of these titles it recommends."""
    index = TitleIndex(titles)

    def read(answer: str) -> Claim:
        mention = index.recommended(answer)
        if mention is not None:
            return Claim(mention.index, True)
        words = _closing_words(answer)
        return Claim(_opening(words, index), False, words)

    return read


def _closing_words(answer: str) -> str:
    """What stands after the last closing words, up to the end of the line; empty without closing words."""
    ends = [at + len(words) for words in CLOSINGS.values() if (at := answer.rfind(words)) >= 0]
    return answer[max(ends) :].split("\n", 1)[0].strip()[:_LONGEST] if ends else ""


def _opening(words: str, index: TitleIndex) -> int | None:
    """The title that the words open with ("Dune, because …").

    A single word must end at a mark: "It is a fine film" does not name "It".
    """
    mention = next(iter(index.find(words)), None)
    if mention is None or _WORD.search(words[: mention.start]):
        return None
    after = words[mention.end :].lstrip()
    ended = not after or _STOP.match(after)
    return mention.index if ended or len(_WORD.findall(index.titles[mention.index])) > 1 else None
