"""Counts for whoever runs the service: how many users, items, answers; nothing of any one of them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from rectune.serving.store.columns import now_ms
from rectune.serving.store.retention import DAY_MS
from rectune.serving.store.tables import CatalogueVersion, Feedback, Recommendation, User, UserSession


def count_users(session: Session) -> int:
    """All users."""
    return session.scalar(select(func.count()).select_from(User)) or 0


def count_sessions(session: Session, *, now: int | None = None) -> int:
    """Browsers that are signed in."""
    valid = UserSession.expires > (now_ms() if now is None else now)
    return session.scalar(select(func.count()).select_from(UserSession).where(valid)) or 0


def feedback_by_type(session: Session) -> dict[str, int]:
    """How many marks there are of each type."""
    rows = select(Feedback.type, func.count()).group_by(Feedback.type)
    return {str(type): count for type, count in session.execute(rows).tuples()}


def answers_by_day(session: Session, days: int, *, now: int | None = None) -> list[tuple[int, int]]:
    """The answers of each of the last days (UTC), today last: the day's begin in milliseconds, how many."""
    today = (now_ms() if now is None else now) // DAY_MS
    day = (Recommendation.created // DAY_MS).label("day")
    rows = (
        select(day, func.count()).where(Recommendation.created >= (today - days + 1) * DAY_MS).group_by(day)
    )
    counts = {int(at): count for at, count in session.execute(rows).tuples()}
    return [(at * DAY_MS, counts.get(at, 0)) for at in range(today - days + 1, today + 1)]


def catalogue_versions(session: Session, limit: int) -> Sequence[CatalogueVersion]:
    """The newest changes of the catalogue, the last one first."""
    rows = select(CatalogueVersion).order_by(CatalogueVersion.version.desc()).limit(limit)
    return session.scalars(rows).all()
