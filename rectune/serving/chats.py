"""One turn of a conversation: from what the store knows of a user to what it keeps of the turn.

Nothing of a conversation is held for the next turn but what the store keeps.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rectune.core.errors import UserError
from rectune.core.types import Locale
from rectune.dialogue.chat_catalogue import ChatCatalogue
from rectune.dialogue.chat_model import ChatModel, Say
from rectune.dialogue.chat_turn import ChatMessage, ChatTurn, TurnResult
from rectune.dialogue.knowledge import ChatFact
from rectune.dialogue.message_text import plain_message
from rectune.dialogue.model_calls import chat_model
from rectune.dialogue.turn import take_turn
from rectune.inference.requests import GenerationRequest, GenerationResult
from rectune.prompts.title_index import TitleIndex
from rectune.recommender.recommender import Recommender
from rectune.serving.answers import Conflict, Emit, NotFound
from rectune.serving.catalogue import ServedCatalogue
from rectune.serving.chat_answers import ChatAnswer, Said, fact_row, item_row
from rectune.serving.one_at_a_time import OneAtATime
from rectune.serving.ranking_lock import GenerateOutside, Usage
from rectune.serving.recommending import RecommendService
from rectune.serving.request_model import in_turn, without_model
from rectune.serving.store import chats, memory, users
from rectune.serving.store.columns import check_text, now_ms
from rectune.serving.store.tables import Chat, Message
from rectune.serving.tastes import taste_of
from rectune.serving.turn import Turn
from rectune.serving.wording_time import WordingTime

EARLIER = 100  # turns of a conversation that an answer may go by
_CATALOGUES = 4  # that are known at a time: the one that is served, for each ranker, and those before it


def _nobody(name: str, told: Mapping[str, Any]) -> None:
    """Hears of parts of an answer and does nothing."""


@dataclass
class _Work:
    """One turn while it is answered."""

    said: Said
    text: str
    user_id: int
    last: int  # the id of the last message before
    message: ChatMessage
    catalogue: ServedCatalogue
    turn: Turn
    emit: Emit
    wording: WordingTime
    usage: Usage = field(default_factory=Usage)
    notes: list[str] = field(default_factory=list)
    items: list[Mapping[str, Any]] = field(default_factory=list)


class ChatService:
    """Talks with the users of a store. Any thread may use it.

    Args:
        service: has the store, the catalogue and the engine.
        foreign: titles of other domains, whose items are only searched with.
    """

    def __init__(self, service: RecommendService, foreign: Mapping[str, TitleIndex] | None = None) -> None:
        self.service, self._foreign = service, foreign or {}
        self._turns = OneAtATime()
        self._catalogues: tuple[tuple[ServedCatalogue, ChatCatalogue], ...] = ()

    def say(self, said: Said, *, turn: Turn | None = None, emit: Emit = _nobody) -> ChatAnswer:
        """Answer a message, and keep the turn whole, or nothing of it.

        Turns of one conversation are taken one after the other. What the service remembers for a session is
        over six hours after its last message, and when another conversation begins.

        Args:
            said: the message.
            turn: cancels it.
            emit: hears of `status` {state, place}, `facts` {added, removed}, `items` {items} and `sentence`
                {text, items}, in the calling thread.

        Raises:
            NotFound: there is no such user, or no such conversation of theirs.
            UserError: the message is empty.
            Conflict: the conversation went on elsewhere meanwhile.
            EngineBusy: the queue of the model is full.
            TooManyRequests: too many answers are open.
            CallCancelled: the turn was cancelled.
        """
        start, turn = time.monotonic(), turn or Turn()
        text = plain_message(check_text(said.text)).strip()
        if not text:
            raise UserError("the message is empty", hint="write something")
        name = said.chat or f"new conversation of {said.user}"
        with self.service.open_generation(said.user), self._turns.of(name, turn.check):
            work = self._begun(said, text, turn, emit)
            result = self._answered(work)
            return self._kept(work, result, start)

    def _begun(self, said: Said, text: str, turn: Turn, emit: Emit) -> _Work:
        """All that the turn may go by: of this user, and of this conversation."""
        service = self.service
        current, deleted = service.catalogue.snapshot()
        arm = service.comparison.assigned(said.user) if service.comparison else None
        catalogue = current.of_arm(arm[1]) if arm else current
        taste, now = taste_of(service.database, catalogue.recommender, said.user, False), now_ms()
        assert taste.user_id is not None
        earlier, last, facts = list[ChatTurn](), 0, list[ChatFact]()
        with service.database.reading() as session:
            if said.chat and chats.find(session, said.chat, taste.user_id) is None:
                raise _no_chat()
            rows = chats.messages(session, said.chat, limit=EARLIER).rows if said.chat else ()
            earlier, last = [chats.turn_of(row) for row in rows], rows[-1].id if rows else 0
            facts = memory.facts(session, taste.user_id, said.chat, now=now)
        known, persona = taste.knowledge, service.personas.of(current, taste)
        knowledge = replace(known, hidden=known.hidden | deleted, facts=tuple(facts))
        locale: Locale = said.locale or taste.locale
        message = ChatMessage(text, 0, knowledge, persona, tuple(earlier), now, locale)
        wording = WordingTime(service.limits.wording_seconds)
        return _Work(said, text, taste.user_id, last, message, catalogue, turn, emit, wording)

    def _catalogue(self, served: ServedCatalogue) -> ChatCatalogue:
        """What the rules know of a catalogue, made once, where the lock of ranking is held."""
        known = next((made for one, made in self._catalogues if one is served), None)
        if known is None:
            titles = served.recommender.titles[served.recommender.domain]
            known = ChatCatalogue(served.items, titles, self._foreign)
            self._catalogues = (*self._catalogues[1 - _CATALOGUES :], (served, known))
        return known

    def _answered(self, work: _Work) -> TurnResult:
        service, emit = self.service, _Events(work, self.service.search_url)
        if service.engine is not None:
            asked = in_turn(
                service.engine, service.lock, work.catalogue.recommender, work.turn,
                service.limits.answer_seconds, work.usage, work.wording, work.last,
            )  # fmt: skip
            with without_model(work.turn, work.notes), asked as (mine, _), service.lock:
                work.turn.check()
                model = self._model(work, mine)
                return take_turn(work.message, mine, self._catalogue(work.catalogue), emit, model)
        work.turn.check()
        emit.again()
        with service.lock:
            return take_turn(work.message, work.catalogue.plain, self._catalogue(work.catalogue), emit)

    def _model(self, work: _Work, mine: Recommender) -> ChatModel | None:
        """The model of this turn; where it fails or takes too long, template sentences stand."""
        engine, outside = self.service.engine, mine.generative.generate if mine.generative else None
        if engine is None or not isinstance(outside, GenerateOutside):
            return None
        model = chat_model(mine, engine.context, outside.hearing)
        return replace(model, say=_guarded(work, model.say)) if model else None

    def _kept(self, work: _Work, result: TurnResult, start: float) -> ChatAnswer:
        """Keep the turn in one transaction."""
        work.turn.check()
        now = max(now_ms(), work.message.now)
        with self.service.database.writing() as session:
            users.locked(session, work.user_id)
            chat = _chat_of(session, work, now)
            before = {fact.id: fact for fact in work.message.knowledge.facts}
            left = {one.id for one in memory.facts(session, work.user_id, chat.id, now=work.message.now)}
            row = chats.add(session, chat, result.turn, result.sentences, result.by, now=now)
            removed = [fact for fact in result.removed if fact.id in left]
            if result.turn.ask == "forget":
                memory.forget(session, work.user_id, [fact.id for fact in removed])
            else:
                memory.remove(session, work.user_id, removed)
            memory.blank([row], [fact for id, fact in before.items() if id not in left])
            memory.go_on(session, chat.id, now)
            added = memory.add(session, work.user_id, row, result.added)
            session.flush()
        return _answer(work, chat, row, result, added, start)


def _chat_of(session: Any, work: _Work, now: int) -> Chat:
    """The conversation as it is now; a new one where none was named.

    Raises:
        NotFound: it was deleted meanwhile.
        Conflict: it went on meanwhile.
    """
    if not work.said.chat:
        return chats.begin(session, work.user_id, now=now)
    chat = chats.find(session, work.said.chat, work.user_id)
    if chat is None:
        raise _no_chat()
    if chats.last_message_id(session, chat.id) != work.last:
        raise Conflict("the conversation went on meanwhile", hint="send the message again")
    return chat


def _no_chat() -> NotFound:
    return NotFound("there is no such conversation of theirs", hint="begin one: POST /api/v1/chats")


def _answer(
    work: _Work, chat: Chat, row: Message, result: TurnResult, added: Sequence[ChatFact], start: float
) -> ChatAnswer:
    usage = {"prompt_tokens": result.prompt_tokens, "completion_tokens": result.written_tokens}
    return ChatAnswer(
        chat.id, row.id, row.text, result.sentences, tuple(work.items), tuple(map(fact_row, added)),
        tuple(map(fact_row, result.removed)), result.turn.ask, result.by, result.turn.locale,
        tuple(dict.fromkeys(work.notes)), usage, row.created, round((time.monotonic() - start) * 1000),
    )  # fmt: skip


def _guarded(work: _Work, say: Say) -> Say:
    """Asks the model; where it fails or takes too long, it has said nothing more."""

    def asked(request: GenerationRequest, hear: Callable[[str], None]) -> GenerationResult:
        work.wording.begin()
        with without_model(work.turn, work.notes):
            return say(request, hear)
        return GenerationResult(request.id, "", "error", 0, 0)

    return asked


class _Events:
    """Hears of the parts of an answer, and tells them for clients.

    A turn that is taken once more, without the model, begins with the same events: they are not told again.
    """

    def __init__(self, work: _Work, pattern: str) -> None:
        self._work, self._pattern = work, pattern
        self._told = self._heard = 0
        self._state = ""

    def again(self) -> None:
        """The turn is taken once more."""
        self._heard = 0

    def __call__(self, name: str, told: Mapping[str, Any]) -> None:
        """See `rectune.dialogue.chat_turn.Emit`."""
        self._heard += 1
        if self._heard <= self._told or name == "done":
            return
        self._told = self._heard
        if name == "status":
            self._state = told["state"]
            told = {**told, "place": self._work.turn.place}
        elif name == "sentence" and self._state == "writing":
            self._work.wording.passed()
        elif name == "items":
            items = self._work.catalogue.items
            self._work.items[:] = [
                item_row(items[one["item_id"]], one["evidence"], self._pattern) for one in told["items"]
            ]
            told = {"items": self._work.items}
        elif name == "facts":
            told = {kind: [_fact(one) for one in told[kind]] for kind in ("added", "removed")}
        self._work.emit(name, told)


def _fact(told: Mapping[str, Any]) -> dict[str, Any]:
    return fact_row(ChatFact(**told))
