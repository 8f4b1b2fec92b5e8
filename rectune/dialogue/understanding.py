"""Reading a message by rules: what it asks, which items it names, and what it says of the person.

The rules come first and read both languages; where they find nothing, `rectune.dialogue.model_reading` may
ask a model. Every fact bears the words that it was read from.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rectune.core.types import Item, Locale
from rectune.dialogue.chat_catalogue import ChatCatalogue, Named
from rectune.dialogue.circumstances import circumstances_in
from rectune.dialogue.forgetting import asks_for_all, words_to_forget
from rectune.dialogue.intents import Ask, ask_of, asks_whether_there, says_unseen, wants_shorter_items
from rectune.dialogue.knowledge import ChatFact
from rectune.dialogue.message_text import blanked, language_of, lowered, plain_message, quoted_words
from rectune.dialogue.named_items import named_items
from rectune.dialogue.pointing import places_of, points_alone, points_back, recalls_first
from rectune.dialogue.stances import said_of
from rectune.dialogue.unknown_titles import unknown_titles
from rectune.dialogue.wanted_words import words_to_search
from rectune.dialogue.wishes import Order, order_of
from rectune.prompts.titles import name_of

_OF_ITEMS = (
    "about_me",
    "forget",
    "about_item",
    "why",
)  # what says nothing of how somebody spends the evening
_LIKE = re.compile(r"\b(?:like|similar)\b|같은|비슷|처럼")


@dataclass(frozen=True)
class Spoken:
    """What was spoken of before a message.

    Attributes:
        shown: ids of the items of the last answer that showed some, in its order.
        focus: the id of the item that was spoken of last; empty for none.
        locale: the language so far.
        foreign: items of other domains that were named before, the latest last.
        first: the id of the item that was recommended first of all; empty for none.
    """

    shown: Sequence[str] = ()
    focus: str = ""
    locale: Locale = "en"
    foreign: Sequence[Item] = ()
    first: str = ""


@dataclass(frozen=True)
class Understood:
    """What a message says.

    Attributes:
        ask: what it asks.
        locale: its language.
        facts: what it says of the person, in its order; ids and superseding are the memory's.
        items: ids of the catalogue's items that it names or points at, in its order.
        foreign: items of other domains that it names.
        query: the words to search with; empty where none say what is wanted.
        forget: what is to be forgotten, in words; empty for nothing or, with `forget_all`, for everything.
        forget_all: whether all is to be forgotten.
        shorter_items: whether items are wanted that take less time.
        unknown: titles in quotation marks that neither the catalogue nor another domain has.
        order: what the items should be ordered by; empty for how well they suit.
        by: who read it: the rules, or a model where they found nothing.
    """

    ask: Ask
    locale: Locale
    facts: tuple[ChatFact, ...] = ()
    items: tuple[str, ...] = ()
    foreign: tuple[Item, ...] = ()
    query: str = ""
    forget: tuple[str, ...] = ()
    forget_all: bool = False
    shorter_items: bool = False
    unknown: tuple[str, ...] = ()
    order: Order = ""
    by: str = "rules"


def understand(
    message: str, catalogue: ChatCatalogue, spoken: Spoken, message_id: int = 0, created: int = 0
) -> Understood:
    """Read a message.

    Args:
        message: as it was typed; its first 1,000 characters are read.
        catalogue: what is talked about.
        spoken: what was spoken of before.
        message_id: of the message, for its facts.
        created: milliseconds since 1970, for its facts.
    """
    text = plain_message(message)
    locale = language_of(text, spoken.locale)
    own, other = named_items(text, catalogue)
    masked = _masked(text, [*own, *other])
    low = lowered(masked)
    ask = ask_of(low, locale)
    unknown = unknown_titles(text, [(one.start, one.end) for one in (*own, *other)])
    pointed = _pointed(low, spoken, ask, bool(own))
    first = pointed[0] if pointed else ""
    circumstances = [] if ask in _OF_ITEMS else circumstances_in(low, locale)
    order = order_of(low, locale, catalogue)
    read = [*((one.start, one.end) for one in circumstances), *((one.start, one.end) for one in unknown)]
    rest = blanked(low, [*read, *((one.start, one.end) for one in order)])
    facts = [
        ChatFact(one.kind, one.value, quoted_words(text, one.start, one.end, locale), message_id, created)
        for one in circumstances
    ]
    quiet = ask in ("about_me", "forget", "about_item", "greeting", "thanks", "able")
    if not quiet:
        said = said_of(text, rest, locale, own, catalogue, first)
        facts += [replace(one, message_id=message_id, created=created) for one in said]
    facts.sort(key=lambda one: text.find(one.quote))
    foreign = tuple(one.item for one in other) or _foreign_before(low, spoken)
    found = Understood(
        ask,
        locale,
        tuple(dict.fromkeys(facts)),
        tuple(dict.fromkeys([*(one.item.item_id for one in own), *pointed])),
        foreign,
        "" if quiet or ask in ("why", "not_that") else words_to_search(text, rest, locale, own, other, facts),
        shorter_items=wants_shorter_items(low),
        unknown=tuple(one.title for one in unknown),
        order=order[0].order if order else "",
    )
    if ask == "forget":
        return _to_forget(found, text, low, own, catalogue)
    settled = _settled(found, low, bool(own))
    return replace(found, ask=settled, query="" if settled == "tell" else found.query)


def _settled(found: Understood, low: str, titled: bool) -> Ask:
    """What is asked, where the rules for it found nothing but something was said, or a title stands alone."""
    if found.ask == "like_that" and not found.items and found.query:
        return "recommend"
    if found.ask == "best" and found.facts:
        return "recommend"
    if found.ask == "longer" and (titled or places_of(low)) and found.items:
        return "about_item"
    if found.ask == "recommend" and titled and asks_whether_there(low) and not _LIKE.search(low):
        return "about_item"
    if found.ask == "shorter" and found.shorter_items:
        return "recommend"
    if found.ask == "about_item" and not found.items and places_of(low):
        return "about_item"
    if found.ask == "about_item" and not found.items:
        return "recommend" if found.foreign or found.query else "nothing"
    kinds = {fact.kind for fact in found.facts}
    if found.ask == "like_that" and "like" in kinds:
        return "tell"
    if found.ask == "nothing" and found.items and points_alone(low):
        return "about_item"
    if found.ask == "nothing" and found.order:
        return "recommend"
    if found.ask != "nothing":
        return found.ask
    if kinds & {"want", "mood", "time", "company", "occasion", "not_now"}:
        return "recommend"
    if kinds:
        return "tell"
    if titled and says_unseen(low):
        return "about_item"
    if found.unknown:
        return "recommend"
    return "recommend" if titled or found.foreign else "nothing"


def _masked(text: str, named: Sequence[Named]) -> str:
    """The text with U+FFFC in place of every character of a title."""
    for one in named:
        text = text[: one.start] + "\ufffc" * (one.end - one.start) + text[one.end :]
    return text


def _pointed(low: str, spoken: Spoken, ask: Ask, titled: bool) -> list[str]:
    """The ids of the shown items that a message points at; of several only where it compares them."""
    if recalls_first(low) and spoken.first:
        return [spoken.first]
    places = places_of(low)
    if places and spoken.shown:
        last = len(spoken.shown) - 1
        ats = [place - 1 if place > 0 else last for place in places]
        ids = [spoken.shown[at] for at in ats if at <= last]
        return ids if ask == "about_item" else ids[:1]
    implied = ask in ("why", "not_that", "about_item") and not titled
    if ask != "forget" and (points_back(low) or implied):
        return [spoken.focus] if spoken.focus else []
    return []


def _foreign_before(low: str, spoken: Spoken) -> tuple[Item, ...]:
    """The item of another domain that `that game` means."""
    said = ("that game", "that film", "that movie", "that book", "that album", "that anime", "that song")
    korean = ("그 게임", "그 영화", "그 책", "그 앨범", "그 애니", "그 노래", "그 소설")
    return tuple(spoken.foreign[-1:]) if any(one in low for one in (*said, *korean)) else ()


def _to_forget(
    found: Understood, text: str, low: str, own: Sequence[Named], catalogue: ChatCatalogue
) -> Understood:
    """With what is to be forgotten: terms and titles that are named, else the words that are left."""
    terms = [one.term.value for one in catalogue.terms.find(low)]
    values = [*terms, *(name_of(one.item.title) for one in own)] or words_to_forget(low, found.locale)
    everything = not values and asks_for_all(low)
    return replace(found, forget=tuple(values), forget_all=everything, query="")
