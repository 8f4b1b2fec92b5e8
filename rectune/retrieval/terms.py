"""What a text is searched by: words, morphemes of Korean, pairs of letters of other scripts without spaces.

Every run of letters is split as its script wants, so that texts in two scripts are found by both. Texts are
folded first (Unicode NFKC and case), which joins decomposed Hangul and makes full-width letters plain.
"""

from __future__ import annotations

import itertools
import re
import typing
from collections.abc import Container, Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from rectune.core.errors import UserError
from rectune.core.progress import say
from rectune.core.text.morphemes import PAIRS, Morpheme, is_word, morphemes_of, segmenter
from rectune.prompts.titles import fold

_HANGUL = "\u1100-\u11ff\uac00-\ud7a3"
_OTHERS = "\u3040-\u30ff\u3400-\u9fff\u0e00-\u0e7f"  # kana, Chinese characters, Thai
_IS_HANGUL = re.compile(f"[{_HANGUL}]")
_UNSPACED = re.compile(f"[{_HANGUL}{_OTHERS}]")
_RUN = re.compile(rf"(?P<hangul>[{_HANGUL}]+)|(?P<pairs>[{_OTHERS}]+)|[^\W{_HANGUL}{_OTHERS}]+")
_ENDING = 3  # syllables of particles and endings behind a word, at most
PREDICATE = "/"  # ends the term of a verb or an adjective: no word has it


def terms_of(texts: Iterable[str]) -> Iterator[list[str]]:
    """The terms of each text, in no particular order; a term stands there as often as in the text.

    Nouns are their dictionary form, verbs and adjectives theirs and a slash. Without `kiwipiepy` Hangul is
    split into pairs of letters, which is said once.
    """
    for folded, morphemes in _read(texts):
        found = [term for run in _RUN.finditer(folded) for term in _plain_terms(run, morphemes is None)]
        yield found + [_term(one) for one in morphemes or ()]


class PlacedTerm(typing.NamedTuple):
    """A term and where it stands in the folded text."""

    term: str
    start: int
    end: int


def placed_terms(text: str) -> list[PlacedTerm]:
    """The terms of a text in its order; those of a compound's parts stand in its place, behind it."""
    ((folded, morphemes),) = _read([text])
    found = [
        PlacedTerm(term, run.start(), run.end())
        for run in _RUN.finditer(folded)
        for term in _plain_terms(run, morphemes is None)
    ]
    found += [PlacedTerm(_term(one), one.start, one.end) for one in morphemes or ()]
    return sorted(found, key=lambda one: one.start)


def is_hangul(term: str) -> bool:
    """Whether a term is of a Korean word."""
    return _IS_HANGUL.match(term) is not None


def needs_terms(text: str) -> bool:
    """Whether a text holds any script whose words a search by words alone would miss."""
    return _UNSPACED.search(fold(text)) is not None


def joined_terms(texts: Sequence[str]) -> Iterator[str | None]:
    """The terms of each text joined by spaces; None for texts that a search by words alone finds."""
    needs = [needs_terms(text) for text in texts]
    split = terms_of(text for text, needed in zip(texts, needs, strict=True) if needed)
    return (" ".join(next(split)) if needed else None for needed in needs)


def segmenter_of(terms: Iterable[str]) -> str:
    """What split the Korean words among these terms; empty where there are none."""
    return segmenter() if any(map(is_hangul, terms)) else ""


def refuse_other_segmenter(made_with: str, folder: Path, hint: str) -> None:
    """Refuse what was made of terms that are other ones here.

    Args:
        made_with: what `segmenter_of` said then.
        folder: what is refused.
        hint: how it is made again.

    Raises:
        UserError: Korean is split by something else here, or by another version of it.
    """
    if made_with and made_with != (here := segmenter()):
        raise UserError(
            f"its Korean texts are split by {made_with}, here by {here}", where=str(folder), hint=hint
        )


def unknown_words(text: str, known: Container[str]) -> list[list[str]]:
    """What may be misspelt in a query: words in Hangul without anything that is known.

    Args:
        text: the query.
        known: the terms of the catalogue.

    Returns:
        for each such word its spellings: the word, and the word without 1 to 3 syllables that may be
        particles. Nothing without `kiwipiepy`.
    """
    if segmenter() == PAIRS or not _IS_HANGUL.search(folded := fold(text)):
        return []
    (morphemes,) = morphemes_of([folded])
    found = list[list[str]]()
    for run in _RUN.finditer(folded):
        inside = [one for one in morphemes if one.start < run.end() and one.end > run.start()]
        understood = any((one.known and len(one.form) > 1) or one.form in known for one in inside)
        if run["hangul"] and not understood and not is_word(word := run.group()):
            found.append([word[: len(word) - cut] for cut in range(min(_ENDING + 1, len(word)))])
    return found


def _read(texts: Iterable[str]) -> Iterator[tuple[str, Sequence[Morpheme] | None]]:
    """Each text folded, with its morphemes; None where there is no Kiwi to find them."""
    folded, again = itertools.tee(map(fold, texts))
    if segmenter() == PAIRS:
        for text in folded:
            if _IS_HANGUL.search(text):
                _say_pairs()
            yield text, None
        return
    split = morphemes_of(text for text in again if _IS_HANGUL.search(text))
    for text in folded:
        yield text, next(split) if _IS_HANGUL.search(text) else ()


def _plain_terms(run: re.Match[str], pairs: bool) -> list[str]:
    """The terms of a run that is not split into morphemes."""
    text = run.group()
    if run["hangul"] and not pairs:
        return []
    if run["hangul"] or run["pairs"]:
        return [text[at : at + 2] for at in range(max(1, len(text) - 1))]
    return [text]


def _term(morpheme: Morpheme) -> str:
    form = "".join(morpheme.form.split())
    return form + PREDICATE if morpheme.predicate else form


@lru_cache(maxsize=1)
def _say_pairs() -> None:
    """Once in a process."""
    say("  Korean texts are searched by pairs of letters; by morphemes after: pip install 'rectune[llm]'")
