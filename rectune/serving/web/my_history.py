"""What a person marked and was answered, a page at a time; each mark can be taken back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import Response

from rectune.core.errors import UserError
from rectune.serving.state import state_of
from rectune.serving.store import feedback, recommendations
from rectune.serving.store.tables import FEEDBACK_TYPES, FeedbackType
from rectune.serving.web.answer_view import brief
from rectune.serving.web.render import go_to, page
from rectune.serving.web.times import minute
from rectune.serving.web.visitor import the_visitor

router = APIRouter(include_in_schema=False)

MARKS: Mapping[FeedbackType, str] = {
    "like": "liked", "seen": "known", "dislike": "not for me", "hide": "hidden", "click": "opened",
}  # fmt: skip
"""What a mark is called on the page."""
_PAGE = 25  # rows of a page
_TITLE = 200  # characters of a title or of words that are shown
_MOST = 200  # characters of an id

After = Annotated[str | None, Query(max_length=64)]


@dataclass(frozen=True)
class Mark:
    """Something that was marked; without a title where the catalogue has it no more."""

    item_id: str
    title: str
    type: FeedbackType
    said: str
    time: str


@dataclass(frozen=True)
class GivenAnswer:
    """An answer that a person got: what they asked in words, if anything, and how many items it has."""

    id: str
    words: str
    items: int
    time: str


@dataclass(frozen=True)
class Rows:
    """Rows of a page, and where the older ones begin; empty at the end."""

    rows: Sequence[Mark] | Sequence[GivenAnswer]
    after: str = ""


@router.get("/mine/marks")
def marks(request: Request, type: FeedbackType | None = None, after: After = None) -> Response:
    """All marks, or those of one type."""
    user = the_visitor(request).user
    found = marks_shown(request, user.id, type, after)
    return page(request, "my_marks.html", marks=found, type=type or "", after=after or "", kinds=MARKS)


@router.get("/mine/answers")
def answers(request: Request, after: After = None) -> Response:
    """All answers."""
    user = the_visitor(request).user
    return page(request, "my_answers.html", answers=answers_shown(request, user.id, after), after=after or "")


@router.post("/mine/marks/take-back")
def take_back(
    request: Request,
    item: Annotated[str, Form(max_length=_MOST)],
    type: Annotated[str, Form(max_length=_MOST)],
    shown: Annotated[str, Form(max_length=_MOST)] = "",
    after: Annotated[str, Form(max_length=64)] = "",
) -> Response:
    """Take a mark back, and show the page where it stood: `shown` is its type there, `all` for all types."""
    user = the_visitor(request).user
    if type not in FEEDBACK_TYPES:
        raise UserError("there is no such mark")
    with state_of(request).service.database.writing() as session:
        feedback.delete(session, user.id, item, type)
    if not shown:
        return go_to(request, "/mine#marks")
    asked = {"type": shown if shown in FEEDBACK_TYPES else "", "after": after}
    words = urlencode({name: value for name, value in asked.items() if value})
    return go_to(request, f"/mine/marks{'?' * bool(words)}{words}#marks")


def marks_shown(
    request: Request, user_id: int, type: FeedbackType | None = None, after: str | None = None,
    limit: int = _PAGE,
) -> Rows:  # fmt: skip
    """A user's marks, the newest first."""
    service = state_of(request).service
    with service.database.reading() as session:
        found = feedback.page(session, user_id, type=type, limit=limit, after=after)
    items = service.recommender.items
    return Rows(
        [
            Mark(
                row.item_id, brief(items[row.item_id].title, _TITLE) if row.item_id in items else "",
                row.type, MARKS[row.type], minute(row.time),
            )
            for row in found.rows
        ],
        found.after or "",
    )  # fmt: skip


def answers_shown(request: Request, user_id: int, after: str | None = None, limit: int = _PAGE) -> Rows:
    """A user's answers, the newest first."""
    with state_of(request).service.database.reading() as session:
        found = recommendations.page(session, user_id, limit=limit, after=after)
    rows = [
        GivenAnswer(row.id, brief(str(row.request.get("query", "")), _TITLE), count, minute(row.created))
        for row, count in found.rows
    ]
    return Rows(rows, found.after or "")
