"""/api/v1/items: the catalogue, for pickers and for those who keep it up to date."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from rectune.core.errors import UserError
from rectune.serving import catalogue_changes
from rectune.serving.answers import NotFound
from rectune.serving.api.bodies import PROBLEMS, Body, ItemBody, ItemId
from rectune.serving.api.jobs import JobBody
from rectune.serving.state import state_of
from rectune.serving.store.columns import check_text
from rectune.serving.store.items import ItemEntry
from rectune.serving.store.users import check_id

router = APIRouter(prefix="/api/v1/items", tags=["items"], responses=PROBLEMS)


def _id(value: str) -> str:
    try:
        return check_id(value, "an item")
    except UserError as refused:
        raise ValueError(str(refused)) from None


def _text(value: str) -> str:
    try:
        return check_text(value)
    except UserError as refused:
        raise ValueError(str(refused)) from None


def _line(value: str) -> str:
    found = " ".join(_text(value).split())
    if not found:
        raise ValueError("it is empty")
    return found


def _fact(value: str) -> str:
    found = _line(value)
    name, colon, said = found.partition(": ")
    if not (name and colon and said):
        raise ValueError("a fact is written as `name: value`")
    return found


def _picture(value: str) -> str:
    if not value.isprintable():
        raise ValueError("it holds characters that no name of a file has")
    return value.strip()


class NewItem(Body):
    """An item as it is to be; what is left out is empty, also where the item was there already."""

    item_id: Annotated[ItemId, AfterValidator(_id)]
    title: Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_line)]
    categories: list[Annotated[str, Field(max_length=100), AfterValidator(_line)]] = Field(
        default_factory=list, max_length=50
    )
    description: Annotated[str, Field(max_length=20_000), AfterValidator(_text)] = ""
    year: Annotated[int, Field(ge=-9999, le=9999)] | None = None
    facts: list[Annotated[str, Field(max_length=500), AfterValidator(_fact)]] = Field(
        default_factory=list, max_length=50
    )
    """Each as `name: value`: conditions and reasons may name them."""
    image: Annotated[str, Field(max_length=1000), AfterValidator(_picture)] = ""
    """Its picture: the name of a file in the server's folder of pictures, or an address on a host that the
    server was told of. The page shows it; it is no part of what is ranked or worded."""

    def entry(self) -> ItemEntry:
        """The same for the store."""
        return ItemEntry(
            self.item_id, self.title, tuple(dict.fromkeys(self.categories)), self.description, self.year,
            tuple(dict.fromkeys(self.facts)), self.image,
        )  # fmt: skip


class NewItems(Body):
    """Items that are added, or take the place of those with their ids."""

    items: list[NewItem] = Field(min_length=1, max_length=500)

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"items": [{"item_id": "x1", "title": "Moon Base (2031)", "categories": ["Space"],
                            "year": 2031}]}
            ]
        },
    )  # fmt: skip

    @model_validator(mode="after")
    def _each_once(self) -> NewItems:
        often = {
            item_id for item_id, count in Counter(one.item_id for one in self.items).items() if count > 1
        }
        places = [str(at) for at, one in enumerate(self.items) if one.item_id in often]
        if places:
            raise ValueError(f"items {', '.join(places[:10])}: item_id is there more than once")
        return self


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
    current, hidden = state_of(request).service.catalogue.snapshot()
    found = current.picker.find(query, limit + len(hidden))
    shown = [ItemBody.of(item) for item in found if item.item_id not in hidden]
    return FoundItems(items=shown[:limit], total=len(current.items.keys() - hidden))


@router.get("/{item_id}", response_model=ItemBody)
def get_item(request: Request, item_id: Annotated[ItemId, Path()]) -> ItemBody:
    """One item."""
    current, hidden = state_of(request).service.catalogue.snapshot()
    if item_id not in current.items or item_id in hidden:
        raise NotFound("the catalogue has no such item", hint="find one: GET /api/v1/items?query=…")
    return ItemBody.of(current.items[item_id])


@router.post("", response_model=JobBody, status_code=202)
def put_items(request: Request, body: NewItems) -> JobBody:
    """Add items, or replace them. They are kept when this answers, and served when the job is done."""
    state = state_of(request)
    entries = [one.entry() for one in body.items]
    job = catalogue_changes.upsert(state.service.database, state.service.catalogue, entries)
    state.worker.wake()
    return JobBody.of(job)


@router.delete("/{item_id}", response_model=JobBody, status_code=202)
def delete_item(request: Request, item_id: Annotated[ItemId, Path()]) -> JobBody:
    """Delete an item. No request that comes after this one is answered with it."""
    state = state_of(request)
    job = catalogue_changes.delete(state.service.database, state.service.catalogue, item_id)
    state.worker.wake()
    return JobBody.of(job)
