"""`rectune recommend --chat`: a conversation in the terminal, by the same turns as the service's."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import typer

from rectune.core.errors import UserError
from rectune.core.progress import say
from rectune.core.std_streams import json_line
from rectune.core.text.plain import printable
from rectune.dialogue.chat_catalogue import ChatCatalogue
from rectune.dialogue.chat_turn import ChatMessage, ChatTurn
from rectune.dialogue.knowledge import ChatFact, UserKnowledge
from rectune.dialogue.model_calls import chat_model
from rectune.dialogue.turn import take_turn

if TYPE_CHECKING:
    from rectune.prompts.title_index import TitleIndex
    from rectune.recommender.recommender import Recommender
    from rectune.recommender.typed_history import Typed


@dataclass
class Conversation:
    """A conversation with one person; nothing of it is kept when it ends.

    Args:
        recommender: ranks and searches.
        foreign: titles of other domains, which are only searched with.
        liked: ids that are known to be liked, oldest first.
        json: whether the events of turns are written as lines of JSON.
    """

    recommender: Recommender
    foreign: Mapping[str, TitleIndex]
    liked: tuple[str, ...]
    json: bool
    turns: list[ChatTurn] = field(default_factory=list)
    facts: tuple[ChatFact, ...] = ()

    def __post_init__(self) -> None:
        titles = self.recommender.titles[self.recommender.domain]
        others = {name: one for name, one in self.foreign.items() if name != self.recommender.domain}
        self._catalogue = ChatCatalogue(self.recommender.items, titles, others)
        self._model = chat_model(self.recommender)

    def __call__(self, text: str) -> None:
        """Answer a message on the standard output, sentence by sentence."""
        knowledge = UserKnowledge(liked=self.liked, facts=self.facts)
        message = ChatMessage(
            text, len(self.turns) + 1, knowledge, earlier=tuple(self.turns), now=int(time.time() * 1000)
        )
        result = take_turn(message, self.recommender, self._catalogue, self._tell, self._model)
        self.turns.append(result.turn)
        self.facts = result.facts

    def _tell(self, name: str, told: Mapping[str, Any]) -> None:
        if self.json:
            typer.echo(json_line({"event": name, **told}))
        elif name == "sentence":
            typer.echo(printable(str(told["text"])))


def talk(
    recommender: Recommender,
    typed: Typed,
    user: str,
    json: bool,
    note: str,
    foreign: Mapping[str, TitleIndex],
) -> None:
    """Talk until an empty line.

    Args:
        recommender: ranks and searches.
        typed: titles that are liked, and the first message.
        user: whose known likes come before; empty for nobody's.
        json: whether events are written as JSON.
        note: on the model, said at the beginning.
        foreign: titles of other domains.

    Raises:
        UserError: there is no such user, or titles of another domain are given.
    """
    asked = typed.user_request(recommender.domain, recommender.titles)
    if asked.history_domain not in ("", recommender.domain):
        raise UserError("is not for a chat", where="--history-domain", hint="say what you liked in the chat")
    titles = recommender.titles[recommender.domain]
    found = {title: [item.item_id for item in titles.called(title)] for title in asked.history}
    missing = [title for title, ids in found.items() if not ids]
    known = recommender.history_of(user) if user else ()
    liked = tuple(dict.fromkeys([*known, *(ids[0] for ids in found.values() if ids)]))
    notes = [f"not in the catalogue, so they do not count: {', '.join(missing)}"] if missing else []
    if notes := [*notes, *([note] if note else [])]:
        say("; ".join(notes))
    conversation = Conversation(recommender, foreign, liked, json)
    if asked.query:
        conversation(asked.query)
    typer.echo("Say what you like, avoid, want or have seen; ask why. An empty line ends.", err=True)
    while True:
        typer.echo("> ", nl=False, err=True)
        line = sys.stdin.readline().strip()
        if not line:
            return
        try:
            conversation(line)
        except UserError as error:
            typer.echo(f"rectune: {error}", err=True)
