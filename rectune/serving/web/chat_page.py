"""The page of conversations: a turn as it is answered, marks of items, and what is remembered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from rectune.serving.answers import Emit, NotFound
from rectune.serving.api.chats import answered
from rectune.serving.chat_answers import MAX_TEXT, Said
from rectune.serving.state import state_of
from rectune.serving.store import chats, feedback, memory
from rectune.serving.store.tables import Chat
from rectune.serving.streams import streamed, watched
from rectune.serving.turn import Turn
from rectune.serving.web.answer_view import brief
from rectune.serving.web.chat_events import ChatParts
from rectune.serving.web.chat_view import MARKS, ChatCard, Remembered, TurnView
from rectune.serving.web.item_marks import press
from rectune.serving.web.render import go_to, language, page, part, wants_part
from rectune.serving.web.times import minute
from rectune.serving.web.visitor import the_visitor

router = APIRouter(prefix="/chat", include_in_schema=False)

Mark = Literal["", "like", "seen", "dislike"]
ChatId = Annotated[str, Form(max_length=chats.MAX_ID)]

_TURNS = 30  # of a conversation that are shown at once
_CHATS = 20  # earlier conversations that are listed
_BEGINS = 80  # characters of the first message of one


@router.get("")
def latest(request: Request) -> Response:
    """The conversation in which the visitor wrote last; an empty one where there is none."""
    user = the_visitor(request).user
    with state_of(request).service.database.reading() as session:
        return _page(request, session, chats.latest(session, user.id))


@router.get("/{id}")
def one(request: Request, id: str, before: int | None = None) -> Response:
    """An earlier conversation of the visitor."""
    with state_of(request).service.database.reading() as session:
        return _page(request, session, _own(session, id, the_visitor(request).user.id), before)


@router.post("/message")
async def say(
    request: Request, text: Annotated[str, Form(max_length=MAX_TEXT)] = "", chat: ChatId = ""
) -> Response:
    """Say something: the answer is a stream for the page, else it stands on the page of the conversation."""
    visitor, state, turn = the_visitor(request), state_of(request), Turn()
    locale = language(request, visitor)
    said = Said(visitor.user.external_id, text, chat, locale)

    def work(emit: Emit) -> Mapping[str, Any]:
        answer = answered(state, said, turn, emit)
        with state.service.database.reading() as session:
            marks = feedback.types_of(session, visitor.user.id, [one["item_id"] for one in answer.items])
            facts = memory.facts(session, visitor.user.id, answer.chat)
        return {
            "turn": TurnView.of(answer, marks), "chat": answer.chat, "facts": [*map(Remembered.of, facts)],
        }  # fmt: skip

    if wants_part(request):
        return await streamed(request, turn, work, state.threads, ChatParts(locale, text, chat))
    told = await watched(request, turn, lambda: work(lambda name, what: None), state.threads)
    return go_to(request, f"/chat/{told['chat']}#last")


@router.post("/new")
def begin(request: Request) -> Response:
    """Begin a conversation; one that is empty still is taken again."""
    user = the_visitor(request).user
    with state_of(request).service.database.writing() as session:
        before = chats.latest(session, user.id)
        if before is None or chats.last_message_id(session, before.id):
            chats.begin(session, user.id)
    return go_to(request, "/chat")


@router.post("/delete")
def delete(request: Request, chat: ChatId) -> Response:
    """Delete a conversation and what was remembered of it."""
    user = the_visitor(request).user
    with state_of(request).service.database.writing() as session:
        chats.delete(session, _own(session, chat, user.id).id)
    return go_to(request, "/chat")


@router.post("/delete-message")
def delete_message(request: Request, chat: ChatId, message: Annotated[int, Form(ge=1, lt=2**53)]) -> Response:
    """Delete a message, its answer and what was remembered of it; nothing where it is gone already."""
    user = the_visitor(request).user
    with state_of(request).service.database.writing() as session:
        own = _own(session, chat, user.id)
        chats.delete_message(session, own.id, message)
    return go_to(request, f"/chat/{own.id}#last")


@router.post("/forget")
def forget(request: Request, fact: Annotated[int, Form(ge=0, lt=2**53)] = 0, chat: ChatId = "") -> Response:
    """Forget a fact, or everything where none is named; the words go from the conversations as well."""
    user = the_visitor(request).user
    with state_of(request).service.database.writing() as session:
        own = _own(session, chat, user.id) if chat else None
        memory.forget(
            session, user.id, [fact] if fact else [one.id for one in memory.facts(session, user.id)]
        )
    return go_to(request, f"/chat/{own.id}#memory" if own else "/chat#memory")


@router.post("/mark")
def mark(
    request: Request,
    item: Annotated[str, Form(max_length=200)],
    at: Annotated[str, Form(max_length=40, pattern=r"^\d+-\d+$")],
    chat: ChatId,
    mark: Annotated[Mark, Form()] = "",
    take_back: Annotated[Mark, Form()] = "",
) -> Response:
    """Keep what a person says of an item, or take it back."""
    user, database = the_visitor(request).user, state_of(request).service.database
    with database.writing() as session:
        own = _own(session, chat, user.id)
        said = press(session, user.id, item, mark, take_back)
    if not wants_part(request):
        return go_to(request, f"/chat/{own.id}#card-{at}")
    card = ChatCard(at, item, "", marks=said)
    return part(request, "chat_marks.html", card=card, chat=own.id, marks=MARKS)


def _own(session: Session, id: str, user_id: int) -> Chat:
    """A conversation of this user.

    Raises:
        NotFound: there is none.
    """
    if chat := chats.find(session, id, user_id):
        return chat
    raise NotFound("there is no such conversation of yours")


def _page(request: Request, session: Session, chat: Chat | None, before: int | None = None) -> Response:
    user, service = the_visitor(request).user, state_of(request).service
    items = service.catalogue.current.items
    rows = chats.messages(session, chat.id, limit=_TURNS, before=before) if chat else None
    shown = rows.rows if rows else ()
    marks = feedback.types_of(session, user.id, list({id for row in shown for id in row.items}))
    turns = [TurnView.of_row(row, items, marks, service.search_url) for row in shown]
    facts = memory.facts(session, user.id, chat.id if chat else "")
    listed = [
        (one.chat.id, brief(one.first, _BEGINS), minute(one.chat.updated), one.messages)
        for one in chats.page(session, user.id, limit=_CHATS).rows
        if one.messages and (chat is None or one.chat.id != chat.id)
    ]
    return page(
        request, "chat.html", chat=chat.id if chat else "", turns=turns, older=rows.after if rows else None,
        latest=before is None, facts=[*map(Remembered.of, facts)], earlier=listed, marks=MARKS, text="",
    )  # fmt: skip
