"""What a message says that somebody likes, avoids, wants or has seen, by its cues."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rectune.core.text.support import MASK
from rectune.core.types import Item, Locale
from rectune.dialogue.chat_catalogue import ChatCatalogue, Named, item_called
from rectune.dialogue.cues import Cue, Stance, cues_of, of_somebody_else
from rectune.dialogue.knowledge import ChatFact, FactKind
from rectune.dialogue.message_text import SentenceSpan, sentences_of
from rectune.dialogue.phrases import phrases_in
from rectune.dialogue.pointing import places_of, points_back

_KINDS: dict[Stance, FactKind] = {"like": "like", "avoid": "avoid", "want": "want", "seen": "seen"}
_LONGEST_QUOTE = 200
_AROUND = " ,.;:!?~\"'-"
_JOINED = re.compile(r"\s(?:but|and|because|so|since|though|although|or|please)$", re.IGNORECASE)
_COMMA = re.compile(r"[,;] *(?:but|and|though)? *$")
_POINTER = 3  # words that do nothing but point: "that one", "the second one"
_REST_OF_WORD = re.compile(
    r"[가-힣]*(?: ?(?:줘|주세|주실|줄래|주라|봐|볼래"
    r"|싶)[가-힣]*)?"
)  # behind a Korean cue
_THING = re.compile(r"(?:이요|이에요|예요|요)(?=[.!~ ]*$)")  # a noun and nothing else: 드라마요
_MOST_WORDS = 6  # of a message that is nothing but the name of what is wanted
_SENTENCE = re.compile(
    r"\b(?:i|you|he|she|we|they|my|is|are|was|do|did|that|wish)\b|[가-힣](?:어|아|다|요|까|네|지)[.!]*$"
)


@dataclass(frozen=True, slots=True)
class _Reach:
    """The words that a cue governs, and those that are quoted for them."""

    stance: Stance
    start: int
    end: int
    quote: tuple[int, int]


def said_of(
    text: str, low: str, locale: Locale, named: Sequence[Named], catalogue: ChatCatalogue, pointed: str
) -> list[ChatFact]:
    """The facts that a message states, in its order; ids, message and time are left to the caller.

    Args:
        text: the message, as it was typed.
        low: the same in lower case, with U+FFFC in place of titles, and without circumstances.
        locale: its language.
        named: the catalogue's items that it names.
        catalogue: its terms.
        pointed: the id of the item that it points at; empty for none.
    """
    found = list[ChatFact]()
    for sentence in sentences_of(low):
        for reach in _reaches(low, sentence, locale):
            found += _facts(text, low, reach, locale, named, catalogue, pointed)
    return found or _wanted_alone(text, low, locale, catalogue)


def _wanted_alone(text: str, low: str, locale: Locale, catalogue: ChatCatalogue) -> list[ChatFact]:
    """What a message wants that is nothing but its name: `a thriller`."""
    if len(low.split()) > _MOST_WORDS or "?" in low or cues_of(low, locale):
        return []
    terms = catalogue.terms.find(low)
    bare = _THING.sub("", low) if terms and locale == "ko" else low
    ends = max((one.end for one in terms), default=0)
    if _SENTENCE.search(bare if ends >= len(bare.rstrip(" .!~")) else low):
        return []
    return [ChatFact("want", one.term.value, text[one.start : one.end], 0, 0) for one in terms]


def _reaches(low: str, sentence: SentenceSpan, locale: Locale) -> Iterator[_Reach]:
    """What the cues of a sentence govern. A question says nothing of a person but what they want."""
    part = low[sentence.start : sentence.end]
    cues = cues_of(part, locale)
    stated = [one for one in cues if one.stance in ("like", "avoid")]
    for at, cue in enumerate(cues):
        before = cues[at - 1].end if at else 0
        if not at and cue.behind and _opens_with_wish(part[: cue.start], cue):
            offset = sentence.start
            yield _Reach("want", offset, cue.start + offset, (offset, cue.start + offset))
        behind = cues[at + 1].start if at + 1 < len(cues) else len(part)
        if cue.stance in ("none", "void") or (sentence.asks and cue.stance == "seen" and locale == "ko"):
            continue
        stance = _settled(cue, stated)
        start, end = (cue.end, behind) if cue.behind else (before, cue.start)
        if locale == "ko" and cue.stance in ("like", "avoid", "seen") and of_somebody_else(part[start:end]):
            continue
        quote = (cue.start, end) if cue.behind else (start, _word_end(part, cue.end, locale))
        offset = sentence.start
        yield _Reach(stance, start + offset, end + offset, (quote[0] + offset, quote[1] + offset))


def _word_end(part: str, at: int, locale: Locale) -> int:
    """Where the word of a Korean cue ends, with the auxiliary behind it: 추천해 (줘), 좋아해(요)."""
    found = _REST_OF_WORD.match(part, at) if locale == "ko" else None
    return found.end() if found else at


def _opens_with_wish(words: str, cue: Cue) -> bool:
    """Whether the words before the first cue only name what is wanted: `a comedy, but I hate clowns`."""
    parted = cue.stance == "not" or _COMMA.search(words)
    return bool(parted) and cue.stance != "want" and not _SENTENCE.search(words)


def _settled(cue: Cue, stated: Sequence[Cue]) -> Stance:
    """What is left out is avoided for ever where the sentence says what somebody likes or hates."""
    if cue.stance != "not":
        return cue.stance
    return "avoid" if stated else "not"


def _facts(
    text: str, low: str, reach: _Reach, locale: Locale, named: Sequence[Named], catalogue: ChatCatalogue,
    pointed: str,
) -> Iterator[ChatFact]:  # fmt: skip
    kind: FactKind = "not_now" if reach.stance == "not" else _KINDS[reach.stance]
    quote = text[reach.quote[0] : reach.quote[1]].strip(_AROUND)[:_LONGEST_QUOTE]
    quote = _JOINED.sub("", quote).strip(_AROUND)
    inside = low[reach.start : reach.end]
    items = [one.item for one in named if reach.start <= one.start and one.end <= reach.end]
    items += [one for one in _titled(inside, locale, catalogue, bool(items)) if one not in items]
    if kind == "want":
        items = []  # a title that is wanted is a request for what is like it
    for item in items:
        yield ChatFact(kind, item.title, quote, 0, 0, item.item_id)
    if (
        not items
        and pointed
        and kind in ("like", "avoid", "seen", "not_now")
        and _points(inside, text, reach)
    ):
        title = catalogue.items[pointed].title if pointed in catalogue.items else ""
        yield ChatFact(kind, title or pointed, quote, 0, 0, pointed)
        return
    if kind == "seen" or (items and MASK not in inside):
        return
    terms = catalogue.terms.find(inside)
    yield from (ChatFact(kind, value, quote, 0, 0) for value in dict.fromkeys(t.term.value for t in terms))
    if kind == "want":
        return  # the words of what is wanted are searched with as they are
    rest = inside
    for one in reversed(terms):
        rest = rest[: one.start] + MASK + rest[one.end :]
    for phrase in phrases_in(rest, locale):
        if items and item_called(phrase, catalogue.titles) in items:
            continue
        start = low.find(phrase, reach.start)
        shown = text[start : start + len(phrase)] if start >= 0 else phrase
        yield ChatFact(kind, shown, quote, 0, 0)


def _titled(inside: str, locale: Locale, catalogue: ChatCatalogue, besides: bool) -> list[Item]:
    """The items whose titles the words are, in whatever case: `i loved heat`; several only `besides` others
    that were found.
    """
    found = list[Item]()
    for phrase in [inside.strip(" .!?,\"'"), *phrases_in(inside, locale)]:
        item = None if MASK in phrase else item_called(phrase, catalogue.titles)
        if item and item not in found and not catalogue.terms.find(phrase):
            found.append(item)
    return found if besides else found[:1]


def _points(inside: str, text: str, reach: _Reach) -> bool:
    if len(inside.split()) > _POINTER:
        return False
    return points_back(f"{inside} ") or bool(places_of(inside.strip()))
