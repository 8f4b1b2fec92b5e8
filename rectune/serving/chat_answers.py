"""What is said to the service in a conversation, and what it answers, without HTTP; ready for JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rectune.core.types import Item, Locale
from rectune.dialogue.chat_turn import SaidSentence
from rectune.dialogue.knowledge import ChatFact
from rectune.dialogue.message_text import LONGEST
from rectune.serving.answers import search_url
from rectune.serving.store.tables import Message

MAX_TEXT = LONGEST
"""Characters of a message."""


@dataclass(frozen=True)
class Said:
    """A message to be answered.

    Attributes:
        user: their id as clients know it.
        text: as it was typed.
        chat: the id of the conversation that it goes on; empty for a new one.
        locale: the language of messages that have none of their own; None for the user's.
    """

    user: str
    text: str
    chat: str = ""
    locale: Locale | None = None


@dataclass(frozen=True)
class ChatAnswer:
    """An answer, which is kept.

    Attributes:
        chat: the id of the conversation.
        message: the id of the message with its answer.
        text: the message as it was kept.
        sentences: of the answer.
        items: what is recommended: item_id, title, categories, year, evidence, search_url.
        facts: what was learned of the user, and is remembered.
        forgotten: what was remembered before and is deleted.
        ask: what was asked, as the rules understood it.
        by: who worded the answer: `model` or `template`.
        locale: its language.
        notes: what else is to be known, as that the model failed.
        usage: tokens that the model read and wrote.
        created: milliseconds since 1970.
        took_ms: milliseconds.
    """

    chat: str
    message: int
    text: str
    sentences: tuple[SaidSentence, ...]
    items: tuple[Mapping[str, Any], ...]
    facts: tuple[Mapping[str, Any], ...]
    forgotten: tuple[Mapping[str, Any], ...]
    ask: str
    by: str
    locale: str
    notes: tuple[str, ...]
    usage: Mapping[str, int]
    created: int
    took_ms: int


def fact_row(fact: ChatFact) -> dict[str, Any]:
    """A fact for clients; `id` 0 means that it is not kept yet."""
    return {
        "id": fact.id, "kind": fact.kind, "value": fact.value, "quote": fact.quote,
        "item_id": fact.item_id, "message": fact.message_id, "created": fact.created,
    }  # fmt: skip


def item_row(item: Item, evidence: Any, pattern: str) -> dict[str, Any]:
    """An item for clients; `pattern` is that of `search_url`."""
    return {
        "item_id": item.item_id, "title": item.title, "categories": list(item.categories), "year": item.year,
        "evidence": evidence, "search_url": search_url(pattern, item.title),
    }  # fmt: skip


def message_row(row: Message, items: Mapping[str, Item], pattern: str) -> dict[str, Any]:
    """A kept turn for clients. Of items that the catalogue has no more only the id is told.

    Args:
        row: the turn.
        items: the catalogue.
        pattern: see `search_url`.
    """
    shown: Sequence[Mapping[str, Any]] = [
        item_row(items[id], None, pattern) if id in items else {"item_id": id} for id in row.items
    ]
    return {
        "id": row.id, "text": row.text, "sentences": row.answer, "items": shown, "ask": row.ask,
        "by": row.worded_by, "locale": row.locale, "created": row.created,
    }  # fmt: skip
