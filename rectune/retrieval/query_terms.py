"""What a query asks for, term by term, and how much of it a catalogue's items have.

The head of a Korean phrase stands last: of 조용한 사무실용 키보드 it is 키보드, and the words before it only
narrow it down. So the head counts twice. A phrase whose last noun fits anything (영화, 이야기) has none.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rectune.core.text.common_words import FUNCTION_WORDS, GENERAL_ENGLISH, GENERAL_KOREAN
from rectune.core.text.morphemes import PAIRS, segmenter
from rectune.core.text.plain import is_unsegmented
from rectune.retrieval.request_words import ASKING
from rectune.retrieval.terms import PREDICATE, PlacedTerm, is_hangul, placed_terms

_HEAD, _NOUN, _PREDICATE = 2.0, 1.0, 0.5  # weights; chosen with `FITTING` by `bench/query_fits.py`
_LONGEST = 8  # terms of a text that is one phrase
FITTING = 0.5  # the weighted share of a query's terms that an item has which fits it
_EMPTY = (
    FUNCTION_WORDS | GENERAL_ENGLISH | GENERAL_KOREAN | frozenset("날 것 곳 번 쪽 수 줄 중 등 편".split())
)


@dataclass(frozen=True, slots=True)
class QueryTerm:
    """A term that says what is wanted.

    `forms` are the term and, of a compound, its last part (공기청정기, 청정기), of which either will do.
    """

    forms: tuple[str, ...]
    weight: float
    head: bool = False


def query_terms(text: str, ignored: Container[str] = ()) -> list[QueryTerm]:
    """The terms of a query that say something, in its order, without `ignored` ones."""
    placed = [one for one in placed_terms(text) if one.term not in ASKING]
    groups = list(_groups(placed))
    nouns = [group for group in groups if not group[0].term.endswith(PREDICATE)]
    head = nouns[-1] if nouns and len(groups) <= _LONGEST and _is_whole(nouns[-1][0].term) else None
    told = [group for group in groups if _says_something(group[0].term, ignored)]
    return [
        QueryTerm(
            tuple(dict.fromkeys((group[0].term, group[-1].term))),
            _HEAD if group is head else _PREDICATE if group[0].term.endswith(PREDICATE) else _NOUN,
            group is head,
        )
        for group in told
    ]


def head_of_phrase(text: str, ignored: Container[str] = ()) -> tuple[str, ...]:
    """The forms of the head of a short phrase; nothing of a text that has none."""
    return next((one.forms for one in query_terms(text, ignored) if one.head), ())


def share_found(terms: Sequence[QueryTerm], found: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """[items] the weighted share of the terms that each item has.

    Args:
        terms: of a query; at least one.
        found: for each of them [items] how far each item has it, 0 to 1.
    """
    weights = np.array([one.weight for one in terms])
    shares: NDArray[np.float64] = weights @ np.array(found) / weights.sum()
    return shares


def _groups(placed: Iterable[PlacedTerm]) -> Iterable[list[PlacedTerm]]:
    """A term with the parts of it, which stand in the same place."""
    held = list[PlacedTerm]()
    for one in placed:
        if held and (one.start, one.end) != (held[0].start, held[0].end):
            yield held
            held = []
        held.append(one)
    if held:
        yield held


def _is_whole(term: str) -> bool:
    """Whether a term is a word, and no pair of letters of one."""
    return segmenter() != PAIRS if is_hangul(term) else not is_unsegmented(term)


def _says_something(term: str, ignored: Container[str]) -> bool:
    return term not in ignored and term.removesuffix(PREDICATE) not in _EMPTY
