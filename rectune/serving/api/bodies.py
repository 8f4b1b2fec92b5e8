"""What several routes take and give."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from rectune.core.types import Item

UserId = Annotated[str, Field(min_length=1, max_length=200, examples=["ann"])]
ItemId = Annotated[str, Field(min_length=1, max_length=200, examples=["12"])]
Limit = Annotated[int, Field(ge=1, le=1000)]


class Body(BaseModel):
    """A body whose unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", ser_json_inf_nan="null")


class Error(BaseModel):
    """What is wrong."""

    message: str
    type: str
    code: str
    retry_after: int | None = None


class ErrorBody(BaseModel):
    """The body of every answer that is no success."""

    error: Error

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"error": {"message": "there is no user ann (create it first: POST /api/v1/users)",
                           "type": "invalid_request_error", "code": "not_found"}}
            ]
        }
    )  # fmt: skip


class ItemBody(BaseModel):
    """An item of the catalogue."""

    item_id: str
    title: str
    categories: list[str]
    description: str
    year: int | None
    facts: list[str]

    @classmethod
    def of(cls, item: Item) -> ItemBody:
        """The item for clients."""
        return cls(
            item_id=item.item_id, title=item.title, categories=list(item.categories),
            description=item.description, year=item.year, facts=list(item.facts),
        )  # fmt: skip


_TOLD = {
    400: "something in the request cannot be", 401: "no key, or a wrong one", 403: "the key may not do this",
    404: "not there", 409: "there already", 413: "the body is too large", 422: "a field cannot be",
    429: "too many requests; see Retry-After", 499: "the client has gone", 500: "a fault of the server",
    503: "the model or the database takes nothing now; see Retry-After", 504: "it took too long",
}  # fmt: skip
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorBody, "description": what} for status, what in _TOLD.items()
}
