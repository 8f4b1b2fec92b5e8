"""/api/v1/users/ID/memory: what is remembered of a user from conversations, and to forget it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, ConfigDict
from sqlalchemy.orm import Session
from starlette.responses import Response

from rectune.dialogue.knowledge import FactKind
from rectune.serving.answers import NotFound
from rectune.serving.api.bodies import PROBLEMS, UserId
from rectune.serving.chat_answers import fact_row
from rectune.serving.state import state_of
from rectune.serving.store import memory, users
from rectune.serving.store.tables import User

router = APIRouter(prefix="/api/v1/users/{user_id}/memory", tags=["chats"], responses=PROBLEMS)

Id = Annotated[UserId, Path()]


class FactBody(BaseModel):
    """Something that a user said of themselves.

    `value` is a category, maker or title as the catalogue has it, else their words; `quote` their words;
    `message` the id of the message in which they stand; `item_id` empty where it names no item; `id` 0 where
    it is not kept yet.
    """

    id: int
    kind: FactKind
    value: str
    quote: str
    item_id: str
    message: int
    created: int

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"id": 1, "kind": "like", "value": "Western", "quote": "I love westerns", "item_id": "",
                 "message": 1, "created": 1796024273373}
            ]
        }
    )  # fmt: skip


class MemoryBody(BaseModel):
    """Facts, the oldest first."""

    facts: list[FactBody]


class ForgottenBody(BaseModel):
    """How many facts were deleted."""

    deleted: int


@router.get("", response_model=MemoryBody)
def get_memory(request: Request, user_id: Id) -> MemoryBody:
    """What is remembered of a user: what stays, and what holds until a session ends."""
    with state_of(request).service.database.reading() as session:
        found = memory.facts(session, user_row(session, user_id).id)
    return MemoryBody(facts=[FactBody.model_validate(fact_row(one)) for one in found])


@router.delete("", response_model=ForgottenBody)
def forget_everything(request: Request, user_id: Id) -> ForgottenBody:
    """Forget all of it; the words go from the conversations as well."""
    with state_of(request).service.database.writing() as session:
        user = user_row(session, user_id)
        gone = memory.forget(session, user.id, [one.id for one in memory.facts(session, user.id)])
    return ForgottenBody(deleted=len(gone))


@router.delete("/{fact}", status_code=204)
def forget_fact(request: Request, user_id: Id, fact: Annotated[int, Path(ge=1, lt=2**53)]) -> Response:
    """Forget one fact; its words go from the conversations as well."""
    with state_of(request).service.database.writing() as session:
        if not memory.forget(session, user_row(session, user_id).id, [fact]):
            raise NotFound("nothing of this id is remembered of them", hint="GET the memory for what is")
    return Response(status_code=204)


def user_row(session: Session, external_id: str) -> User:
    """The user of this id.

    Raises:
        NotFound: there is none.
    """
    if user := users.find(session, external_id):
        return user
    raise NotFound("there is no such user", hint="create them: POST /api/v1/users")
