"""What users said of themselves in conversations: kept with their words, ended, and really forgotten.

To forget deletes the fact, and takes its words out of all that is kept of the user's conversations.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Select, delete, select, update
from sqlalchemy.orm import Session

from rectune.dialogue.knowledge import SESSION_KINDS, ChatFact
from rectune.serving.store import personas, users
from rectune.serving.store.columns import now_ms
from rectune.serving.store.statements import blocks, changed
from rectune.serving.store.tables import Chat, MemoryFact, Message

SESSION_MS = 6 * 3600 * 1000
"""So long after the last message of a conversation what holds for the session is over."""
FORGOTTEN = "[…]"
"""Stands where words were that are to be forgotten."""


def facts(
    session: Session, user_id: int, chat_id: str | None = None, *, now: int | None = None
) -> list[ChatFact]:
    """What is known of a user, the oldest first: what stays, and what holds for a session.

    Args:
        chat_id: where one is given, of the session of this conversation alone; else of any.
    """
    now = now_ms() if now is None else now
    rows = (
        select(MemoryFact, Message.chat_id)
        .join(Message, Message.id == MemoryFact.message_id)
        .where(MemoryFact.user_id == user_id)
        .order_by(MemoryFact.id)
    )
    return [
        fact_of(row)
        for row, of_chat in session.execute(rows).tuples()
        if row.ends is None or (row.ends > now and chat_id in (None, of_chat))
    ]


def fact_of(row: MemoryFact) -> ChatFact:
    """A row as a turn is given it."""
    return ChatFact(row.kind, row.value, row.quote, row.message_id, row.created, row.item_id, row.id)


def add(session: Session, user_id: int, message: Message, new: Sequence[ChatFact]) -> list[ChatFact]:
    """Keep what a message says; gives the same facts with their ids."""
    rows = [
        MemoryFact(
            user_id=user_id, message_id=message.id, kind=one.kind, value=one.value, quote=one.quote,
            item_id=one.item_id, created=message.created,
            ends=message.created + SESSION_MS if one.kind in SESSION_KINDS else None,
        )
        for one in new
    ]  # fmt: skip
    session.add_all(rows)
    session.flush()
    return [fact_of(row) for row in rows]


def go_on(session: Session, chat_id: str, now: int) -> None:
    """A conversation goes on, and so does its session, unless it is over; then what held for it goes."""
    of_chat = MemoryFact.message_id.in_(select(Message.id).where(Message.chat_id == chat_id))
    session.execute(delete(MemoryFact).where(of_chat, MemoryFact.ends <= now))
    session.execute(
        update(MemoryFact).where(of_chat, MemoryFact.ends.is_not(None)).values(ends=now + SESSION_MS)
    )


def end_session(session: Session, user_id: int) -> None:
    """What holds for a session only is deleted."""
    session.execute(delete(MemoryFact).where(MemoryFact.user_id == user_id, MemoryFact.ends.is_not(None)))


def delete_ended(session: Session, *, now: int | None = None) -> int:
    """Delete what holds for sessions that are over; returns how many facts."""
    now = now_ms() if now is None else now
    return changed(session, delete(MemoryFact).where(MemoryFact.ends <= now))


def remove(session: Session, user_id: int, gone: Iterable[ChatFact]) -> None:
    """Delete facts of a user that others have taken the place of."""
    for some in blocks(sorted({one.id for one in gone})):
        session.execute(delete(MemoryFact).where(MemoryFact.user_id == user_id, MemoryFact.id.in_(some)))


def forget(session: Session, user_id: int, ids: Iterable[int]) -> list[ChatFact]:
    """Delete facts of a user, and take their words out of the user's conversations.

    Returns:
        Those that there were.

    Raises:
        UserError: there is no such user.
    """
    users.locked(session, user_id)
    wanted = set(ids)
    rows = select(MemoryFact).where(MemoryFact.user_id == user_id).order_by(MemoryFact.id)
    gone = [fact_of(row) for row in session.scalars(rows) if row.id in wanted]
    if gone:
        remove(session, user_id, gone)
        personas.take_back(session, user_id, {one.quote for one in gone})
        said = select(Message).join(Chat, Chat.id == Message.chat_id).where(Chat.user_id == user_id)
        blank(session.scalars(said).all(), gone)
        session.flush()
    return gone


def take_back(session: Session, user_id: int, messages: Select[Any]) -> None:
    """Messages of a user are about to be deleted: claims of their persona that rest on words of these go.

    What another message says in the same words stays.

    Args:
        messages: selects their ids.
    """
    users.locked(session, user_id)
    quotes = select(MemoryFact.quote).where(MemoryFact.user_id == user_id)
    gone = set(session.scalars(quotes.where(MemoryFact.message_id.in_(messages))))
    kept = set(session.scalars(quotes.where(MemoryFact.message_id.not_in(messages)))) if gone else set()
    personas.take_back(session, user_id, gone - kept)


def blank(rows: Sequence[Message], gone: Sequence[ChatFact]) -> None:
    """Take the words of facts out of messages, answers and what was searched for.

    Quotes go wherever they stand. The values of facts, which may be categories or titles of the catalogue,
    go from the message that they were read in, from what asks to forget, and from sentences that speak of no
    item.
    """
    from rectune.dialogue.chat_sentences import shown_value

    quotes = _any_of(text for one in gone for text in (one.quote, shown_value(one.quote).rstrip("…")))
    values = _any_of(text for one in gone for text in (one.value, shown_value(one.value).rstrip("…")))
    both = re.compile(f"{quotes.pattern}|{values.pattern}", re.IGNORECASE)
    sources = {one.message_id for one in gone}
    for row in rows:
        row.text = (both if row.id in sources or row.ask == "forget" else quotes).sub(FORGOTTEN, row.text)
        row.answer = [
            one | {"text": (quotes if one["items"] else both).sub(FORGOTTEN, one["text"])}
            for one in row.answer
        ]
        if both.search(row.query) or any(row.query and row.query in one.quote for one in gone):
            row.query = ""


def _any_of(texts: Iterable[str]) -> re.Pattern[str]:
    """Finds any of these, the longest first; nothing where all are empty."""
    some = sorted({text for text in texts if text.strip()}, key=lambda text: (-len(text), text))
    return re.compile("|".join(map(re.escape, some)) or r"(?!)", re.IGNORECASE)
