"""The facts of a person's chats: added, superseded, forgotten on request, ended with the session.

Every function gives what is to be kept, added and deleted; the store does it. What is deleted is gone: no
summary and no other fact holds it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from rectune.core.text.leading_article import upright
from rectune.core.text.support import content_words
from rectune.dialogue.knowledge import SESSION_KINDS, ChatFact, FactKind
from rectune.prompts.titles import fold, name_of, without_year

# What ends what, where both speak of the same: the later of two says what holds.
_ENDED_BY: dict[FactKind, tuple[FactKind, ...]] = {
    "like": ("like", "avoid", "not_now"),
    "avoid": ("avoid", "like", "want", "mood", "not_now"),
    "want": ("want", "not_now"),
    "mood": ("mood", "not_now"),
    "not_now": ("not_now", "want", "mood"),
    "seen": ("seen",),
    "company": ("company",),
    "occasion": ("occasion",),
    "time": ("time",),
}
_ONE_AT_A_TIME: tuple[FactKind, ...] = ("time", "company", "occasion", "mood", "want")
"""Of these the latest message that has any holds: a new wish takes the place of the old one."""
MOST = 500  # facts that are kept of a person; the oldest of the session go first, then the oldest


@dataclass(frozen=True)
class MemoryChange:
    """What becomes of the facts.

    Attributes:
        facts: what is known afterwards, oldest first.
        added: what is new in it.
        removed: what was known before and is to be deleted.
    """

    facts: tuple[ChatFact, ...]
    added: tuple[ChatFact, ...] = ()
    removed: tuple[ChatFact, ...] = ()


def remember(known: Sequence[ChatFact], new: Sequence[ChatFact]) -> MemoryChange:
    """Add what one message says; what it contradicts or says anew is superseded, and removed.

    "I like horror after all" ends "I avoid horror". A wish, mood, company, occasion and time at hand of
    a later message take the place of those before.
    """
    fresh = list[ChatFact]()
    for fact in new:  # of two of one message the later stands
        fresh = [one for one in fresh if not _supersedes(fact, one, within=True)]
        fresh.append(fact)
    kept = [old for old in known if not any(_supersedes(one, old) for one in fresh)]
    gone = [old for old in known if old not in kept]
    whole = [*kept, *fresh]
    if len(whole) > MOST:
        left = sorted(whole, key=lambda one: one.kind in SESSION_KINDS)[:MOST]
        gone += [one for one in kept if one not in left]
        whole = [one for one in whole if one in left]
    return MemoryChange(tuple(whole), tuple(one for one in fresh if one in whole), tuple(gone))


def forget(known: Sequence[ChatFact], words: Sequence[str], everything: bool = False) -> MemoryChange:
    """Take back what a person wants forgotten: the facts whose value or quote has all words of one of these.

    Args:
        known: the facts.
        words: terms, titles or words, as the message has them.
        everything: whether all facts go.
    """
    gone = tuple(fact for fact in known if everything or any(_speaks_of(fact, word) for word in words))
    quotes = {fact.quote for fact in gone}
    kept, restated, removed = list[ChatFact](), list[ChatFact](), list(gone)
    for fact in known:
        if fact in gone:
            continue
        if fact.quote in quotes:  # the words of what is forgotten must not stay with what is kept
            removed.append(fact)
            fact = replace(fact, quote=_own_words(fact), id=0)
            restated.append(fact)
        kept.append(fact)
    return MemoryChange(tuple(kept), tuple(restated), tuple(removed))


def without_session(known: Iterable[ChatFact]) -> MemoryChange:
    """What is left when a session ends."""
    facts = list(known)
    gone = tuple(fact for fact in facts if fact.kind in SESSION_KINDS)
    return MemoryChange(tuple(fact for fact in facts if fact not in gone), (), gone)


def same_thing(one: ChatFact, other: ChatFact) -> bool:
    """Whether two facts speak of the same item, or of the same word."""
    if one.item_id or other.item_id:
        return one.item_id == other.item_id
    return fold(one.value) == fold(other.value)


def _supersedes(new: ChatFact, old: ChatFact, within: bool = False) -> bool:
    """Whether a later fact ends an earlier one; `within` one message several wishes stand together."""
    if not within and old.kind == new.kind and new.kind in _ONE_AT_A_TIME:
        return old.message_id != new.message_id or same_thing(new, old)
    return old.kind in _ENDED_BY[new.kind] and same_thing(new, old)


def _own_words(fact: ChatFact) -> str:
    """The words of a quote that name what its fact speaks of; its value where they do not stand in it."""
    for name in (fact.value, without_year(fact.value), upright(without_year(fact.value) or fact.value)):
        at = fact.quote.casefold().find(name.casefold()) if name else -1
        if at >= 0 and len(fact.quote.casefold()) == len(fact.quote):
            return fact.quote[at : at + len(name)]
    return fact.value


def _speaks_of(fact: ChatFact, word: str) -> bool:
    if fold(word) == fold(fact.value) or name_of(word) == name_of(fact.value):
        return True
    wanted = content_words(fold(word)).all
    if wanted:
        return wanted <= content_words(fold(fact.value)).all
    return fold(word) in fold(fact.value)
