"""What is said around the items: what was heard, by what they were found, what could not be met."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from rectune.core.item_values import MAKERS, facts_by_value
from rectune.core.text.support import content_words
from rectune.dialogue.chat_catalogue import ChatCatalogue
from rectune.dialogue.chat_search import Found, SearchWish, item_text
from rectune.dialogue.chat_sentences import Sentences, shown_value
from rectune.dialogue.chat_turn import ChatMessage, SaidSentence
from rectune.dialogue.circumstances import is_feeling
from rectune.dialogue.item_years import year_of
from rectune.dialogue.knowledge import ChatFact
from rectune.dialogue.memory import MemoryChange
from rectune.dialogue.message_text import blanked, plain_message
from rectune.dialogue.narrowing import FOR_YOUNG
from rectune.dialogue.understanding import Understood
from rectune.prompts.genre_names import as_said
from rectune.prompts.template_reasons import quoted
from rectune.prompts.titles import fold

_ENDED = ("like", "avoid")  # kinds of facts of which it is said that they were superseded
_ROLES = MAKERS | frozenset("actor actress starring with by 배우 출연 주연 나오는 나온".split())
_NARROWING = ("want", "like", "avoid", "not_now", "company")  # kinds of facts that leave fewer items


@dataclass(frozen=True)
class Framing:
    """Says what stands around the items of one answer.

    Attributes:
        message, understood, change: see `rectune.dialogue.chat_answers.Answering`.
        catalogue: what is talked about.
        sentences: of the language.
        likes: whether it is known what people like.
    """

    message: ChatMessage
    understood: Understood
    change: MemoryChange
    catalogue: ChatCatalogue
    sentences: Sentences
    likes: bool

    def heard(self, wish: SearchWish) -> list[SaidSentence]:
        """What was understood of the message, and what it ended."""
        say = self.sentences
        found = say.noted(self.change.added)
        ended = [one for one in self.change.removed if one.kind in _ENDED and self._turned(one)]
        found += [say.quotes("superseded", ended)] if ended else []
        young = any(fold(one) in map(fold, FOR_YOUNG) for one in wish.met)
        now = [
            one
            for one in self.change.added
            if (one.kind == "company" and not young) or (one.kind == "mood" and is_feeling(one.value))
        ]
        return [*found, *([say.quotes("noted_now", now)] if now else [])]

    def opening(self, wish: SearchWish, found: Found, query: str) -> SaidSentence:
        """What the items were found by."""
        say, understood = self.sentences, self.understood
        wanted = ", ".join(map(self._value, wish.met))
        if wish.order:
            return say.say(f"order_{wish.order}", wanted=wanted, likes=self.likes)
        likened = [self.catalogue.items[id] for id in wish.likened] + list(understood.foreign)
        if likened and understood.ask in ("recommend", "like_that"):
            return say.named("likened", likened)
        if understood.ask in ("others", "not_that") and not understood.query:
            return say.say("others")
        if wish.met:
            return say.say("wanted", wanted=wanted)
        if query and found.fits:
            return say.say("searched", query=self._quoted(query))
        if (wish.history or wish.query) and not any(found.evidence):
            return say.say("rest")
        if wish.history or wish.query:
            return say.say("liked")
        return say.say("popular" if self.likes else "in_order")

    def limits(self, wish: SearchWish) -> list[SaidSentence]:
        """What of the wish could not be met: it is never dropped silently, and said when it is asked for."""
        say, notes, understood = self.sentences, list[SaidSentence](), self.understood
        kinds = {fact.kind for fact in understood.facts}
        if understood.unknown:
            notes.append(say.say("unknown", names=", ".join(map(_title, understood.unknown))))
        if wish.unmet:
            notes.append(say.say("unmet", wanted=", ".join(map(self._value, wish.unmet))))
        if wish.not_young and kinds & set(_NARROWING):
            notes.append(say.say("not_young"))
        if not wish.lengths and ("time" in kinds or understood.shorter_items):
            notes.append(say.say("lengths"))
        return notes

    def notes(self, wish: SearchWish, found: Found) -> list[SaidSentence]:
        """What could not be met by what was found."""
        say, notes, understood = self.sentences, self.limits(wish), self.understood
        if wish.order in ("new", "old") and all(year_of(item) is None for item in found.items):
            notes.append(say.say("years"))
        if any(one.kind == "mood" and is_feeling(one.value) for one in understood.facts):
            notes.append(say.say("feeling"))
        if missing := self._missing(wish, found):
            notes.append(say.say("unfit", query=self._quoted(missing)))
        return [*notes, *([say.say("again")] if wish.again else [])]

    def _missing(self, wish: SearchWish, found: Found) -> str:
        """The words of the message that nothing found has anything of; empty for none."""
        query = self.understood.query
        if not query or wish.order:
            return ""
        if not found.fits:
            return query
        if not wish.met:
            return ""
        terms = self.catalogue.terms.find(query.casefold()) if len(query.casefold()) == len(query) else []
        left = blanked(query, [(one.start, one.end) for one in terms])
        rest = " ".join(one for one in left.split() if one.casefold() not in _ROLES)
        asked = content_words(rest.casefold())
        told = [content_words(item_text(item)) for item in found.items]
        return rest if asked.all and self._quoted(rest) and not any(map(asked.standing_in, told)) else ""

    def _value(self, value: str) -> str:
        """A value with the name that was said for it, now or before."""
        said = [fact.quote for fact in reversed(self.change.facts) if fold(fact.value) == fold(value)]
        words = next((one for one in said if as_said(value, one) != value), "")
        return self.sentences.value(value, words, self.roles.get(fold(value), ""))

    @cached_property
    def roles(self) -> dict[str, str]:
        """Values of facts that are no categories -> the name of the fact."""
        kinds = {fold(name) for name in self.catalogue.terms.categories()}
        facts = [facts_by_value(item) for item in self.catalogue.items.values()]
        return {value: name for one in facts for value, (name, _) in one.items() if value not in kinds}

    def _quoted(self, query: str) -> str:
        """The words of the message that were searched with, where they stand in it as they are."""
        said = plain_message(self.message.text)
        found = re.search(re.escape(query), said, re.IGNORECASE)
        return f'"{shown_value(found.group())}"' if found else ""

    def _turned(self, old: ChatFact) -> bool:
        """Whether a fact was ended by one that says the opposite."""
        return any(fold(one.value) == fold(old.value) and one.kind != old.kind for one in self.change.added)


def _title(title: str) -> str:
    return quoted(shown_value(title))
