"""/api/v1/feedback: what users did with items. It counts at the very next request."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from rectune.serving.api.bodies import PROBLEMS, Body, ItemId, Limit, UserId
from rectune.serving.state import state_of
from rectune.serving.store import feedback
from rectune.serving.store.feedback import FeedbackEntry
from rectune.serving.store.tables import FeedbackType
from rectune.serving.tastes import user_of

router = APIRouter(prefix="/api/v1/feedback", tags=["feedback"], responses=PROBLEMS)


class Entry(Body):
    """What one user did with one item. Of one user, item and type the latest counts."""

    user: UserId
    item: ItemId
    type: FeedbackType
    value: Annotated[float, Field(allow_inf_nan=False)] | None = None
    time: Annotated[int, Field(ge=0, lt=2**53)] | None = None
    """Milliseconds since 1970, from 1990 to tomorrow; now if not given."""
    recommendation: Annotated[str, Field(max_length=64)] | None = None
    """The id of the answer that showed the item."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"user": "ann", "item": "12", "type": "like"}]}
    )


Entries = Entry | Annotated[list[Entry], Field(min_length=1, max_length=500)]


class WrittenBody(BaseModel):
    """What became of feedback. `late` is older than what is known and changed nothing."""

    added: int
    changed: int
    unchanged: int
    late: int
    not_in_catalogue: list[str]
    """Ids that the catalogue lacks; what was said of them is kept."""


class KeptEntry(BaseModel):
    """Feedback as it is kept."""

    item: str
    type: FeedbackType
    value: float | None
    time: int
    recommendation: str | None


class FeedbackPage(BaseModel):
    """Feedback of a user, the newest first; `after` is given to the next request, null at the end."""

    entries: list[KeptEntry]
    after: str | None


class Deleted(BaseModel):
    """How many were deleted."""

    deleted: int


@router.post("", response_model=WrittenBody)
def add_feedback(request: Request, body: Entries) -> WrittenBody:
    """Keep feedback: one entry, or a list. The same again changes nothing."""
    return _kept(request, body)


@router.put("", response_model=WrittenBody)
def put_feedback(request: Request, body: Entries) -> WrittenBody:
    """The same as POST: feedback is a state, not an event."""
    return _kept(request, body)


@router.get("", response_model=FeedbackPage)
def list_feedback(
    request: Request,
    user: Annotated[UserId, Query()],
    type: FeedbackType | None = None,
    limit: Annotated[Limit, Query()] = 50,
    after: Annotated[str, Query(max_length=64)] | None = None,
) -> FeedbackPage:
    """A user's feedback, the newest first."""
    service = state_of(request).service
    owner = user_of(service.database, service.recommender, user)
    with service.database.reading() as session:
        page = feedback.page(session, owner.id, type=type, limit=limit, after=after)
    rows = [
        KeptEntry(
            item=row.item_id, type=row.type, value=row.value, time=row.time,
            recommendation=row.recommendation_id,
        )
        for row in page.rows
    ]  # fmt: skip
    return FeedbackPage(entries=rows, after=page.after)


@router.delete("", response_model=Deleted)
def delete_feedback(
    request: Request,
    user: Annotated[UserId, Query()],
    item: Annotated[ItemId, Query()],
    type: FeedbackType | None = None,
) -> Deleted:
    """Take back feedback to an item, of one type or of all."""
    service = state_of(request).service
    owner = user_of(service.database, service.recommender, user)
    with service.database.writing() as session:
        return Deleted(deleted=feedback.delete(session, owner.id, item, type))


def _kept(request: Request, body: Entries) -> WrittenBody:
    service = state_of(request).service
    given = body if isinstance(body, list) else [body]
    ids = {
        name: user_of(service.database, service.recommender, name).id for name in {one.user for one in given}
    }
    entries = [
        FeedbackEntry(
            ids[one.user], one.item, one.type, one.value, feedback.checked_time(one.time), one.recommendation
        )
        for one in given
    ]
    with service.database.writing() as session:
        done = feedback.put_many(session, entries)
    items = service.recommender.items
    strange = sorted({one.item for one in given if one.item not in items})
    return WrittenBody(**vars(done), not_in_catalogue=strange)
