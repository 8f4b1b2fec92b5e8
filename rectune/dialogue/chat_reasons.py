"""Why an item was recommended, from the catalogue and from what the person said."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rectune.core.types import Item, Locale
from rectune.dialogue.chat_catalogue import ChatCatalogue
from rectune.dialogue.chat_search import SearchWish, find
from rectune.dialogue.chat_sentences import Sentences
from rectune.dialogue.chat_turn import ChatMessage, ChatTurn, SaidSentence
from rectune.dialogue.knowledge import ChatFact
from rectune.dialogue.memory import MemoryChange
from rectune.dialogue.message_text import lowered, plain_message
from rectune.dialogue.named_items import items_in
from rectune.dialogue.pointing import places_of
from rectune.recommender.answering import CatalogueAnswers
from rectune.recommender.evidence import evidence_for


@dataclass(frozen=True)
class Reasons:
    """Gives the reasons of one turn.

    Attributes:
        message, change, recommender, catalogue: see `rectune.dialogue.chat_answers.Answering`.
        sentences: of the language.
        locale: the language.
        wish_of: what a query would search for, with all that is known of the person.
    """

    message: ChatMessage
    change: MemoryChange
    recommender: CatalogueAnswers
    catalogue: ChatCatalogue
    sentences: Sentences
    locale: Locale
    wish_of: Callable[[str], SearchWish]

    def why(self, item: Item) -> list[SaidSentence]:
        """Why one item was recommended: what was asked for, else its evidence and what was said."""
        say = self.sentences
        if likened := [one for one in self._likened_before() if one is not item]:
            (why,) = evidence_for([item], likened, "", self.locale, None)
            told = [say.named("why_likened", likened), say.about(item)]
            return [*told, say.say("why_shared", words=", ".join(why.words))] if why else told
        query = next((turn.query for turn in reversed(self.message.earlier) if turn.item_ids), "")
        wish = self.wish_of(query)
        liked = [self.catalogue.items[id] for id in wish.history if id in self.catalogue.items]
        found = find(self.recommender, self.catalogue, _only(wish, item), self.locale, 1)
        others, literal = [one for one in liked if one is not item], self._literal(query)
        reason = say.reason(item, others, literal, found.evidence[0])
        if said := self._said_for(item):
            return [reason, say.quotes("why_said", said)]
        if others or literal:
            return [reason]
        return [reason, say.say("why_first", likes=self.recommender.likes is not None)]

    def _likened_before(self) -> list[Item]:
        """The items that the last answer with items should be like, as its message named them."""
        turns = self.message.earlier
        at = next((at for at in range(len(turns) - 1, -1, -1) if turns[at].item_ids), -1)
        if at < 0 or turns[at].ask not in ("like_that", "recommend"):
            return []
        before = next((turn.item_ids for turn in reversed(turns[:at]) if turn.item_ids), ())
        return self._named_in(turns[at], before)

    def _named_in(self, turn: ChatTurn, before: Sequence[str]) -> list[Item]:
        named = items_in(turn.said, self.catalogue)
        if turn.ask != "like_that" or named:
            return named
        places = [place - 1 if place > 0 else len(before) - 1 for place in places_of(lowered(turn.said))]
        ids = [before[at] for at in places if at < len(before)] or list(before[:1])
        return [self.catalogue.items[id] for id in ids[:1] if id in self.catalogue.items]

    def _literal(self, query: str) -> str:
        """The query of an earlier turn, where it stands in what the person said as it is."""
        texts = [plain_message(turn.said).casefold() for turn in self.message.earlier]
        return query if any(query.casefold() in text for text in texts) else ""

    def _said_for(self, item: Item) -> list[ChatFact]:
        """What the person said that they like or want, and the item has."""
        terms = self.catalogue.terms
        return [
            fact
            for fact in self.change.facts
            if fact.kind in ("like", "want", "mood")
            and (fact.item_id == item.item_id or item.item_id in terms.ids(fact.value))
        ]


def _only(wish: SearchWish, item: Item) -> SearchWish:
    """The same wish, met by one item alone."""
    return SearchWish(
        wish.query, tuple(one for one in wish.history if one != item.item_id), frozenset({item.item_id})
    )
