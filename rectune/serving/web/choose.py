"""Choosing what one knows: twelve items at a time, and a search; each tick counts at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from rectune.core.errors import UserError
from rectune.core.item_values import categories_of
from rectune.core.types import Item
from rectune.recommender.picks import Marks
from rectune.serving.answers import NotFound
from rectune.serving.catalogue import ServedCatalogue
from rectune.serving.state import state_of
from rectune.serving.store import feedback
from rectune.serving.store.feedback import FeedbackEntry
from rectune.serving.store.tables import User
from rectune.serving.tastes import Taste, taste_of
from rectune.serving.web.choose_grid import Grid
from rectune.serving.web.render import page, part, wants_part
from rectune.serving.web.visitor import the_visitor

router = APIRouter(include_in_schema=False)

Mark = Literal["like", "seen", "dislike"]
MARKS: tuple[Mark, ...] = get_args(Mark)
_TAKE_BACK = "none"
_FOUND = 12  # hits of a search that are shown
_MARKED = 60  # of what was marked, the latest

State = Annotated[str, Query(max_length=4000)]
Words = Annotated[str, Query(max_length=200)]


class Choosing(BaseModel):
    """The form that the page is."""

    state: str = Field("", max_length=4000)
    query: str = Field("", max_length=200)
    mark: str = Field("", max_length=600)
    """The button: what is said, a colon, the item."""

    model_config = ConfigDict(extra="forbid")


@dataclass(frozen=True)
class Marked:
    """What a visitor has said of an item; `title` is its id where the catalogue lacks it."""

    item_id: str
    title: str
    mark: Mark


@router.get("/choose")
def choose(request: Request, state: State = "", query: Words = "") -> Response:
    """The page."""
    return page(request, "choose.html", **_shown(request, Choosing(state=state, query=query, mark="")))


@router.get("/choose/found")
def find(request: Request, query: Words = "") -> Response:
    """What a search finds, while it is typed."""
    if not wants_part(request):
        return _back("", query)
    return part(request, "choose_found.html", **_search(request, query, the_visitor(request).user))


@router.post("/choose/mark")
def mark(request: Request, form: Annotated[Choosing, Form()]) -> Response:
    """Say something of an item, or take it back."""
    user, service = the_visitor(request).user, state_of(request).service
    said, _, item_id = form.mark.partition(":")
    items = service.catalogue.current.items
    with service.database.writing() as session:
        if said == _TAKE_BACK:
            for one in MARKS:
                feedback.delete(session, user.id, item_id, one)
        else:
            _keep(session, user, said, items.get(item_id))
    return _answer(request, form, told=(said, item_id))


@router.post("/choose/others")
def others(request: Request, form: Annotated[Choosing, Form()]) -> Response:
    """Twelve other items."""
    the_visitor(request)
    catalogue = state_of(request).service.catalogue.current
    state = Grid.read(form.state, catalogue).others().written(catalogue)
    return _answer(request, form.model_copy(update={"state": state}))


def _keep(session: Session, user: User, said: str, item: Item | None) -> None:
    """One item has one mark: another takes its place."""
    if said not in MARKS:
        raise UserError("this is none of the choices of the form")
    if item is None:
        raise NotFound("the catalogue has no such item")
    for one in MARKS:
        if one != said:
            feedback.delete(session, user.id, item.item_id, one)
    feedback.put_many(session, [FeedbackEntry(user.id, item.item_id, said)])


def _answer(request: Request, form: Choosing, told: tuple[str, str] = ("", "")) -> Response:
    """The parts that have changed, or the whole page anew."""
    values = _shown(request, form, told)
    if wants_part(request):
        return part(request, "choose_parts.html", **values)
    return _back(values["state"], form.query)


def _back(state: str, query: str) -> Response:
    given = {name: value for name, value in (("state", state), ("query", query)) if value}
    return RedirectResponse("/choose" + (f"?{urlencode(given)}" if given else ""), 303)


def _shown(request: Request, form: Choosing, told: tuple[str, str] = ("", "")) -> dict[str, Any]:
    """All that the page shows."""
    user, service = the_visitor(request).user, state_of(request).service
    catalogue, deleted = service.catalogue.snapshot()
    taste = taste_of(service.database, catalogue.recommender, user.external_id)
    with service.database.reading() as session:
        stored = feedback.like_counts(session)
        marked = _marked(session, user, catalogue)
        count = len(feedback.item_ids(session, user.id, MARKS))
    grid = Grid.read(form.state, catalogue).filled(catalogue, _marks(taste), deleted, stored)
    return {
        "cards": [catalogue.items[item] for item in grid.on], "new": grid.new,
        "state": grid.written(catalogue), "marked": marked, "count": count, "told": told[0],
        "told_of": _title(catalogue, told[1]), **_search(request, form.query, user),
    }  # fmt: skip


def _search(request: Request, query: str, user: User) -> dict[str, Any]:
    """What a search finds, with what was said of each; nothing without words."""
    service = state_of(request).service
    catalogue, deleted = service.catalogue.snapshot()
    words = query.strip()
    hits = catalogue.picker.find(words, _FOUND + 1 + len(deleted)) if words else []
    there = [item for item in hits if item.item_id not in deleted]
    with service.database.reading() as session:
        said = {
            one: kind for kind in MARKS for one in feedback.item_ids(session, user.id, (kind,))
        }  # fmt: skip
    return {
        "query": query, "found": there[:_FOUND], "more": len(there) > _FOUND, "said": said,
        "categories_of": categories_of,
    }  # fmt: skip


def _marks(taste: Taste) -> Marks:
    liked = set(taste.liked)
    return Marks(taste.liked, sorted(item for item in taste.refused if item not in liked))


def _marked(session: Session, user: User, catalogue: ServedCatalogue) -> list[Marked]:
    """What was marked, the latest first, each item once."""
    rows = feedback.page(session, user.id, limit=_MARKED).rows
    found: dict[str, Marked] = {}
    for row in rows:
        if row.type in MARKS and row.item_id not in found:
            found[row.item_id] = Marked(row.item_id, _title(catalogue, row.item_id), row.type)
    return list(found.values())


def _title(catalogue: ServedCatalogue, item_id: str) -> str:
    item = catalogue.items.get(item_id)
    return item.title if item else item_id
