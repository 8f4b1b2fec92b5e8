"""Claims from what a person said: tastes typed at the entrance, facts of chats, claims that they wrote.

Words are compared with the catalogue, case and Korean particles aside: categories, makers, facts, decades and
words of descriptions that it has become claims of that aspect, which items can be compared with; so do names
of its categories in the other language (`rectune.prompts.genre_names`). What it has nothing of stays as it
was said.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from rectune.core.item_values import MAKERS
from rectune.core.text.common_words import FUNCTION_WORDS, GENERAL_ENGLISH
from rectune.core.text.plain import cut_line
from rectune.dialogue.findings import claim_id
from rectune.dialogue.knowledge import ChatFact, Claim, Stance, UserKnowledge
from rectune.dialogue.traits import CatalogueTraits, Trait, aspect_order, telling_terms
from rectune.prompts.genre_names import names_for
from rectune.prompts.titles import split_words
from rectune.retrieval.terms import is_hangul

TASTE = "taste"
_LONGEST = 200  # characters of what was said that are kept in a claim
_PIECES = re.compile(r"[,;\n·/、，]+")
_DECADE = re.compile(
    r"(?<!\d)(?:(?P<full>(?:19|20)\d0)|(?P<short>\d0))(?:['’]?s(?![a-z])|년대)", re.IGNORECASE
)
_AGAINST = (
    r"\b(?:no|not(?! only| just)|never|without|except|hate[sd]?|dislike[sd]?|avoids?|(?:do|does)n['’]?t"
    r" (?:like|want|enjoy)|can(?:no|['’])?t stand|anything but|nothing|tired of|sick of)\b"
)
_AGAINST_KO = r"말고|빼고|제외|싫|별로|질색|피하|피해|없는|없이|아닌|안 ?(?:좋|봐|봤|읽)|(?:하지|보지) ?않"
_SAYS_AGAINST = re.compile(rf"{_AGAINST}|(?:{_AGAINST_KO})", re.IGNORECASE)
_HOW = re.compile(rf"{_AGAINST}|\S*(?:{_AGAINST_KO})\S*", re.IGNORECASE)
_BEFORE = re.compile(rf"{_AGAINST}[^.]{{0,30}}$", re.IGNORECASE)
_BEHIND = re.compile(rf"^[^.]{{0,12}}?(?:{_AGAINST_KO})")
_FOR_AGAIN = re.compile(r"(?<!thing )\b(?:but|though|yet)\b(?! (?:no|not|never|without)\b)", re.IGNORECASE)
_ROLES = MAKERS | frozenset("actor actress starring cast directed written made 배우 출연 주연".split())
_PARTICLES = re.compile(
    r"(?:영화|소설|책|음악|게임|드라마|물|류|장르|작품)?(?:들)?"
    r"(?:은|는|이|가|을|를|과|와|도|만|의|에|로|으로|이나|나|랑|이랑|하고|보다|처럼|같은|까지|이고|고)?$"
)


@dataclass(frozen=True)
class _Mention:
    """A value in a text: from `start` to `end`, and to `until` with the particles behind it."""

    trait: Trait
    start: int
    end: int
    until: int


def said_claims(knowledge: UserKnowledge, catalogue: CatalogueTraits) -> list[Claim]:
    """What a person said of their taste, the latest first; of two that concern the same the latest counts.

    Facts that name an item speak of that item alone: they are evidence (`rectune.dialogue.findings`).
    """
    found: dict[Trait, Claim] = {}
    claims = [one for taste in knowledge.tastes for one in read_said(taste, catalogue)]
    claims += [one for fact in knowledge.facts for one in _of_fact(fact, catalogue)]
    for one in claims:
        trait = (one.aspect, one.value.casefold())
        found.pop(trait, None)
        found[trait] = one
    return list(found.values())[::-1]


def read_said(text: str, catalogue: CatalogueTraits, stance: Stance = "likes") -> list[Claim]:
    """The claims in a text that a person wrote of their taste; none where it has no words.

    Args:
        text: what they wrote; commas part what are claims of their own.
        catalogue: what values are looked up in.
        stance: what is meant where the words say neither.
    """
    found: dict[str, Claim] = {}
    for piece in filter(None, (cut_line(one, _LONGEST) for one in _PIECES.split(text))):
        for one in _of_piece(piece, catalogue, stance):
            found.setdefault(one.id, one)
    return list(found.values())


def _of_fact(fact: ChatFact, catalogue: CatalogueTraits) -> list[Claim]:
    if fact.kind not in ("like", "want", "avoid") or fact.item_id:
        return []
    stance: Stance = "avoids" if fact.kind == "avoid" else "likes"
    value, quote = cut_line(fact.value, _LONGEST), cut_line(fact.quote, _LONGEST)
    mentions = _mentions(value, catalogue) if value else []
    if not mentions:
        return [_said(stance, TASTE, value, quote)] if value else []
    return [_said(stance, one.trait[0], catalogue.shown[one.trait], quote) for one in mentions]


def _of_piece(piece: str, catalogue: CatalogueTraits, stance: Stance) -> Iterator[Claim]:
    mentions = _mentions(piece, catalogue)
    for at, one in enumerate(mentions):
        following = piece[one.end : mentions[at + 1].start if at + 1 < len(mentions) else len(piece)]
        own: Stance = "avoids" if _against(piece[: one.start], following) else stance
        yield _said(own, one.trait[0], catalogue.shown[one.trait], piece)
    rest = piece
    for one in reversed(mentions):
        rest = f"{rest[: one.start]} {rest[one.until :]}"
    left = telling_terms(_HOW.sub(" ", rest)) - _ROLES - catalogue.aspects
    if left or (not mentions and any(map(str.isalnum, piece))):
        yield _said("avoids" if _SAYS_AGAINST.search(rest) else stance, TASTE, piece, piece)


def _said(stance: Stance, aspect: str, value: str, quote: str) -> Claim:
    return Claim(claim_id(stance, aspect, value), stance, aspect, value, quote=quote)


def _against(before: str, following: str) -> bool:
    """Whether words say that a value is not wanted: before it in English, behind it in Korean."""
    parts = _FOR_AGAIN.split(before)
    return _BEFORE.search(parts[-1]) is not None or _BEHIND.search(following) is not None


def _mentions(text: str, catalogue: CatalogueTraits) -> list[_Mention]:
    """The values that a text names, in its order; of several that overlap the longest."""
    words = split_words(text)
    known = _spellings(catalogue)
    found: list[_Mention] = []
    at = 0
    while at < len(words):
        best = _longest([one.text for one in words[at:]], known)
        if best is None:
            at += 1
            continue
        trait, length, letters = best
        last = words[at + length - 1]
        end = last.start + letters if letters else last.end
        found.append(_Mention(trait, words[at].start, end, last.end))
        at += length
    decades = list(_decades(text, catalogue))
    rest = [
        one for one in found if not any(two.start < one.until and one.start < two.until for two in decades)
    ]
    return sorted([*rest, *decades], key=lambda one: one.start)


def _longest(words: Sequence[str], known: _Spellings) -> tuple[Trait, int, int] | None:
    """The longest value that stands at the beginning: its trait, its words, and letters of its last word that
    are its own where particles follow them (0 for all).
    """
    for length in range(min(len(words), known.longest), 0, -1):
        head = words[: length - 1]
        for last, letters in _bare(words[length - 1]):
            if (trait := known.traits.get((*head, last))) is not None:
                return trait, length, letters
    return None


def _bare(word: str) -> Iterator[tuple[str, int]]:
    """A word, and what may be meant by it: without a plural's ending, without Korean particles."""
    yield word, 0
    if is_hangul(word):
        for cut in range(len(word) - 1, 1, -1):
            if _PARTICLES.match(word[cut:]):
                yield word[:cut], cut
    elif word.endswith("ies"):
        yield f"{word[:-3]}y", 0
    elif word.endswith("s"):
        yield word[:-1], 0
    else:
        yield f"{word}s", 0


def _decades(text: str, catalogue: CatalogueTraits) -> Iterator[_Mention]:
    for match in _DECADE.finditer(text):
        short = match["short"]
        year = match["full"] or (f"20{short}" if int(short) < 30 else f"19{short}")
        if catalogue.having(trait := ("decade", f"{year}s")):
            yield _Mention(trait, match.start(), match.end(), match.end())


@dataclass(frozen=True)
class _Spellings:
    """The values of a catalogue by their words."""

    traits: dict[tuple[str, ...], Trait]
    longest: int


@lru_cache(maxsize=4)
def _spellings(catalogue: CatalogueTraits) -> _Spellings:
    found: dict[tuple[str, ...], Trait] = {}
    for trait in sorted(_sayable(catalogue.holders), key=lambda one: (aspect_order(one[0]), one)):
        if words := tuple(word.text for word in split_words(trait[1])):
            found.setdefault(words, trait)
    shown = {catalogue.shown[trait]: trait for trait in catalogue.holders if trait[0] == "category"}
    for name, category in names_for(sorted(shown)).items():
        if words := tuple(word.text for word in split_words(name)):
            found.setdefault(words, shown[category])
    return _Spellings(found, max(map(len, found), default=0))


def _sayable(traits: Iterable[Trait]) -> Iterator[Trait]:
    """Those whose value is no general word: a film called by "It" is not what is meant by it."""
    for aspect, value in traits:
        words = {word.text for word in split_words(value)}
        general = FUNCTION_WORDS if aspect == "category" else FUNCTION_WORDS | GENERAL_ENGLISH
        if aspect != "decade" and not words <= general:
            yield aspect, value
