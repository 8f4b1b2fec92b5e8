"""Which sentences of an answer are off topic: they have nothing to do with what was asked, nor with what is
recommended.

Every sentence of at least four words is embedded, and so is each thing that the answer may speak of: the
query, the items of the history, the candidates shown, the item recommended, each by its title and categories.
A sentence is off topic if its cosine to the nearest of these is below `FLOOR`. The floor was set for MiniLM
on sentences whose place is known (`tests/evaluation/test_off_topic.py`); under another embedder the share
only serves to compare two models with each other.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from rectune.retrieval.embedding import embed

FLOOR = 0.2  # cosine; planted sentences off topic reach 0.19, those on topic begin at 0.32
_WORDS = 4  # a sentence with fewer says too little to have a topic

_END = re.compile(r"(?<=[.!?。])\s+|\n+")
_WORD = re.compile(r"\w+")


def sentences(text: str) -> list[str]:
    """The sentences and lines of a text that have at least four words."""
    parts = (part.strip() for part in _END.split(text))
    return [part for part in parts if len(_WORD.findall(part)) >= _WORDS]


def off_topic_shares(answers: Sequence[str], topics: Sequence[Sequence[str]], embedder: str) -> list[float]:
    """The share of each answer's sentences that are off topic; 0 for an answer without a sentence.

    Args:
        answers: texts.
        topics: what each answer may speak of, one text or more.
        embedder: as `rectune.retrieval.embedding.embed` takes it.
    """
    said = [sentences(answer) for answer in answers]
    places = {
        text: place for place, text in enumerate(dict.fromkeys(t for row in [*said, *topics] for t in row))
    }
    if not places:
        return [0.0] * len(answers)
    vectors = embed(list(places), embedder)  # [texts, d], unit rows
    shares = []
    for own, known in zip(said, topics, strict=True):
        if not own:
            shares.append(0.0)
            continue
        about = vectors[[places[text] for text in known]]  # [topics, d]
        nearest = (vectors[[places[text] for text in own]] @ about.T).max(axis=1)  # [sentences]
        shares.append(float((nearest < FLOOR).mean()))
    return shares
