"""Conversations and what is remembered of them, in both databases."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from rectune.core.errors import UserError
from rectune.dialogue.chat_turn import ChatTurn, SaidSentence
from rectune.dialogue.knowledge import ChatFact, Claim, FactKind, Persona
from rectune.serving.store import chats, memory, personas, users
from rectune.serving.store.database import Database, open_database
from rectune.serving.store.tables import Chat, MemoryFact, Message

NOW = 1_800_000_000_000
HOUR = 3600 * 1000


def said(
    session: Session, chat: Chat, text: str, *facts: tuple[FactKind, str, str], now: int = NOW, **more: str
) -> Message:
    """A turn with facts: kind, value, quote."""
    told = f"Noted: {', '.join(value for _, value, _ in facts)}." if facts else "Well."
    sentences = [SaidSentence(told), SaidSentence('"Moon Landing": Space.', ("11",))]
    row = chats.add(session, chat, ChatTurn(text, "", 0, ("11",), **more), sentences, "template", now=now)  # type: ignore[arg-type]
    new = [ChatFact(kind, value, quote, 0, 0) for kind, value, quote in facts]
    memory.add(session, chat.user_id, row, new)
    return row


def values(session: Session, user_id: int, chat: Chat | None = None, now: int = NOW) -> list[str]:
    return [one.value for one in memory.facts(session, user_id, chat.id if chat else None, now=now)]


def test_a_turn_comes_back_as_it_was(database: Database) -> None:
    turn = ChatTurn(
        "전쟁 말고", 'Noted. "Moon Landing".', 0, ("11", "13"), "11", "tell", "달", "category", "ko"
    )
    sentences = [SaidSentence("Noted."), SaidSentence('"Moon Landing".', ("11",))]
    with database.writing() as session:
        ann = users.create(session, "ann").id
        chat = chats.begin(session, ann, now=NOW)
        id = chats.add(session, chat, turn, sentences, "model", now=NOW + 5).id
    with database.reading() as session:
        (row,) = chats.messages(session, chat.id).rows
        assert chats.turn_of(row) == ChatTurn(**(vars_of(turn) | {"message_id": id}))
        assert [SaidSentence(one["text"], tuple(one["items"])) for one in row.answer] == sentences
        assert (row.worded_by, chats.latest(session, ann).updated) == ("model", NOW + 5)  # type: ignore[union-attr]


def vars_of(turn: ChatTurn) -> dict[str, object]:
    return {name: getattr(turn, name) for name in turn.__dataclass_fields__}


def test_conversations_and_messages_are_listed_by_pages(database: Database) -> None:
    with database.writing() as session:
        ann, bob = users.create(session, "ann").id, users.create(session, "bob").id
        made = [chats.begin(session, ann, now=NOW + at) for at in range(3)]
        for at in range(5):
            said(session, made[0], f"message {at}", now=NOW + 10 + at)
        said(session, chats.begin(session, bob, now=NOW), "of bob")
    with database.reading() as session:
        first = chats.page(session, ann, limit=2)
        assert [(one.chat.id, one.messages, one.first) for one in first.rows] == [
            (made[0].id, 5, "message 0"), (made[2].id, 0, ""),
        ]  # fmt: skip
        rest = chats.page(session, ann, limit=2, after=first.after)
        assert [one.chat.id for one in rest.rows] == [made[1].id] and rest.after is None
        last = chats.messages(session, made[0].id, limit=2)
        assert [row.text for row in last.rows] == ["message 3", "message 4"]
        before = chats.messages(session, made[0].id, limit=9, before=int(last.after or 0))
        assert [row.text for row in before.rows] == ["message 0", "message 1", "message 2"]
        assert before.after is None
        assert chats.find(session, made[0].id, ann) and not chats.find(session, made[0].id, bob)
        for wrong in ("x", "5", "x-y"):
            with pytest.raises(UserError, match="cursor"):
                chats.page(session, ann, after=wrong)


def test_what_holds_for_a_session_ends_with_it(database: Database) -> None:
    with database.writing() as session:
        ann = users.create(session, "ann").id
        chat = chats.begin(session, ann, now=NOW)
        said(session, chat, "x", ("like", "Space", "a"), ("want", "Crime", "b"), ("time", "90", "c"))
        assert values(session, ann, chat) == ["Space", "Crime", "90"]
        memory.go_on(session, chat.id, NOW + 5 * HOUR)  # the conversation goes on, and so does the session
        assert values(session, ann, chat, NOW + 10 * HOUR) == ["Space", "Crime", "90"]
        assert values(session, ann, chat, NOW + 11 * HOUR) == ["Space"]
        memory.go_on(session, chat.id, NOW + 11 * HOUR)
        assert session.scalar(select(func.count()).select_from(MemoryFact)) == 1


def test_a_new_conversation_ends_the_session_of_the_one_before(database: Database) -> None:
    with database.writing() as session:
        ann, bob = users.create(session, "ann").id, users.create(session, "bob").id
        of_bob = chats.begin(session, bob, now=NOW)
        said(session, of_bob, "x", ("want", "War", "b"))
        first = chats.begin(session, ann, now=NOW)
        said(session, first, "x", ("avoid", "Crime", "a"), ("not_now", "War", "b"))
        second = chats.begin(session, ann, now=NOW + 1)
        assert values(session, ann, second) == values(session, ann) == ["Crime"]
        said(session, first, "x", ("mood", "calm", "c"), now=NOW + 2)  # of the first one alone
        assert values(session, ann, first) == ["Crime", "calm"] and values(session, ann, second) == ["Crime"]
        assert values(session, bob, of_bob) == ["War"]
        assert memory.delete_ended(session, now=NOW + 7 * HOUR) == 2
        assert values(session, ann) == ["Crime"]


def test_what_goes_takes_its_facts_along(database: Database) -> None:
    with database.writing() as session:
        ann = users.create(session, "ann").id
        chat, other = chats.begin(session, ann, now=NOW), chats.begin(session, ann, now=NOW)
        row = said(session, chat, "x", ("like", "Space", "a"))
        said(session, chat, "y", ("like", "War", "b"))
        said(session, other, "z", ("like", "Crime", "c"))
        assert not chats.delete_message(session, other.id, row.id)
        assert chats.delete_message(session, chat.id, row.id) and values(session, ann) == ["War", "Crime"]
        assert chats.delete(session, chat.id) and not chats.delete(session, chat.id)
        assert values(session, ann) == ["Crime"]
        assert session.scalar(select(func.count()).select_from(Message)) == 1


@pytest.mark.parametrize("whole", [True, False])
def test_what_goes_takes_what_the_persona_has_of_it_along(database: Database, whole: bool) -> None:
    """Also what the person kept, and what earlier versions say; the same words of elsewhere stay."""
    claims = (
        Claim("c1", "likes", "taste", "zebrafish", quote="I adore zebrafish", state="kept"),
        Claim("c2", "likes", "taste", "tea", quote="tea"),
        Claim("c3", "likes", "category", "Crime", ("11",), 1, 1),
    )
    persona = Persona(claims, ("You adore zebrafish.",), "model", 1)
    with database.writing() as session:
        ann = users.create(session, "ann").id
        chat, other = (chats.begin(session, ann, now=NOW + at) for at in range(2))
        facts: list[tuple[FactKind, str, str]] = [
            ("like", "zebrafish", "I adore zebrafish"), ("like", "tea", "tea"),
        ]  # fmt: skip
        row = said(session, chat, "I adore zebrafish, and tea", *facts)
        said(session, other, "tea", ("like", "tea", "tea"))
        assert personas.put(session, ann, persona, "x", 0)
        assert personas.put(session, ann, replace(persona, version=2), "x", 1)
        assert chats.delete(session, chat.id) if whole else chats.delete_message(session, chat.id, row.id)
        assert "zebrafish" not in str(users.export(session, ann))
        assert [one.id for one in personas.find(session, ann).persona.claims] == ["c2", "c3"]


def test_only_their_own_facts_are_forgotten(database: Database) -> None:
    with database.writing() as session:
        ids = {name: users.create(session, name).id for name in ("ann", "bob")}
        for id in ids.values():
            said(
                session, chats.begin(session, id, now=NOW), "I love Space", ("like", "Space", "I love Space")
            )
        theirs = memory.facts(session, ids["bob"], now=NOW)
        assert memory.forget(session, ids["ann"], [one.id for one in theirs]) == []
        assert memory.forget(session, ids["bob"], [one.id for one in theirs]) == theirs
        assert values(session, ids["ann"]) == ["Space"] and values(session, ids["bob"]) == []
        kept = session.scalars(select(Message).order_by(Message.id)).all()
        assert [row.text for row in kept] == ["I love Space", "[…]"]


def test_what_was_forgotten_is_nowhere_in_the_file(folder: Path) -> None:
    """Its words stand in the message, in answers, in later messages and in what was searched for."""
    place = folder / "store.db"
    with open_database(place) as database:
        with database.writing() as session:
            ann = users.create(session, "ann").id
            chat = chats.begin(session, ann, now=NOW)
            quote = "I adore zebrafish documentaries"
            said(session, chat, f"{quote}, and tea", ("like", "zebrafish", quote), ("like", "tea", "tea"))
            said(session, chat, "why?", query="zebrafish documentaries")
            said(session, chat, f"you know {quote.upper()}")
            said(session, chat, "forget that I like zebrafish", ask="forget")
        assert b"zebrafish" in b"".join(file.read_bytes() for file in folder.iterdir())
        with database.writing() as session:
            fact = memory.facts(session, ann, now=NOW)[0]
            memory.forget(session, ann, [fact.id])
            assert values(session, ann) == ["tea"]
    (file,) = folder.iterdir()  # the log has gone into it
    assert b"zebrafish" not in file.read_bytes().lower() and b"and tea" in file.read_bytes()
