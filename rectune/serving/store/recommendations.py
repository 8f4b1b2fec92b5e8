"""Answers of the recommender as they were shown: for `again`, for feedback, and to say later why."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import Session, aliased

from rectune.core.errors import UserError
from rectune.serving.store import users
from rectune.serving.store.columns import now_ms
from rectune.serving.store.paging import Page, page_size
from rectune.serving.store.tables import Recommendation, RecommendedItem


@dataclass(frozen=True)
class ShownItem:
    """One item of an answer, its reason, who worded that ("model", "template"), and what it stands on."""

    item_id: str
    score: float | None = None
    reason: str = ""
    reason_by: str = ""
    evidence: Sequence[Any] = field(default_factory=tuple)


def record(
    session: Session,
    user_id: int | None,
    request: Mapping[str, Any],
    items: Sequence[ShownItem],
    *,
    strategy: str,
    took_ms: int,
    previous: str | None = None,
    arm: tuple[str, str] | None = None,
    told: Mapping[str, Any] | None = None,
    now: int | None = None,
) -> Recommendation:
    """Keep an answer under a new id, which nobody can guess.

    Args:
        user_id: whose it is. With None it is kept apart from every user; its request, words included, is
            needed for `again` and goes when it is old (`retention.py`).
        request: what was asked, ready for JSON.
        items: in the order in which they are shown.
        previous: the answer that this one continues.
        arm: the experiment, and which of its rankers ranked; None where none did.
        told: what else it said, ready for JSON.

    Raises:
        UserError: the user is not there; `previous` is not there, or another user's.
    """
    if user_id is not None:
        users.locked(session, user_id)
    if previous is not None:
        before = session.get(Recommendation, previous)
        if before is None or before.user_id != user_id:
            raise UserError(f"this user got no recommendation {previous}", hint="ask anew")
    row = Recommendation(
        id=secrets.token_hex(16),
        user_id=user_id,
        previous=previous,
        request=dict(request),
        strategy=strategy,
        created=now_ms() if now is None else now,
        took_ms=took_ms,
        experiment=arm[0] if arm else None,
        arm=arm[1] if arm else None,
        told=dict(told or {}),
    )
    session.add(row)
    session.flush()
    session.add_all(
        RecommendedItem(
            recommendation_id=row.id,
            place=place,
            item_id=item.item_id,
            score=item.score,
            reason=item.reason,
            reason_by=item.reason_by,
            evidence=list(item.evidence),
        )
        for place, item in enumerate(items, start=1)
    )
    session.flush()
    return row


def find(session: Session, id: str) -> tuple[Recommendation, Sequence[RecommendedItem]] | None:
    """An answer and its items in their order; None if there is none. Whose it is the caller must look at."""
    row = session.get(Recommendation, id)
    if row is None:
        return None
    items = select(RecommendedItem).where(RecommendedItem.recommendation_id == id)
    return row, session.scalars(items.order_by(RecommendedItem.place)).all()


def page(
    session: Session, user_id: int, *, limit: int = 50, after: str | None = None
) -> Page[tuple[Recommendation, int]]:
    """A user's answers with how many items each has, the newest first.

    Raises:
        UserError: the limit or the cursor cannot be.
    """
    items = (
        select(func.count())
        .where(RecommendedItem.recommendation_id == Recommendation.id)
        .correlate(Recommendation)
        .scalar_subquery()
    )
    rows = select(Recommendation, items).where(Recommendation.user_id == user_id)
    if after is not None:
        time, id = after.partition("-")[::2]
        if not (time.isdecimal() and time.isascii() and id.isalnum() and len(after) < 60):
            raise UserError("this is no cursor", hint="give `after` as the page before said it")
        rows = rows.where(tuple_(Recommendation.created, Recommendation.id) < (int(time), id))
    rows = rows.order_by(Recommendation.created.desc(), Recommendation.id.desc())
    found = [(row, count) for row, count in session.execute(rows.limit(page_size(limit) + 1)).tuples()]
    last = found[limit - 1][0] if len(found) > limit else None
    return Page(found[:limit], f"{last.created}-{last.id}" if last else None)


def shown_before(session: Session, id: str) -> list[str]:
    """The items of this answer and of all that it continues, each once, the first shown first."""
    chain = (
        select(Recommendation.id, Recommendation.previous).where(Recommendation.id == id).cte(recursive=True)
    )
    above = aliased(Recommendation)
    chain = chain.union(select(above.id, above.previous).join(chain, above.id == chain.c.previous))
    rows = (
        select(RecommendedItem.item_id)
        .join(chain, chain.c.id == RecommendedItem.recommendation_id)
        .join(Recommendation, Recommendation.id == RecommendedItem.recommendation_id)
        .order_by(Recommendation.created, Recommendation.id, RecommendedItem.place)
    )
    return list(dict.fromkeys(session.scalars(rows)))
