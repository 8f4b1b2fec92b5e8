"""Rows for tests: a user of whom every table that may know of users knows something."""

from __future__ import annotations

from sqlalchemy.orm import Session

from rectune.dialogue.chat_turn import ChatTurn, SaidSentence
from rectune.dialogue.knowledge import ChatFact, Claim, Persona
from rectune.serving.store import chats, feedback, jobs, memory, personas, recommendations, sessions, users
from rectune.serving.store.feedback import FeedbackEntry
from rectune.serving.store.recommendations import ShownItem
from rectune.serving.store.tables import Chat, Recommendation, User

DAY = 24 * 3600 * 1000


def user(session: Session, name: str) -> User:
    """A user who said nothing yet."""
    return users.create(session, name)


def shown(
    session: Session, user_id: int | None, *ids: str, previous: str | None = None, now: int | None = None
) -> Recommendation:
    """An answer with these items."""
    items = [
        ShownItem(id, score=1 / place, reason=f"because of {id}") for place, id in enumerate(ids, start=1)
    ]
    return recommendations.record(
        session, user_id, {"n": len(ids)}, items, strategy="ease", took_ms=5, previous=previous, now=now
    )


def known_everywhere(session: Session, name: str, *, now: int) -> User:
    """A user with rows in all tables of users, every text of which holds `name`."""
    profile = {"age_band": f"{name} 20s", "sex": f"{name} f", "occupation": f"{name} nurse"}
    made = users.create(session, name, now=now, tastes=[f"{name} likes tea"], consented=now, **profile)
    sessions.start(session, made.id, now=now)
    sessions.new_code(session, made.id, now=now)
    item = ShownItem(f"{name} item", 0.5, f"{name} reason", "model", [{"because": f"{name} liked"}])
    first = recommendations.record(
        session, made.id, {"query": f"{name} asks"}, [item], strategy="ease", took_ms=1, now=now
    )
    recommendations.record(
        session, made.id, {"query": name}, [item], strategy="ease", took_ms=1, previous=first.id, now=now
    )
    said = FeedbackEntry(made.id, f"{name} item", "like", 5.0, now, first.id)
    feedback.put_many(session, [said], now=now)
    jobs.add(session, "persona", {"words": f"{name} wrote"}, user_id=made.id, now=now)
    chat = Chat(id=f"{name} chat", user_id=made.id, created=now, updated=now)
    session.add(chat)
    session.flush()
    for version in (1, 2):
        claim = Claim(f"{name} claim", "likes", "taste", f"{name} tea", text=f"{name} likes tea")
        persona = Persona((claim,), (f"{name} likes tea.",), version=version)
        assert personas.put(session, made.id, persona, f"{name} basis", version - 1, now=now)
    turn = ChatTurn(f"{name} says", f"{name} hears", 0, (f"{name} item",), query=f"{name} words")
    message = chats.add(session, chat, turn, [SaidSentence(f"{name} hears")], "template", now=now)
    memory.add(
        session, made.id, message, [ChatFact("like", f"{name} likes", f"{name} says", 0, now, f"{name} item")]
    )
    session.flush()
    return made
