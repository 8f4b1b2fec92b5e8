"""Morphemes of Korean texts, and nouns of like meaning, by Kiwi (`kiwipiepy`, its model comes with it).

Nothing is downloaded. Kiwi is loaded at the first Korean text (about a second of processor time). Any thread
may ask: it is asked by one at a time, for at most `_AT_ONCE` texts.
"""

from __future__ import annotations

import importlib.metadata
import itertools
import typing
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from threading import RLock
from typing import Any

from rectune.core.extras import is_installed
from rectune.core.text.plain import encodable

if typing.TYPE_CHECKING:
    from kiwipiepy import Kiwi

PAIRS = "pairs of letters"
_PACKAGE = "kiwipiepy"
_SPLIT_WORDS = 2  # spaces that may stand wrongly within one morpheme
_NEIGHBOURS = 200  # morphemes of like meaning that are asked for
_LIKE = 0.5  # the cosine from which on two nouns mean much the same
_COMPOUND, _PART = 4, 2  # syllables of a noun that may be a compound, and of its parts
_AT_ONCE = 256
_LOCK = RLock()


@dataclass(frozen=True, slots=True)
class Morpheme:
    """A content morpheme: its dictionary form, whether it is a verb or an adjective, and where it stands.

    `known` says whether the dictionary has it; `start` and `end` are places in the text.
    """

    form: str
    predicate: bool
    known: bool
    start: int
    end: int


def segmenter() -> str:
    """What splits Korean here: `kiwipiepy` and its version, or pairs of letters where it is not installed."""
    return f"{_PACKAGE} {importlib.metadata.version(_PACKAGE)}" if is_installed(_PACKAGE) else PAIRS


def morphemes_of(texts: Iterable[str]) -> Iterator[list[Morpheme]]:
    """The content morphemes of each text: nouns, names and roots, and verbs and adjectives.

    Needs `kiwipiepy`. Up to two spaces that tear a morpheme apart are overlooked. A compound noun that the
    dictionary has as one word is followed by its two parts, if both are nouns of the dictionary.
    """
    for tokens in _tokens(encodable(text) for text in texts):
        found = list[Morpheme]()
        for token in tokens:
            noun, predicate = _is_noun(token.tag), token.tag[:2] in ("VV", "VA")
            if not noun and not predicate:
                continue
            known, end = _in_dictionary(token.id), token.start + token.len
            forms = [token.form, *(parts_of(token.form) if noun else ())]
            found += [Morpheme(form, predicate, known, token.start, end) for form in forms]
        yield found


def _tokens(texts: Iterable[str]) -> Iterator[Any]:
    rest = iter(texts)
    while some := list(itertools.islice(rest, _AT_ONCE)):
        with _LOCK:
            split = list(_kiwi().tokenize(some))
        yield from split


@lru_cache(maxsize=100_000)
def parts_of(noun: str) -> tuple[str, ...]:
    """The two nouns of two syllables or more that a compound consists of; nothing where it is none."""
    if len(noun) < _COMPOUND:
        return ()
    for at in range(_PART, len(noun) - _PART + 1):
        if _is_noun(_only_tag(noun[:at])) and _is_noun(_only_tag(noun[at:])):
            return noun[:at], noun[at:]
    return ()


def is_word(text: str) -> bool:
    """Whether a text is one morpheme of the dictionary, of any kind."""
    return _only_tag(text) != ""


def similar_nouns(noun: str) -> dict[str, float]:
    """Nouns of like meaning, by Kiwi's embeddings of morphemes: (s - 0.5) / 0.5, where s is the cosine.

    Only common nouns are asked for and answered: the vectors of names lie near all other names.
    """
    try:
        with _LOCK:
            near = _kiwi().most_similar_morphemes((noun, "NNG"), _NEIGHBOURS)
    except ValueError:  # the dictionary lacks it
        return {}
    alike = itertools.takewhile(lambda one: one.score > _LIKE, near)
    return {
        one.form: (one.score - _LIKE) / (1 - _LIKE) for one in alike if one.tag == "NNG" and one.form != noun
    }


@lru_cache(maxsize=100_000)
def _only_tag(word: str) -> str:
    """The tag of a word that is one morpheme of the dictionary; empty for all others."""
    with _LOCK:
        tokens = _kiwi().tokenize(word)
    return str(tokens[0].tag) if len(tokens) == 1 and _in_dictionary(tokens[0].id) else ""


@lru_cache(maxsize=100_000)
def _in_dictionary(number: int) -> bool:
    """Whether Kiwi's number of a morpheme is that of an entry; for unknown words it is that of their tag."""
    with _LOCK:
        return bool(_kiwi().morpheme(number).form)


def _is_noun(tag: str) -> bool:
    return tag in ("NNG", "NNP") or tag.startswith("XR")


@lru_cache(maxsize=1)
def _kiwi() -> Kiwi:
    from kiwipiepy import Kiwi

    kiwi = Kiwi(num_workers=1)
    kiwi.global_config.space_tolerance = _SPLIT_WORDS
    return kiwi
