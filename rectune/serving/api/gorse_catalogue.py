"""gorse's paths for items and users. Items are kept as soon as it answers, and served a moment later."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import nsmallest
from typing import Annotated

from fastapi import APIRouter, Body, Request
from sqlalchemy.orm import Session

from rectune.serving import catalogue_changes
from rectune.serving.answers import NotFound
from rectune.serving.api.bodies import PROBLEMS
from rectune.serving.api.gorse import Cursor, Item, Number, User
from rectune.serving.api.gorse_bodies import (
    ItemBody,
    ItemIterator,
    ItemPatch,
    NewItem,
    Success,
    UserBody,
    UserIterator,
)
from rectune.serving.catalogue import LiveCatalogue
from rectune.serving.state import state_of
from rectune.serving.store import items, users
from rectune.serving.store.items import ItemEntry
from rectune.serving.store.tables import User as StoredUser

router = APIRouter(prefix="/api", tags=["gorse"], responses=PROBLEMS)


@router.post("/item", response_model=Success)
def add_item(request: Request, body: NewItem) -> Success:
    """Add an item, or replace it; its description, year, other facts and picture stay."""
    return _put(request, [body])


@router.post("/items", response_model=Success)
def add_items(
    request: Request, body: Annotated[list[NewItem], Body(min_length=1, max_length=500)]
) -> Success:
    """Add items, or replace them as one is; of one id the last counts."""
    return _put(request, body)


@router.get("/items", response_model=ItemIterator)
def list_items(request: Request, n: Number = 10, cursor: Cursor = "", q: Cursor = "") -> ItemIterator:
    """The items by their ids, page by page; with `q` those whose titles have these words."""
    service = state_of(request).service
    if q:
        current, hidden = service.catalogue.snapshot()
        found = [item for item in current.picker.find(q, n + len(hidden)) if item.item_id not in hidden]
        entries = [catalogue_changes.entry_of(item) for item in found[:n]]
        return ItemIterator(Cursor="", Items=list(map(ItemBody.of, entries)))
    with service.database.reading() as session:
        entries, after = _page(session, service.catalogue, n, cursor)
    return ItemIterator(Cursor=after, Items=list(map(ItemBody.of, entries)))


@router.get("/item/{item_id}", response_model=ItemBody)
def get_item(request: Request, item_id: Item) -> ItemBody:
    """One item, as it was last kept."""
    service = state_of(request).service
    with service.database.reading() as session:
        entry = catalogue_changes.kept(session, service.catalogue, item_id)
    if entry.hidden:
        raise NotFound("the catalogue has no such item", hint="find one: GET /api/items?q=…")
    return ItemBody.of(entry)


@router.patch("/item/{item_id}", response_model=Success)
def patch_item(request: Request, item_id: Item, body: ItemPatch) -> Success:
    """Change an item; a hidden one, or one of the start that was deleted, comes back by `IsHidden`."""
    state = state_of(request)
    catalogue_changes.change(state.service.database, state.service.catalogue, item_id, body.altered)
    state.worker.wake()
    return Success(RowAffected=1)


@router.delete("/item/{item_id}", response_model=Success)
def delete_item(request: Request, item_id: Item) -> Success:
    """Delete an item; feedback to it stays."""
    state = state_of(request)
    catalogue_changes.delete(state.service.database, state.service.catalogue, item_id)
    state.worker.wake()
    return Success(RowAffected=1)


@router.post("/user", response_model=Success)
def add_user(request: Request, body: UserBody) -> Success:
    """Make a user, or change their labels."""
    return _put_users(request, [body])


@router.post("/users", response_model=Success)
def add_users(
    request: Request, body: Annotated[list[UserBody], Body(min_length=1, max_length=500)]
) -> Success:
    """Make users, or change their labels."""
    return _put_users(request, body)


@router.get("/users", response_model=UserIterator)
def list_users(request: Request, n: Number = 10, cursor: Cursor = "") -> UserIterator:
    """The users by their ids, page by page."""
    with state_of(request).service.database.reading() as session:
        page = users.page(session, limit=n, after=cursor or None)
    return UserIterator(Cursor=page.after or "", Users=list(map(UserBody.of, page.rows)))


@router.get("/user/{user_id}", response_model=UserBody)
def get_user(request: Request, user_id: User) -> UserBody:
    """One user."""
    with state_of(request).service.database.reading() as session:
        return UserBody.of(_found(users.find(session, user_id)))


@router.delete("/user/{user_id}", response_model=Success)
def delete_user(request: Request, user_id: User) -> Success:
    """Delete a user and everything of theirs."""
    with state_of(request).service.database.writing() as session:
        users.delete(session, _found(users.find(session, user_id)).id)
    return Success(RowAffected=1)


def _put(request: Request, body: Sequence[NewItem]) -> Success:
    state = state_of(request)
    made = {one.ItemId: one.entry for one in body}
    catalogue_changes.put(state.service.database, state.service.catalogue, made)
    state.worker.wake()
    return Success(RowAffected=len(body))


def _put_users(request: Request, body: Sequence[UserBody]) -> Success:
    with state_of(request).service.database.writing() as session:
        for one in body:
            user = users.find(session, one.UserId) or users.create(session, one.UserId)
            if one.Labels is not None:
                users.patch(session, user.id, {"tastes": one.Labels})
    return Success(RowAffected=len(body))


def _found(user: StoredUser | None) -> StoredUser:
    if user is None:
        raise NotFound("there is no such user", hint="create them: POST /api/user")
    return user


def _page(session: Session, catalogue: LiveCatalogue, n: int, after: str) -> tuple[list[ItemEntry], str]:
    """At most `n` items whose ids come after one, by their ids, and the cursor of the next page.

    What the store has takes the place of what the server was started with; hidden items are left out, so a
    page may be short although others follow.
    """
    page = items.page(session, limit=n, after=after or None)
    stored = {row.item_id: row for row in page.rows}
    base = catalogue.base.items
    end = page.after  # what the store has beyond is not known yet
    ids = (id for id in base if id > after and id not in stored and (end is None or id <= end))
    every = nsmallest(n + 1, {*ids, *stored})
    shown = [
        catalogue_changes.entry_of_row(stored[id]) if id in stored else catalogue_changes.entry_of(base[id])
        for id in every[:n]
    ]
    more = len(every) > n or end is not None
    return [one for one in shown if not one.hidden], shown[-1].item_id if more else ""
