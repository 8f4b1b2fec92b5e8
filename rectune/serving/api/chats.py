"""/api/v1/chats: conversations, begun, listed, gone on with as one answer or as a stream, and deleted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session
from starlette.responses import Response

from rectune.core.types import Locale
from rectune.serving.answers import Emit, NotFound
from rectune.serving.api.bodies import PROBLEMS, Body, Limit, UserId
from rectune.serving.api.memory import FactBody, user_row
from rectune.serving.api.recommend import Usage
from rectune.serving.chat_answers import MAX_TEXT, ChatAnswer, Said, message_row
from rectune.serving.state import ServerState, state_of
from rectune.serving.store import chats
from rectune.serving.store.tables import Chat, User
from rectune.serving.streams import MEDIA_TYPE, streamed, watched
from rectune.serving.tastes import user_of
from rectune.serving.turn import Turn

router = APIRouter(prefix="/api/v1/chats", tags=["chats"], responses=PROBLEMS)

ChatId = Annotated[str, Path(max_length=chats.MAX_ID)]
Whose = Annotated[UserId | None, Query(description="where given, it must be theirs")]


class NewChat(Body):
    """Who talks."""

    user: UserId

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"user": "ann"}]})


class NewMessage(Body):
    """What is said. Where `user` is given, the conversation must be theirs."""

    text: Annotated[str, Field(min_length=1, max_length=MAX_TEXT)]
    user: UserId | None = None
    locale: Locale | None = None
    """The language of messages that have none of their own, as a bare title; else the user's."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"text": "I love westerns but I can't stand war films"}]},
    )


class ChatBody(BaseModel):
    """A conversation: how many messages it has, and how the first begins."""

    id: str
    created: int
    updated: int
    messages: int
    begins: str


class ChatsBody(BaseModel):
    """Conversations, the latest first; `after` leads to those before."""

    chats: list[ChatBody]
    after: str | None


class SentenceBody(BaseModel):
    """A sentence of an answer, and the ids of the items that it speaks of."""

    text: str
    items: list[str]


class ChatItem(BaseModel):
    """An item that was recommended; of one that the catalogue has no more only the id is told."""

    item_id: str
    title: str | None = None
    categories: list[str] = Field(default_factory=list)
    year: int | None = None
    evidence: dict[str, Any] | None = None
    search_url: str = ""


class MessageBody(BaseModel):
    """What was said, and what was answered."""

    id: int
    text: str
    sentences: list[SentenceBody]
    items: list[ChatItem]
    ask: str
    """What was asked, as it was understood: recommend, why, forget …"""
    by: str
    """`model`, or `template` for sentences made of the catalogue's facts."""
    locale: str
    created: int


class ConversationBody(BaseModel):
    """A conversation with its last messages, the oldest first; `before` leads to those before them."""

    id: str
    created: int
    updated: int
    messages: list[MessageBody]
    before: int | None


class AnswerBody(BaseModel):
    """An answer; see docs/serving.md."""

    chat: str
    message: int
    text: str
    sentences: list[SentenceBody]
    items: list[ChatItem]
    facts: list[FactBody]
    """What was learned of the user, and is remembered."""
    forgotten: list[FactBody]
    """What was remembered before and is deleted."""
    ask: str
    by: str
    locale: str
    notes: list[str]
    usage: Usage
    created: int
    took_ms: int


_STREAM: dict[int | str, dict[str, Any]] = {
    200: {"content": {MEDIA_TYPE: {"schema": {"type": "string"}}}, "description": "the answer"}
}


@router.post("", response_model=ChatBody, status_code=201)
def begin_chat(request: Request, body: NewChat) -> ChatBody:
    """Begin a conversation; what held for the session of the one before is over."""
    service = state_of(request).service
    user = user_of(service.database, service.recommender, body.user)
    with service.database.writing() as session:
        return _body(chats.ListedChat(chats.begin(session, user.id), 0, ""))


@router.get("", response_model=ChatsBody)
def list_chats(
    request: Request, user: Annotated[UserId, Query()], limit: Limit = 50,
    after: Annotated[str | None, Query(max_length=100)] = None,
) -> ChatsBody:  # fmt: skip
    """A user's conversations, the latest first."""
    with state_of(request).service.database.reading() as session:
        found = chats.page(session, user_row(session, user).id, limit=limit, after=after)
    return ChatsBody(chats=[_body(one) for one in found.rows], after=found.after)


@router.get("/{id}", response_model=ConversationBody)
def get_chat(
    request: Request, id: ChatId, user: Whose = None, limit: Limit = 50,
    before: Annotated[int | None, Query(ge=1, lt=2**53)] = None,
) -> ConversationBody:  # fmt: skip
    """One conversation with its last messages."""
    service = state_of(request).service
    with service.database.reading() as session:
        chat, _ = _found(session, id, user)
        rows = chats.messages(session, chat.id, limit=limit, before=before)
    items = service.recommender.items
    told = [message_row(row, items, service.search_url) for row in rows.rows]
    return ConversationBody(
        id=chat.id, created=chat.created, updated=chat.updated,
        messages=[MessageBody.model_validate(one) for one in told],
        before=int(rows.after) if rows.after else None,
    )  # fmt: skip


@router.delete("/{id}", status_code=204)
def delete_chat(request: Request, id: ChatId, user: Whose = None) -> Response:
    """Delete a conversation and what was remembered of it."""
    with state_of(request).service.database.writing() as session:
        chats.delete(session, _found(session, id, user)[0].id)
    return Response(status_code=204)


@router.delete("/{id}/messages/{message}", status_code=204)
def delete_message(
    request: Request, id: ChatId, message: Annotated[int, Path(ge=1, lt=2**53)], user: Whose = None
) -> Response:
    """Delete a message, its answer, and what was remembered of it."""
    with state_of(request).service.database.writing() as session:
        if not chats.delete_message(session, _found(session, id, user)[0].id, message):
            raise NotFound("there is no such message", hint="GET the conversation for its messages")
    return Response(status_code=204)


@router.post("/{id}/messages", response_model=AnswerBody, responses=_STREAM)
async def say(request: Request, id: ChatId, body: NewMessage) -> Response | AnswerBody:
    """Say something, and get the answer.

    With `Accept: text/event-stream` the answer comes in events: `status` {state, place}, `facts` {added,
    removed}, `items` {items}, `sentence` {text, items} one by one, `done` with the whole answer; or `error`.
    """
    state, turn = state_of(request), Turn()

    def work(emit: Emit) -> ChatAnswer:
        with state.service.database.reading() as session:
            owner = _found(session, id, body.user)[1].external_id
        said = Said(owner, body.text, id, body.locale)
        return answered(state, said, turn, emit)

    if MEDIA_TYPE in request.headers.get("accept", ""):
        return await streamed(request, turn, lambda emit: told_of(work(emit)), state.threads)
    answer = await watched(request, turn, lambda: work(lambda name, told: None), state.threads)
    return AnswerBody.model_validate(told_of(answer))


def answered(state: ServerState, said: Said, turn: Turn, emit: Emit) -> ChatAnswer:
    """The answer to a message, counted."""
    answer = state.chats.say(said, turn=turn, emit=emit)
    state.metrics.answer("chat", [])
    return answer


def told_of(answer: ChatAnswer) -> Mapping[str, Any]:
    """An answer for clients."""
    return asdict(answer)


def _found(session: Session, id: str, user: str | None) -> tuple[Chat, User]:
    """A conversation and whose it is.

    Raises:
        NotFound: there is none, or it is not theirs.
    """
    chat = chats.find(session, id)
    owner = session.get(User, chat.user_id) if chat else None
    if chat is None or owner is None or user not in (None, owner.external_id):
        raise NotFound("there is no such conversation", hint="begin one: POST /api/v1/chats")
    return chat, owner


def _body(one: chats.ListedChat) -> ChatBody:
    chat = one.chat
    return ChatBody(
        id=chat.id, created=chat.created, updated=chat.updated, messages=one.messages, begins=one.first
    )
