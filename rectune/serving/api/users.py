"""/api/v1/users: made, read, changed, exported, deleted with everything of theirs."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from rectune.serving.answers import Conflict, NotFound
from rectune.serving.api.bodies import PROBLEMS, Body, UserId
from rectune.serving.state import state_of
from rectune.serving.store import users
from rectune.serving.store.tables import User

router = APIRouter(prefix="/api/v1/users", tags=["users"], responses=PROBLEMS)

Words = Annotated[str, Field(min_length=1, max_length=users.MAX_WORDS)]
Id = Annotated[UserId, Path()]


class Profile(Body):
    """What a user says of themselves; all of it may be left out."""

    locale: Words = "en"
    age_band: Words | None = None
    sex: Words | None = None
    occupation: Words | None = None
    tastes: list[Words] = Field(default_factory=list, max_length=users.MAX_TASTES)
    consented: Annotated[int, Field(ge=0, lt=2**53)] | None = None
    """When they agreed that this is kept: milliseconds since 1970."""
    without_profile: bool = False

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"locale": "en", "tastes": ["science fiction"]}]}
    )


class NewUser(Profile):
    """A user to be made; without an id they get a random one."""

    id: UserId | None = None

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"id": "ann", "tastes": ["science fiction"]}]}
    )


class UserBody(BaseModel):
    """A user."""

    id: str
    created: int
    updated: int
    locale: str
    age_band: str | None
    sex: str | None
    occupation: str | None
    tastes: list[str]
    consented: int | None
    without_profile: bool

    @classmethod
    def of(cls, user: User) -> UserBody:
        """The user for clients."""
        told = {name: getattr(user, name) for name in users.PROFILE}
        return cls(id=user.external_id, created=user.created, updated=user.updated, **told)


@router.post("", response_model=UserBody, status_code=201)
def create_user(request: Request, body: NewUser) -> UserBody:
    """Make a user."""
    profile = body.model_dump(exclude={"id"}, exclude_unset=True)
    with state_of(request).service.database.writing() as session:
        if body.id is not None and users.find(session, body.id):
            raise Conflict("there is a user of this id already", hint="change them, or take another id")
        return UserBody.of(users.create(session, body.id, **profile))


@router.get("/{user_id}", response_model=UserBody)
def get_user(request: Request, user_id: Id) -> UserBody:
    """One user."""
    with state_of(request).service.database.reading() as session:
        return UserBody.of(_found(users.find(session, user_id)))


@router.patch("/{user_id}", response_model=UserBody)
def patch_user(request: Request, user_id: Id, body: Profile) -> UserBody:
    """Change some entries of a profile; null empties one."""
    with state_of(request).service.database.writing() as session:
        user = _found(users.find(session, user_id))
        return UserBody.of(users.patch(session, user.id, body.model_dump(exclude_unset=True)))


@router.delete("/{user_id}", status_code=204)
def delete_user(request: Request, user_id: Id) -> Response:
    """Delete a user and everything of theirs."""
    with state_of(request).service.database.writing() as session:
        users.delete(session, _found(users.find(session, user_id)).id)
    return Response(status_code=204)


@router.get("/{user_id}/export", response_model=dict[str, Any])
def export_user(request: Request, user_id: Id) -> dict[str, Any]:
    """Everything that is kept of a user."""
    with state_of(request).service.database.reading() as session:
        return users.export(session, _found(users.find(session, user_id)).id)


def _found(user: User | None) -> User:
    if user is None:
        raise NotFound("there is no such user", hint="create them: POST /api/v1/users")
    return user
