"""Conversations: begun, gone on with, listed, deleted. What goes takes what was remembered of it along."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Select, func, select, tuple_, update
from sqlalchemy import delete as delete_rows
from sqlalchemy.orm import Session

from rectune.core.errors import UserError
from rectune.dialogue.chat_turn import ChatTurn, SaidSentence
from rectune.serving.store import memory, users
from rectune.serving.store.columns import now_ms
from rectune.serving.store.paging import Page, page_size
from rectune.serving.store.statements import changed
from rectune.serving.store.tables import Chat, Message

MAX_ID = 64  # characters of an id that is looked for


class ListedChat(NamedTuple):
    """A conversation of a list: how many messages it has, and the first of them; empty without any."""

    chat: Chat
    messages: int
    first: str


def begin(session: Session, user_id: int, *, now: int | None = None) -> Chat:
    """A new conversation under an id that nobody can guess; the user's session of before ends.

    Raises:
        UserError: there is no such user.
    """
    now = now_ms() if now is None else now
    users.locked(session, user_id)
    memory.end_session(session, user_id)
    chat = Chat(id=secrets.token_hex(16), user_id=user_id, created=now, updated=now)
    session.add(chat)
    session.flush()
    return chat


def find(session: Session, id: str, user_id: int | None = None) -> Chat | None:
    """The conversation of this id; None if there is none, or it is not this user's, where one is given."""
    chat = session.get(Chat, id) if len(id) <= MAX_ID else None
    return chat if chat and user_id in (None, chat.user_id) else None


def latest(session: Session, user_id: int) -> Chat | None:
    """The conversation in which the user wrote last, or which they began last."""
    rows = select(Chat).where(Chat.user_id == user_id)
    return session.scalar(rows.order_by(Chat.updated.desc(), Chat.created.desc(), Chat.id.desc()).limit(1))


def page(session: Session, user_id: int, *, limit: int = 50, after: str | None = None) -> Page[ListedChat]:
    """A user's conversations, the latest first; `after` is what the page before said.

    Raises:
        UserError: the limit or the cursor cannot be.
    """
    rows = select(Chat).where(Chat.user_id == user_id)
    if after is not None:
        time, dash, id = after.partition("-")
        if not (dash and time.isdecimal() and len(after) < 100):
            raise UserError("this is no cursor", hint="give `after` as the page before said it")
        rows = rows.where(tuple_(Chat.updated, Chat.id) < (int(time), id))
    rows = rows.order_by(Chat.updated.desc(), Chat.id.desc()).limit(page_size(limit) + 1)
    found = session.scalars(rows).all()
    shown = found[:limit]
    ids = [chat.id for chat in shown]
    counted = select(Message.chat_id, func.count(), func.min(Message.id)).where(Message.chat_id.in_(ids))
    counts = {id: (count, first) for id, count, first in session.execute(counted.group_by(Message.chat_id))}
    firsts = [first for _, first in counts.values()]
    texts = dict(
        session.execute(select(Message.id, Message.text).where(Message.id.in_(firsts))).tuples().all()
    )
    listed = [
        ListedChat(chat, counts[chat.id][0], texts[counts[chat.id][1]])
        if chat.id in counts
        else ListedChat(chat, 0, "")
        for chat in shown
    ]
    return Page(listed, f"{shown[-1].updated}-{shown[-1].id}" if len(found) > limit else None)


def messages(session: Session, chat_id: str, *, limit: int = 50, before: int | None = None) -> Page[Message]:
    """The last messages of a conversation, the oldest first; `after` leads to those before them.

    Raises:
        UserError: the limit cannot be.
    """
    rows = select(Message).where(Message.chat_id == chat_id)
    if before is not None:
        rows = rows.where(Message.id < before)
    found = session.scalars(rows.order_by(Message.id.desc()).limit(page_size(limit) + 1)).all()
    shown = found[:limit][::-1]
    return Page(shown, str(shown[0].id) if len(found) > limit else None)


def last_message_id(session: Session, chat_id: str) -> int:
    """The id of the last message; 0 without any."""
    return session.scalar(select(func.max(Message.id)).where(Message.chat_id == chat_id)) or 0


def add(
    session: Session,
    chat: Chat,
    turn: ChatTurn,
    sentences: Sequence[SaidSentence],
    worded_by: str,
    *,
    now: int | None = None,
) -> Message:
    """Keep a turn as a message; the id that it has in `turn` does not count."""
    now = now_ms() if now is None else now
    answer = [{"text": one.text, "items": list(one.items)} for one in sentences]
    row = Message(
        chat_id=chat.id, text=turn.said, answer=answer,
        items=list(turn.item_ids), focus=turn.focus, ask=turn.ask, query=turn.query, question=turn.question,
        locale=turn.locale, worded_by=worded_by, created=now,
    )  # fmt: skip
    session.add(row)
    session.execute(update(Chat).where(Chat.id == chat.id).values(updated=max(now, chat.updated)))
    session.flush()
    return row


def turn_of(row: Message) -> ChatTurn:
    """A message as the next turn is given it."""
    return ChatTurn(
        row.text, " ".join(one["text"] for one in row.answer), row.id, tuple(row.items), row.focus, row.ask,
        row.query, row.question, "ko" if row.locale == "ko" else "en",
    )  # fmt: skip


def delete(session: Session, chat_id: str) -> bool:
    """Delete a conversation and what was remembered of it; False if there was none."""
    _take_back(session, chat_id, select(Message.id).where(Message.chat_id == chat_id))
    return changed(session, delete_rows(Chat).where(Chat.id == chat_id)) > 0


def delete_message(session: Session, chat_id: str, message_id: int) -> bool:
    """Delete a message, its answer and what was remembered of it; False if there was none."""
    own = (Message.id == message_id, Message.chat_id == chat_id)
    _take_back(session, chat_id, select(Message.id).where(*own))
    return changed(session, delete_rows(Message).where(*own)) > 0


def _take_back(session: Session, chat_id: str, messages: Select[Any]) -> None:
    """What the persona of the user has of these messages goes with them."""
    if chat := session.get(Chat, chat_id):
        memory.take_back(session, chat.user_id, messages)
