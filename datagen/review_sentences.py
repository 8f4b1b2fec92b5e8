"""Which sentence of a review can stand as an opinion of its item."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from rectune.core.text.personal_data import handles, personal_data
from rectune.readers.text import clean_text
from rectune.retrieval.chunks import sentences

SHORTEST, LONGEST = 20, 200  # characters of a sentence
ALIKE = 0.5  # share of three-letter sequences that two sentences have in common from which on one is left out
_READ = 5000  # characters of a review that are looked at
_SAID = 10  # letters of words that do not stand in the title; with fewer a sentence is the title alone
_BREAK = re.compile(r"<(?:br|/?p|/?li|/?div)\b[^<>]*>", re.IGNORECASE)
_WORD = re.compile(r"\w+")
_BULLET = re.compile(r"^[-*•·–—>\s]+")
_DOUBLE = re.compile(r"[\"“”„«»]")


class ReviewSentence(NamedTuple):
    """The sentence that stands for a review, empty if none can; and how many longer ones were left out
    because they hold personal data.
    """

    text: str
    personal: int


def best_sentence(review: str, title: str) -> ReviewSentence:
    """The longest sentence of a review, of 20 to 200 characters, that says more than the item's title.

    It stays in its language; double quotation marks in it become single ones. Sentences with mail or web
    addresses, numbers of telephones, cards or residents, or names of accounts are left out.
    """
    personal = 0
    fitting = (each for each in _sentences(review) if SHORTEST <= len(each) <= LONGEST)
    for sentence in sorted(fitting, key=len, reverse=True):
        if personal_data(sentence) or handles(sentence):
            personal += 1
        elif not _only_the_title(sentence, title):
            return ReviewSentence(_DOUBLE.sub("'", sentence), personal)
    return ReviewSentence("", personal)


def unlike(found: Iterable[str], wanted: int) -> list[str]:
    """The first `wanted` sentences that are not nearly equal to one before them."""
    kept: list[tuple[str, set[str]]] = []
    for sentence in found:
        pieces = _pieces(sentence)
        if all(len(pieces & other) < ALIKE * len(pieces | other) for _, other in kept):
            kept.append((sentence, pieces))
            if len(kept) == wanted:
                break
    return [sentence for sentence, _ in kept]


def _sentences(review: str) -> list[str]:
    whole = _BREAK.sub("\n", review[:_READ])
    found = [_BULLET.sub("", clean_text(each)) for each in sentences(whole, _READ)]
    return found[:-1] if len(review) > _READ else found  # the last one was cut


def _only_the_title(sentence: str, title: str) -> bool:
    known = set(_WORD.findall(title.casefold()))
    said = (word for word in _WORD.findall(sentence.casefold()) if word not in known)
    return sum(map(len, said)) < _SAID


def _pieces(sentence: str) -> set[str]:
    letters = "".join(_WORD.findall(sentence.casefold()))
    return {letters[at : at + 3] for at in range(max(1, len(letters) - 2))}
