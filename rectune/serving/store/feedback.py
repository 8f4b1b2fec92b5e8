"""What users did with items: one row a user, item and type, however often it is sent."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import delete as delete_rows
from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import Session

from rectune.core.errors import UserError
from rectune.readers.times import EARLIEST
from rectune.serving.store import users
from rectune.serving.store.columns import now_ms
from rectune.serving.store.paging import Page, page_size, parse_cursor
from rectune.serving.store.statements import blocks, changed
from rectune.serving.store.tables import (
    FEEDBACK_TYPES,
    Feedback,
    FeedbackType,
    Recommendation,
    RecommendedItem,
    User,
)

_AHEAD = 24 * 3600 * 1000  # milliseconds by which a client's clock may be ahead
_OPPOSITE: dict[str, FeedbackType] = {"like": "dislike", "dislike": "like"}


@dataclass(frozen=True)
class FeedbackEntry:
    """One piece of feedback. `user_id` is `User.id`; `time` is in milliseconds, None for now.

    `value` is a rating, if there is one; `recommendation` the id of the answer that showed the item.
    """

    user_id: int
    item_id: str
    type: FeedbackType
    value: float | None = None
    time: int | None = None
    recommendation: str | None = None


@dataclass(frozen=True)
class Written:
    """What became of entries: `late` ones are older than what is known, and changed nothing."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    late: int = 0


def checked_time(time: int | None, *, now: int | None = None) -> int | None:
    """The time of feedback as a client sent it, None for now; a clock that is ahead says now as well.

    Raises:
        UserError: it is before 1990, as seconds would be, or more than a day ahead of this server, as
            microseconds would be: what is said later would never count.
    """
    now = now_ms() if now is None else now
    if time is None or EARLIEST <= time <= now + _AHEAD:
        return None if time is None else min(time, now)
    says = "before 1990" if time < EARLIEST else "in the future"
    raise UserError(f"the time {time} of feedback is {says}", hint="give milliseconds since 1970, or none")


def put_many(session: Session, entries: Sequence[FeedbackEntry], *, now: int | None = None) -> Written:
    """Keep feedback; the same entries again change nothing, so that a request may be repeated.

    Of several entries of one user, item and type the latest counts. A like ends an earlier dislike of the
    item, and the other way round.

    Raises:
        UserError: a type, a value, a time or an id cannot be; a user is not there; a recommendation is not
            there or another user's. Nothing is kept then.
    """
    now = now_ms() if now is None else now
    for entry in entries:
        _check(entry)
    if not entries:
        return Written()
    users.locked(session, *(entry.user_id for entry in entries))
    _check_recommendations(session, entries)
    outcomes = {"added": 0, "changed": 0, "unchanged": 0, "late": 0}
    for block in blocks(entries):
        known = _known(session, block)
        for entry in block:
            outcomes[_put(session, known, entry, now)] += 1
        session.flush()
    return Written(**outcomes)


_Known = dict[tuple[int, str, str], Feedback]


def _known(session: Session, entries: Sequence[FeedbackEntry]) -> _Known:
    pairs = {(entry.user_id, entry.item_id) for entry in entries}
    rows = session.scalars(select(Feedback).where(tuple_(Feedback.user_id, Feedback.item_id).in_(pairs)))
    return {(row.user_id, row.item_id, row.type): row for row in rows}


def _put(session: Session, known: _Known, entry: FeedbackEntry, now: int) -> str:
    time = now if entry.time is None else entry.time
    key = (entry.user_id, entry.item_id, entry.type)
    if entry.type in _OPPOSITE:
        against = (entry.user_id, entry.item_id, _OPPOSITE[entry.type])
        if against in known:
            if known[against].time > time:
                return "late"
            _forget(session, known.pop(against))
    content = (entry.value, time, entry.recommendation)
    if (row := known.get(key)) is None:
        known[key] = row = Feedback(user_id=entry.user_id, item_id=entry.item_id, type=entry.type)
        row.value, row.time, row.recommendation_id, row.received = *content, now
        session.add(row)
        return "added"
    if row.time > time:
        return "late"
    if (row.value, row.time, row.recommendation_id) == content:
        return "unchanged"
    row.value, row.time, row.recommendation_id, row.received = *content, now
    return "changed"


def _forget(session: Session, row: Feedback) -> None:
    if row in session.new:
        session.expunge(row)
    else:
        session.delete(row)
        session.flush()  # the same key may come again in this block


def _check(entry: FeedbackEntry) -> None:
    users.check_id(entry.item_id, "an item")
    if entry.type not in FEEDBACK_TYPES:
        hint = f"there are {', '.join(FEEDBACK_TYPES)}"
        raise UserError(f"there is no feedback of the type {entry.type}", hint=hint)
    if entry.value is not None and not math.isfinite(entry.value):
        raise UserError("the value of feedback is not a finite number", hint="leave it out, or give a number")
    if entry.time is not None and not 0 <= entry.time < 2**53:
        raise UserError("the time of feedback cannot be", hint="give milliseconds since 1970")


def _check_recommendations(session: Session, entries: Sequence[FeedbackEntry]) -> None:
    """Each is there, and is this user's or nobody's."""
    named = sorted({entry.recommendation for entry in entries if entry.recommendation is not None})
    owners: dict[str, int | None] = {}
    for block in blocks(named):
        rows = select(Recommendation.id, Recommendation.user_id).where(Recommendation.id.in_(block))
        owners |= {row.id: row.user_id for row in session.execute(rows)}
    for entry in entries:
        if entry.recommendation is None:
            continue
        if owners.get(entry.recommendation, -1) not in (None, entry.user_id):
            says = f"this user got no recommendation {entry.recommendation}"
            raise UserError(says, hint="give the id of the answer that showed the item, or none")


def page(
    session: Session,
    user_id: int,
    *,
    type: FeedbackType | None = None,
    limit: int = 50,
    after: str | None = None,
) -> Page[Feedback]:
    """A user's feedback, the newest first.

    Raises:
        UserError: the limit or the cursor cannot be.
    """
    rows = select(Feedback).where(Feedback.user_id == user_id)
    if type is not None:
        rows = rows.where(Feedback.type == type)
    if after is not None:
        rows = rows.where(tuple_(Feedback.time, Feedback.id) < parse_cursor(after))
    rows = rows.order_by(Feedback.time.desc(), Feedback.id.desc()).limit(page_size(limit) + 1)
    found = session.scalars(rows).all()
    shown = found[:limit]
    return Page(shown, f"{shown[-1].time}-{shown[-1].id}" if len(found) > limit else None)


def page_of_all(session: Session, *, limit: int = 50, after: str | None = None) -> Page[tuple[str, Feedback]]:
    """Everybody's feedback, each with the id of its user as clients know it, in the order in which it came.

    Raises:
        UserError: the limit or the cursor cannot be.
    """
    rows = select(User.external_id, Feedback).join(User, User.id == Feedback.user_id)
    if after is not None:
        if not after.isdecimal() or len(after) > 18:
            raise UserError("this is no cursor", hint="give `after` as the page before said it")
        rows = rows.where(Feedback.id > int(after))
    rows = rows.order_by(Feedback.id).limit(page_size(limit) + 1)
    found = session.execute(rows).tuples().all()
    shown = found[:limit]
    return Page(shown, str(shown[-1][1].id) if len(found) > limit else None)


def delete(session: Session, user_id: int, item_id: str, type: FeedbackType | None = None) -> int:
    """Take back feedback of one type, or of all, to an item; returns how many rows there were."""
    gone = delete_rows(Feedback).where(Feedback.user_id == user_id, Feedback.item_id == item_id)
    return changed(session, gone if type is None else gone.where(Feedback.type == type))


def item_ids(session: Session, user_id: int, types: Iterable[FeedbackType] = FEEDBACK_TYPES) -> set[str]:
    """The items to which the user gave feedback of any of these types: seen, hidden, disliked."""
    rows = select(Feedback.item_id).where(Feedback.user_id == user_id, Feedback.type.in_(list(types)))
    return set(session.scalars(rows))


def types_of(session: Session, user_id: int, item_ids: Sequence[str]) -> dict[str, frozenset[str]]:
    """What a user said of these items: item id -> types of feedback."""
    rows = select(Feedback.item_id, Feedback.type).where(
        Feedback.user_id == user_id, Feedback.item_id.in_(list(item_ids))
    )
    found: dict[str, set[str]] = {}
    for item_id, kind in session.execute(rows).tuples():
        found.setdefault(item_id, set()).add(kind)
    return {item_id: frozenset(kinds) for item_id, kinds in found.items()}


def liked(session: Session, user_id: int) -> list[str]:
    """The items that the user likes, in the order in which they said so, the latest last."""
    rows = select(Feedback.item_id).where(Feedback.user_id == user_id, Feedback.type == "like")
    return list(session.scalars(rows.order_by(Feedback.time, Feedback.id)))


def opinion_times(session: Session, user_id: int) -> dict[str, int]:
    """When the user said last that they like an item, or dislike it: item id -> milliseconds."""
    rows = select(Feedback.item_id, func.max(Feedback.time)).where(
        Feedback.user_id == user_id, Feedback.type.in_(list(_OPPOSITE))
    )
    return dict(session.execute(rows.group_by(Feedback.item_id)).tuples().all())


def like_counts(session: Session) -> dict[str, int]:
    """How many users like each item that anybody likes."""
    rows = select(Feedback.item_id, func.count()).where(Feedback.type == "like").group_by(Feedback.item_id)
    return dict(session.execute(rows).tuples().all())


def shown_without_reaction(session: Session, user_id: int) -> list[str]:
    """Items that were shown to the user without any feedback; what was last shown longest ago is first."""
    reacted = select(Feedback.item_id).where(Feedback.user_id == user_id)
    rows = (
        select(RecommendedItem.item_id)
        .join(Recommendation, Recommendation.id == RecommendedItem.recommendation_id)
        .where(Recommendation.user_id == user_id, RecommendedItem.item_id.not_in(reacted))
        .group_by(RecommendedItem.item_id)
        .order_by(func.max(Recommendation.created), RecommendedItem.item_id)
    )
    return list(session.scalars(rows))
