"""The page "My data": what the service knows of a person, and the profile, which they change there."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from rectune.core.errors import UserError
from rectune.serving.state import state_of
from rectune.serving.store import sessions, users
from rectune.serving.store.tables import User
from rectune.serving.web.my_history import answers_shown, marks_shown
from rectune.serving.web.render import go_to, keep_language, page
from rectune.serving.web.texts import LOCALES
from rectune.serving.web.times import day, minute
from rectune.serving.web.visitor import the_visitor
from rectune.serving.web.welcome import AGE_BANDS, SEXES

router = APIRouter(include_in_schema=False)

_OFFERED = 24  # categories to tick, besides what was said
_FIRST = 6  # marks and answers on this page; the others are on pages of their own

Words = Annotated[str, Field(max_length=users.MAX_WORDS)]


class ProfileForm(BaseModel):
    """What a person says of themselves; all of it may stay empty."""

    locale: Words = ""
    age_band: Words = ""
    sex: Words = ""
    occupation: Words = ""
    tastes: Annotated[list[Words], Field(max_length=users.MAX_TASTES)] = []
    words: Annotated[str, Field(max_length=1000)] = ""
    """More tastes, parted by commas."""
    without: bool = False
    """The button "without saying": the profile is emptied."""

    model_config = ConfigDict(extra="forbid")


@router.get("/mine")
def my_data(request: Request, saved: bool = False) -> Response:
    """All that is known, or the way to it."""
    visitor = the_visitor(request)
    state, user = state_of(request), visitor.user
    with state.service.database.reading() as session:
        code = sessions.find_code(session, user.id)
        devices = sessions.count(session, user.id)
    kept: dict[str, Any] = {
        "saved": saved, "profile": _profile(request, user), "since": day(user.created), "devices": devices,
        "code_made": day(code.created) if code else "", "keep_days": state.config.keep_days,
        "code_used": minute(code.used) if code and code.used else "",
        "session_days": sessions.LIFETIME_MS // (24 * 3600 * 1000),
        "marks": marks_shown(request, user.id, limit=_FIRST),
        "answers": answers_shown(request, user.id, limit=_FIRST),
    }  # fmt: skip
    return page(request, "my_data.html", **kept)


@router.post("/mine/profile")
def change_profile(request: Request, form: Annotated[ProfileForm, Form()]) -> Response:
    """Keep a profile as the form has it."""
    user = the_visitor(request).user
    with state_of(request).service.database.writing() as session:
        users.patch(session, user.id, _changes(form, user))
    response = go_to(request, "/mine?saved=true#profile")
    if form.locale in LOCALES:
        keep_language(request, response, form.locale)
    return response


def _profile(request: Request, user: User) -> dict[str, Any]:
    """The form's values and choices: what was said by other ways than this form is among them."""
    offered = state_of(request).service.catalogue.current.frequent_categories[:_OFFERED]
    return {
        "tastes": [(name, name in user.tastes) for name in dict.fromkeys([*user.tastes, *offered])],
        "age_band": user.age_band or "", "age_bands": _with(AGE_BANDS, user.age_band),
        "sex": user.sex or "", "sexes": _with(SEXES, user.sex),
        "occupation": user.occupation or "", "locale": user.locale,
        "consented": day(user.consented) if user.consented is not None else "",
        "without": user.without_profile,
    }  # fmt: skip


def _with(choices: tuple[str, ...], own: str | None) -> tuple[str, ...]:
    return choices if own is None or own in choices else (*choices, own)


def _changes(form: ProfileForm, user: User) -> dict[str, Any]:
    """The entries of a profile that the form changes.

    Raises:
        UserError: something is none of the form's choices, or there are too many tastes.
    """
    changes: dict[str, Any] = {}
    if form.locale and form.locale != user.locale:
        if form.locale not in LOCALES:
            raise UserError("this is none of the choices of the form")
        changes["locale"] = form.locale
    if form.without:
        empty: dict[str, Any] = {"age_band": None, "sex": None, "occupation": None, "tastes": []}
        return changes | empty | {"without_profile": True}
    choices = ((form.age_band, AGE_BANDS, user.age_band), (form.sex, SEXES, user.sex))
    if any(said and said not in _with(known, own) for said, known, own in choices):
        raise UserError("this is none of the choices of the form")
    typed = (word.strip() for word in form.words.split(","))
    said = {
        "age_band": form.age_band or None, "sex": form.sex or None,
        "occupation": form.occupation.strip() or None,
        "tastes": [word for word in dict.fromkeys([*form.tastes, *typed]) if word],
    }  # fmt: skip
    return changes | said | {"without_profile": user.without_profile and not any(said.values())}
