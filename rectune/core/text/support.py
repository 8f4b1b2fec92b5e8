"""How much of what a text says stands nowhere: the share of its content words that no source has.

English words are compared by their Snowball stems (Porter 2001), Korean ones by their morphemes. Function
words, and general words of recommending, are not counted. A word that stands in a source is no proof that
the text is true: what is measured is what it adds.
"""

from __future__ import annotations

import math
import re
import textwrap
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from rectune.core.extras import is_installed, needs_extra
from rectune.core.text.common_words import FUNCTION_WORDS, GENERAL_ENGLISH, GENERAL_KOREAN
from rectune.core.text.morphemes import morphemes_of

MASK = "\ufffc"  # Unicode's object replacement character; no letter, no space, no control character

_HANGUL = "\u1100-\u11ff\uac00-\ud7a3"
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")  # between the digits of a number
_IS_HANGUL = re.compile(f"[{_HANGUL}]")
_WORD = re.compile(rf"[^\W_{_HANGUL}]+(?:['’][^\W\d_]+)?")
_KOREAN_WORD = re.compile(f"[{_HANGUL}]+")
_LETTER = re.compile(r"[^\W\d_]")
_POSSESSIVE = re.compile(r"['’]s?$")
_READ = 10_000  # characters of a text; what stands behind them is not read (half a second of Kiwi)
_OWN = 2  # words of the item's own that a text must have
_LONGEST = 40  # letters; a longer run is no word to stem
_UNSPACED = re.compile(f"([{_HANGUL}]{{12}})(?=[{_HANGUL}])")  # Kiwi's time grows with their square
_PIECE = 2000  # characters that are split into morphemes at once


@dataclass(frozen=True, slots=True)
class ContentWords:
    """The distinct content words of a text, by script.

    `places` has each morpheme with the Korean words (between spaces) that it stands in, `korean` all of these
    words of the text.
    """

    stems: frozenset[str]
    places: frozenset[tuple[str, str]] = frozenset()
    korean: frozenset[str] = frozenset()

    @property
    def morphemes(self) -> frozenset[str]:
        """Dictionary forms."""
        return frozenset(form for form, _ in self.places)

    @property
    def all(self) -> frozenset[str]:
        """Both."""
        return self.stems | self.morphemes

    def standing_in(self, *sources: ContentWords) -> frozenset[str]:
        """Those that a source has: the same stem or morpheme, or the whole Korean word, since Kiwi may split
        one word in two ways.
        """
        words = frozenset[str]().union(*(source.korean for source in sources))
        known = frozenset[str]().union(*(source.all for source in sources))
        return (self.all & known) | {form for form, word in self.places if word in words}


@dataclass(frozen=True, slots=True)
class Support:
    """What stands nowhere: `share` of the distinct content words, which are `unsupported`.

    The share is 1 where fewer than two words are among those that are known of the item (fewer than one
    where it has only one): then hardly anything is said of it. It is NaN where it cannot be told: for a text
    without any word, and where nothing is known of the item in the script of the text.
    """

    share: float
    unsupported: tuple[str, ...] = ()


def support(text: str, item: str, others: Iterable[str] = ()) -> Support:
    """Compare a text with what is known; of each text the first 10,000 characters are read.

    Args:
        text: what was said, with `MASK` in the place of titles.
        item: what is known of the item that it is about, without its title.
        others: further sources: the title, the items of the history, the query.

    Raises:
        MissingExtra: a text is Korean, and `kiwipiepy` is not installed.
    """
    said, own = content_words(text), content_words(item)
    if not _LETTER.search(text[:_READ].replace(MASK, "")):
        return Support(math.nan)
    korean = len(said.morphemes) > len(said.stems) or (not said.all and _IS_HANGUL.search(text) is not None)
    if not (own.morphemes if korean else any(not stem.isdecimal() for stem in own.stems)):
        return Support(math.nan)
    unsupported = tuple(sorted(said.all - said.standing_in(own, *map(content_words, others))))
    if len(said.standing_in(own)) < min(_OWN, len(own.all)):
        return Support(1.0, unsupported)
    return Support(len(unsupported) / len(said.all), unsupported)


@lru_cache(maxsize=4096)
def content_words(text: str) -> ContentWords:
    """The content words of a text; 33,000 is the same number as 33000.

    Raises:
        MissingExtra: it is Korean, and `kiwipiepy` is not installed.
    """
    folded = _THOUSANDS.sub("", unicodedata.normalize("NFKC", text[:_READ]).casefold())
    if not _IS_HANGUL.search(folded):
        return ContentWords(_stems(folded))
    return ContentWords(_stems(folded), _morphemes(folded), frozenset(_KOREAN_WORD.findall(folded)))


def stem_of(word: str) -> str:
    """The stem of an English word in small letters; the word itself where no stemmer is installed."""
    return _stem(word) if is_installed("snowballstemmer") else word


def _stems(folded: str) -> frozenset[str]:
    words = (_POSSESSIVE.sub("", word) for word in _WORD.findall(folded) if word not in FUNCTION_WORDS)
    stems = (_stem(word) for word in words if len(word) > 1 or not word.isascii() or word.isdecimal())
    return frozenset(stems) - _general_stems()


@lru_cache(maxsize=100_000)
def _stem(word: str) -> str:
    return str(_stemmer().stemWord(word)) if len(word) <= _LONGEST else word


@lru_cache(maxsize=1)
def _general_stems() -> frozenset[str]:
    return frozenset(map(_stem, GENERAL_ENGLISH))


@lru_cache(maxsize=1)
@needs_extra("comparing words with facts")
def _stemmer() -> Any:
    import snowballstemmer

    return snowballstemmer.stemmer("english")


@needs_extra("comparing Korean words with facts", "kiwipiepy")
def _morphemes(folded: str) -> frozenset[tuple[str, str]]:
    """Dictionary forms, those of a compound's parts too, each with the word that it begins in."""
    # "이것" in the place of a title, so that a particle behind it is known as one.
    spaced = _UNSPACED.sub(r"\1 ", folded.replace(MASK, "이것"))
    pieces = textwrap.wrap(spaced, _PIECE, break_on_hyphens=False)
    found = set[tuple[str, str]]()
    for piece, morphemes in zip(pieces, morphemes_of(pieces), strict=True):
        words = {at: word.group() for word in _KOREAN_WORD.finditer(piece) for at in range(*word.span())}
        found |= {(one.form, words.get(one.start, "")) for one in morphemes}
    return frozenset(
        (form, word) for form, word in found if form not in GENERAL_KOREAN and _IS_HANGUL.match(form)
    )
