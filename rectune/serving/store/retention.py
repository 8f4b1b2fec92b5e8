"""Deleting what is older than the service keeps it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, delete, exists, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from rectune.core.errors import UserError
from rectune.serving.store.columns import now_ms
from rectune.serving.store.statements import changed
from rectune.serving.store.tables import (
    Base,
    Chat,
    Feedback,
    Job,
    MemoryFact,
    Persona,
    PersonalCode,
    PersonaVersion,
    Recommendation,
    User,
    UserSession,
)
from rectune.serving.store.user_tables import parents

DAY_MS = 24 * 3600 * 1000
# By which time a row is old. A conversation stays whole while it goes on. Feedback may be brought along from
# years ago: what counts is when it came.
_OLD: tuple[tuple[type[Base], ColumnElement[Any] | InstrumentedAttribute[Any]], ...] = (
    (Feedback, func.coalesce(Feedback.received, Feedback.time)),
    (Recommendation, Recommendation.created),
    (MemoryFact, MemoryFact.created),
    (Chat, Chat.updated),
    (Persona, Persona.updated),
    (PersonaVersion, PersonaVersion.created),
    (UserSession, UserSession.last_seen),
)


def delete_older(session: Session, days: float, *, now: int | None = None) -> dict[str, int]:
    """Delete users' data that is older than some days; returns how many rows of each table.

    Users go whole who have not changed their profile since, used no session or code, and of whom nothing is
    left. Answers that were given to nobody, and finished jobs, go as well.

    Raises:
        UserError: `days` is not above 0.
    """
    if not days > 0:
        raise UserError(f"data cannot be kept for {days} days", hint="give a number above 0")
    before = (now_ms() if now is None else now) - round(days * DAY_MS)
    counts = {
        table.__tablename__: changed(session, delete(table).where(time < before)) for table, time in _OLD
    }
    counts[Job.__tablename__] = changed(session, delete(Job).where(Job.finished < before))
    counts[User.__tablename__] = changed(session, delete(User).where(*_unused(before)))
    return counts


def _unused(before: int) -> list[ColumnElement[bool]]:
    """Users without a row in any table but waiting jobs and a personal code, which is not used either."""
    code = select(PersonalCode.user_id).where(
        PersonalCode.user_id == User.id,
        (PersonalCode.created >= before) | (PersonalCode.used >= before),
    )
    conditions: list[ColumnElement[bool]] = [User.updated < before, ~exists(code)]
    apart = (PersonalCode.__tablename__, Job.__tablename__)
    for name, above in parents().items():
        table = Base.metadata.tables[name]
        if above == User.__tablename__ and name not in apart:
            conditions.append(~exists(select(table.c.user_id).where(table.c.user_id == User.id)))
    return conditions
