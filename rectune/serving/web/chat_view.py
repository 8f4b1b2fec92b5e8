"""Turns of a conversation and what is remembered, as the page shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rectune.core.types import Item
from rectune.dialogue.knowledge import ChatFact, FactKind
from rectune.serving.answers import MODEL_FAILED, MODEL_TOO_SLOW, search_url
from rectune.serving.chat_answers import ChatAnswer
from rectune.serving.store.tables import FeedbackType, Message
from rectune.serving.web.answer_view import brief
from rectune.serving.web.times import minute

MARKS: tuple[FeedbackType, ...] = ("like", "seen", "dislike")
KINDS: Mapping[FactKind, str] = {
    "like": "you like", "avoid": "you avoid", "seen": "you know", "want": "you want now",
    "not_now": "not now", "mood": "your mood", "occasion": "the occasion", "company": "who is with you",
    "time": "your time",
}  # fmt: skip
"""What kinds of facts are called on the page."""
NOTES = {
    MODEL_FAILED: "The language model has stopped, so plain sentences answer.",
    MODEL_TOO_SLOW: "The language model took too long, so plain sentences answer.",
}
_TEXT, _SENTENCE, _TITLE, _QUOTE = 1200, 1200, 160, 300  # characters that are shown


@dataclass(frozen=True)
class ChatCard:
    """An item of an answer.

    Attributes:
        at: its place on the page: the message and the number of the item.
        said: the sentences that speak of it alone.
        gone: whether the catalogue has it no more; then its id stands for the title.
        marks: what the user said of it.
    """

    at: str
    item_id: str
    title: str
    year: int | None = None
    said: tuple[str, ...] = ()
    search_url: str = ""
    gone: bool = False
    marks: frozenset[str] = frozenset()


@dataclass(frozen=True)
class TurnView:
    """A turn: what was said; sentences, but for those that stand on cards; items.

    `id` is the message's, `now` while it is answered.
    """

    id: str
    text: str
    said: tuple[str, ...] = ()
    cards: tuple[ChatCard, ...] = ()
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, answer: ChatAnswer, marks: Mapping[str, frozenset[str]]) -> TurnView:
        """Of an answer that was just given."""
        cards = cards_of(str(answer.message), answer.items, marks)
        made = cls(
            str(answer.message), brief(answer.text, _TEXT), cards=cards,
            notes=tuple(NOTES.get(note, note) for note in answer.notes),
        )  # fmt: skip
        return made.with_sentences([(one.text, one.items) for one in answer.sentences])

    @classmethod
    def of_row(
        cls, row: Message, items: Mapping[str, Item], marks: Mapping[str, frozenset[str]], pattern: str
    ) -> TurnView:
        """Of one that the store has; titles are those of the catalogue now.

        Args:
            row: the turn.
            items: the catalogue.
            marks: item id -> what the user said of it.
            pattern: see `rectune.serving.answers.search_url`.
        """
        told = [
            {"item_id": id, "title": items[id].title, "year": items[id].year,
             "search_url": search_url(pattern, items[id].title)}
            if id in items
            else {"item_id": id}
            for id in row.items
        ]  # fmt: skip
        made = cls(str(row.id), brief(row.text, _TEXT), cards=cards_of(str(row.id), told, marks))
        return made.with_sentences([(one["text"], one["items"]) for one in row.answer])

    def with_sentences(self, sentences: Sequence[tuple[str, Sequence[str]]]) -> TurnView:
        """The same with sentences, each with the ids of the items that it speaks of."""
        said, on_card = list[str](), dict[str, list[str]]()
        for text, ids in sentences:
            place = own_card(self.cards, ids)
            (on_card.setdefault(place.item_id, []) if place else said).append(brief(text, _SENTENCE))
        cards = tuple(replace(one, said=tuple(on_card.get(one.item_id, ()))) for one in self.cards)
        return replace(self, said=tuple(said), cards=cards)


def cards_of(
    id: str, items: Sequence[Mapping[str, Any]], marks: Mapping[str, frozenset[str]]
) -> tuple[ChatCard, ...]:
    """The cards of a turn's items; one without a title is not in the catalogue any more."""
    return tuple(
        ChatCard(
            f"{id}-{number}", one["item_id"], brief(one.get("title") or one["item_id"], _TITLE),
            one.get("year"), search_url=one.get("search_url", ""), gone="title" not in one,
            marks=marks.get(one["item_id"], frozenset()),
        )
        for number, one in enumerate(items, 1)
    )  # fmt: skip


def own_card(cards: Sequence[ChatCard], ids: Sequence[str]) -> ChatCard | None:
    """The card on which a sentence about these items stands; None for one that speaks of none, or of many."""
    if len(ids) != 1:
        return None
    return next((one for one in cards if one.item_id == ids[0]), None)


@dataclass(frozen=True)
class Remembered:
    """A fact: what kind, the words, and whether it holds for the session only."""

    id: int
    kind: str
    quote: str
    time: str
    for_now: bool

    @classmethod
    def of(cls, fact: ChatFact) -> Remembered:
        """Of a fact of the store."""
        lasting = fact.kind in ("like", "avoid", "seen")
        return cls(fact.id, KINDS[fact.kind], brief(fact.quote, _QUOTE), minute(fact.created), not lasting)
