"""gorse's paths for recommendations and feedback, for programs that were written for gorse.

Shapes as PyGorse 0.5 sends and reads them. What differs is in docs/serving.md, "In place of gorse".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Request
from fastapi import Body as InBody
from pydantic import Field
from sqlalchemy.orm import Session

from rectune.core.errors import UserError
from rectune.serving.answers import NotFound, RecommendQuestion
from rectune.serving.api.bodies import PROBLEMS, Body, ItemId, UserId
from rectune.serving.api.gorse_bodies import (
    POSITIVE,
    Count,
    FeedbackBody,
    FeedbackIterator,
    Offset,
    Score,
    Success,
    feedback_of,
    milliseconds,
    type_of,
)
from rectune.serving.state import state_of
from rectune.serving.store import feedback, users
from rectune.serving.store.columns import now_ms
from rectune.serving.store.feedback import FeedbackEntry
from rectune.serving.store.tables import Feedback, FeedbackType
from rectune.serving.streams import watched
from rectune.serving.tastes import latest
from rectune.serving.turn import Turn

router = APIRouter(prefix="/api", tags=["gorse"], responses=PROBLEMS)

User = Annotated[UserId, Path()]
Item = Annotated[ItemId, Path()]
Category = Annotated[str, Path(min_length=1, max_length=100)]
Type = Annotated[str, Path(max_length=100)]
Cursor = Annotated[str, Query(max_length=200)]
Number = Annotated[Count, Query()]
Skipped = Annotated[Offset, Query()]
Version = Annotated[str, Header(alias="X-API-Version", max_length=10)]
Many = Annotated[list[FeedbackBody], InBody(min_length=1, max_length=500)]


class Wanted(Body):
    """What is asked, in the address."""

    n: Count = 10
    offset: Offset = 0
    category: list[Annotated[str, Field(max_length=100)]] = Field(default_factory=list, max_length=1)
    """At most one here; `POST /api/v1/recommend` takes several."""
    write_back_type: Annotated[str, Field(alias="write-back-type", max_length=100)] = ""
    """Feedback of this type is kept to what is recommended."""
    write_back_delay: Annotated[str, Field(alias="write-back-delay", max_length=20)] = ""
    """Nothing, or no time at all: feedback cannot be of the future."""


@router.get("/recommend/{user_id}", response_model=list[Score] | list[str])
async def recommend(
    request: Request, user_id: User, wanted: Annotated[Wanted, Query()], version: Version = "1"
) -> list[Score] | list[str]:
    """Items for a user: their ids, and with `X-API-Version: 2` their scores.

    What is popular for a user whom nobody has named yet. What was shown may come again; feedback, as by
    `write-back-type`, keeps it away.
    """
    if wanted.write_back_delay.strip("0hms"):
        raise UserError("feedback cannot be of the future", where="write-back-delay", hint="leave it out")
    written = type_of(wanted.write_back_type) if wanted.write_back_type else None

    def work(turn: Turn) -> list[Score]:
        question = RecommendQuestion(
            user=user_id if _is_known(request, user_id) else None, n=wanted.offset + wanted.n,
            categories=tuple(filter(None, wanted.category)), explain=False, shown_last=False,
        )  # fmt: skip
        found = _scores(request, question, turn)[wanted.offset :]
        if written:
            _write_back(request, user_id, found, written)
        return found

    found = await _watched(request, work)
    return found if version == "2" else [one.Id for one in found]


@router.get("/recommend/{user_id}/", response_model=list[Score] | list[str], include_in_schema=False)
async def recommend_any(
    request: Request, user_id: User, wanted: Annotated[Wanted, Query()], version: Version = "1"
) -> list[Score] | list[str]:
    """The same: clients write an empty category so."""
    return await recommend(request, user_id, wanted, version)


@router.get("/recommend/{user_id}/{category}", response_model=list[Score] | list[str])
async def recommend_category(
    request: Request,
    user_id: User,
    category: Category,
    wanted: Annotated[Wanted, Query()],
    version: Version = "1",
) -> list[Score] | list[str]:
    """Items of a category."""
    wanted = wanted.model_copy(update={"category": [category]})
    return await recommend(request, user_id, wanted, version)


@router.post("/session/recommend", response_model=list[Score])
async def session_recommend(request: Request, body: Many, n: Number = 10, offset: Skipped = 0) -> list[Score]:
    """Items for the feedback in the body, of which nothing is kept; what it names does not come.

    What bears no time is of now, and of several of one time the later one in the body is the later.
    """
    now = now_ms()
    liked = [
        (now if (time := milliseconds(one.Timestamp)) is None else time, one.ItemId)
        for one in body
        if type_of(one.FeedbackType) == POSITIVE
    ]
    in_order = [item for _, item in sorted(liked, key=lambda one: one[0])]
    question = RecommendQuestion(
        history=tuple(latest(in_order)), n=offset + n, explain=False,
        exclude=tuple(dict.fromkeys(one.ItemId for one in body)),
    )  # fmt: skip
    return (await _watched(request, lambda turn: _scores(request, question, turn)))[offset:]


@router.get("/item/{item_id}/neighbors", response_model=list[Score])
async def neighbors(request: Request, item_id: Item, n: Number = 10, offset: Skipped = 0) -> list[Score]:
    """Items for whoever likes this one."""
    current, hidden = state_of(request).service.catalogue.snapshot()
    if item_id not in current.items or item_id in hidden:
        raise NotFound("the catalogue has no such item", hint="find one: GET /api/items?q=…")
    question = RecommendQuestion(history=(item_id,), n=offset + n, explain=False)
    return (await _watched(request, lambda turn: _scores(request, question, turn)))[offset:]


@router.post("/feedback", response_model=Success)
def add_feedback(request: Request, body: Many) -> Success:
    """Keep feedback. Users who are not there are made; items are not."""
    return _kept(request, body)


@router.put("/feedback", response_model=Success)
def put_feedback(request: Request, body: Many) -> Success:
    """The same as POST: of one user, item and type the latest time counts."""
    return _kept(request, body)


@router.get("/feedback", response_model=FeedbackIterator)
def all_feedback(request: Request, n: Number = 10, cursor: Cursor = "") -> FeedbackIterator:
    """Everybody's feedback, page by page."""
    with state_of(request).service.database.reading() as session:
        page = feedback.page_of_all(session, limit=n, after=cursor or None)
        rows = [feedback_of(user, row) for user, row in page.rows]
    return FeedbackIterator(Cursor=page.after or "", Feedback=rows)


@router.get("/feedback/{user_id}/{item_id}", response_model=list[FeedbackBody])
def item_feedback(request: Request, user_id: User, item_id: Item) -> list[FeedbackBody]:
    """A user's feedback to an item."""
    return [one for one in _of_user(request, user_id, None) if one.ItemId == item_id]


@router.delete("/feedback/{user_id}/{item_id}", response_model=Success)
def delete_feedback(request: Request, user_id: User, item_id: Item) -> Success:
    """Take back all feedback of a user to an item."""
    with state_of(request).service.database.writing() as session:
        owner = users.find(session, user_id)
        return Success(RowAffected=feedback.delete(session, owner.id, item_id) if owner else 0)


@router.get("/user/{user_id}/feedback", response_model=list[FeedbackBody])
def user_feedback(request: Request, user_id: User) -> list[FeedbackBody]:
    """A user's feedback, the newest first."""
    return _of_user(request, user_id, None)


@router.get("/user/{user_id}/feedback/{feedback_type}", response_model=list[FeedbackBody])
def typed_feedback(request: Request, user_id: User, feedback_type: Type) -> list[FeedbackBody]:
    """The same, of one type."""
    return _of_user(request, user_id, type_of(feedback_type), feedback_type)


def _of_user(request: Request, user_id: str, type: FeedbackType | None, name: str = "") -> list[FeedbackBody]:
    found: list[Feedback] = []
    with state_of(request).service.database.reading() as session:
        owner, after, more = users.find(session, user_id), None, True
        while owner and more:
            page = feedback.page(session, owner.id, type=type, limit=1000, after=after)
            found += page.rows
            after, more = page.after, page.after is not None
    return [feedback_of(user_id, row, name) for row in found]


def _kept(request: Request, body: Sequence[FeedbackBody]) -> Success:
    types = [type_of(one.FeedbackType) for one in body]  # refuses before anything is kept
    times = [feedback.checked_time(milliseconds(one.Timestamp)) for one in body]
    with state_of(request).service.database.writing() as session:
        ids = {name: _user(session, name) for name in sorted({one.UserId for one in body})}
        entries = [
            FeedbackEntry(ids[one.UserId], one.ItemId, type, one.Value or None, time)
            for one, type, time in zip(body, types, times, strict=True)
        ]
        feedback.put_many(session, entries)
    return Success(RowAffected=len(body))


def _write_back(request: Request, user_id: str, found: Sequence[Score], type: FeedbackType) -> None:
    with state_of(request).service.database.writing() as session:
        owner = _user(session, user_id)
        feedback.put_many(session, [FeedbackEntry(owner, one.Id, type) for one in found])


def _user(session: Session, external_id: str) -> int:
    return (users.find(session, external_id) or users.create(session, external_id)).id


def _is_known(request: Request, user_id: str) -> bool:
    service = state_of(request).service
    if user_id in service.recommender.users:
        return True
    with service.database.reading() as session:
        return users.find(session, user_id) is not None


async def _watched(request: Request, work: Callable[[Turn], list[Score]]) -> list[Score]:
    turn = Turn()
    return await watched(request, turn, lambda: work(turn), state_of(request).threads)


def _scores(request: Request, question: RecommendQuestion, turn: Turn) -> list[Score]:
    state = state_of(request)
    answer = state.service.recommend(question, turn=turn)
    state.metrics.answer(answer.strategy, [item.reasons_by for item in answer.items])
    return [Score(Id=item.item_id, Score=item.score or 0.0) for item in answer.items]
