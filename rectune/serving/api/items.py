"""/api/v1/items: the catalogue, for pickers. It is read when the server starts."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel

from rectune.serving.answers import NotFound
from rectune.serving.api.bodies import PROBLEMS, ItemBody, ItemId
from rectune.serving.state import state_of

router = APIRouter(prefix="/api/v1/items", tags=["items"], responses=PROBLEMS)


class FoundItems(BaseModel):
    """Items that were found, and how many the catalogue has."""

    items: list[ItemBody]
    total: int


@router.get("", response_model=FoundItems)
def find_items(
    request: Request,
    query: Annotated[str, Query(max_length=200)] = "",
    limit: Annotated[int, Query(ge=1, le=50)] = 10,
) -> FoundItems:
    """Items by their titles: those that begin with the words, then those that contain them."""
    picker = state_of(request).picker
    found = [ItemBody.of(item) for item in picker.find(query, limit)]
    return FoundItems(items=found, total=len(picker.items))


@router.get("/{item_id}", response_model=ItemBody)
def get_item(request: Request, item_id: Annotated[ItemId, Path()]) -> ItemBody:
    """One item."""
    items = state_of(request).picker.items
    if item_id not in items:
        raise NotFound("the catalogue has no such item", hint="find one: GET /api/v1/items?query=…")
    return ItemBody.of(items[item_id])
