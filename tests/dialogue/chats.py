"""A chat with one person on one of the small shelves, for tests of turns."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from rectune.dialogue.chat_catalogue import ChatCatalogue
from rectune.dialogue.chat_model import ChatModel
from rectune.dialogue.chat_turn import ChatMessage, ChatTurn, TurnResult
from rectune.dialogue.knowledge import Persona, UserKnowledge
from rectune.dialogue.turn import take_turn
from rectune.recommender.recommender import Recommender


@dataclass
class Chat:
    """A chat with one person on a shelf."""

    recommender: Recommender
    catalogue: ChatCatalogue
    model: ChatModel | None = None
    knowledge: UserKnowledge = field(default_factory=UserKnowledge)
    persona: Persona = field(default_factory=Persona)
    turns: list[ChatTurn] = field(default_factory=list)
    events: list[tuple[str, Any]] = field(default_factory=list)

    def __call__(self, text: str) -> TurnResult:
        self.events = []
        message = ChatMessage(text, len(self.turns) + 1, self.knowledge, self.persona, tuple(self.turns), 1)
        hear: Callable[[str, Any], None] = lambda name, told: self.events.append((name, told))  # noqa: E731
        result = take_turn(message, self.recommender, self.catalogue, hear, self.model)
        self.turns.append(result.turn)
        self.knowledge = replace(self.knowledge, facts=result.facts)
        return result


def said(result: TurnResult) -> str:
    return " ".join(one.text for one in result.sentences)
