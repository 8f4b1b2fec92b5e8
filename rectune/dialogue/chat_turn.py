"""A turn of a chat, as it is kept, and what is given to the one that takes the next."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rectune.core.types import Locale
from rectune.dialogue.knowledge import ChatFact, Persona, UserKnowledge

Emit = Callable[[str, Mapping[str, Any]], None]
"""Hears of the parts of an answer: `status`, `facts`, `items`, `sentence`, `done`, and what they hold."""


@dataclass(frozen=True, slots=True)
class SaidSentence:
    """A sentence that goes out, and the ids of the items that it speaks of."""

    text: str
    items: tuple[str, ...] = ()


@dataclass(frozen=True)
class ChatTurn:
    """What was said, and what was answered.

    Attributes:
        said: the message.
        answer: its sentences, joined by spaces.
        message_id: of the message.
        item_ids: what was recommended, in order; empty where nothing was.
        focus: the id of the item that was spoken of; empty for none.
        ask: what was asked (see `rectune.dialogue.intents.Ask`).
        query: what was searched for.
        question: the aspect of what was asked back; empty where nothing was.
        locale: the language of the turn.
    """

    said: str
    answer: str
    message_id: int = 0
    item_ids: tuple[str, ...] = ()
    focus: str = ""
    ask: str = ""
    query: str = ""
    question: str = ""
    locale: Locale = "en"


@dataclass(frozen=True)
class ChatMessage:
    """A message, and all that its turn may go by: nothing of anybody else.

    Attributes:
        text: as it was typed.
        id: of the message.
        knowledge: of the person.
        persona: of the person.
        earlier: the turns of this chat, oldest first.
        now: milliseconds since 1970.
        locale: the language to begin with.
    """

    text: str
    id: int = 0
    knowledge: UserKnowledge = field(default_factory=UserKnowledge)
    persona: Persona = field(default_factory=Persona)
    earlier: Sequence[ChatTurn] = ()
    now: int = 0
    locale: Locale = "en"


@dataclass(frozen=True)
class TurnResult:
    """What a turn gives.

    Attributes:
        turn: to be kept.
        facts: what is known of the person afterwards, oldest first.
        added: facts to be kept.
        removed: facts to be deleted, really.
        prompt_tokens: of all prompts that a model was given; 0 without one.
        written_tokens: what it wrote.
        dropped: sentences of the model that did not pass the checks.
        by: who worded the answer: `model` or `template`.
        sentences: of the answer, in order, each with the ids of the items that it speaks of.
    """

    turn: ChatTurn
    facts: tuple[ChatFact, ...]
    added: tuple[ChatFact, ...] = ()
    removed: tuple[ChatFact, ...] = ()
    prompt_tokens: int = 0
    written_tokens: int = 0
    dropped: int = 0
    by: str = "template"
    sentences: tuple[SaidSentence, ...] = ()
