"""The entrance: who does not know the service yet says as much as they like, or comes back with a code."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from pydantic import BaseModel, ConfigDict
from starlette.responses import RedirectResponse, Response

from rectune.core.errors import UserError
from rectune.serving.state import state_of
from rectune.serving.store import sessions, users
from rectune.serving.store.columns import now_ms
from rectune.serving.web.render import go_to, keep_language, language, page
from rectune.serving.web.texts import LOCALES
from rectune.serving.web.visitor import COOKIE, sign_in, sign_out, visitor_of

router = APIRouter(include_in_schema=False)

AGE_BANDS = ("14-18", "19-24", "25-34", "35-49", "50-64", "65+")
SEXES = ("female", "male", "other")
_MOST_TASTES = 20
_OFFERED = 24  # categories to tick


class Profile(BaseModel):
    """The form of the entrance; every entry but the consent may stay empty."""

    consent: bool = False
    without: bool = False
    """The button "without saying"."""
    age_band: str = ""
    sex: str = ""
    occupation: str = ""
    tastes: list[str] = []
    words: str = ""
    """Tastes in their own words, parted by commas."""

    model_config = ConfigDict(extra="forbid")


@router.get("/")
def entrance(request: Request) -> Response:
    """To what is recommended, or to the welcome."""
    return RedirectResponse("/for-you" if visitor_of(request) else "/welcome", 303)


@router.get("/welcome")
def welcome(request: Request) -> Response:
    """The form for somebody new."""
    return _welcome(request)


@router.post("/welcome")
def enter(request: Request, form: Annotated[Profile, Form()]) -> Response:
    """A new user, and a session of theirs."""
    if not form.consent:
        return _welcome(request, form, "Please say that you are 14 or older and agree, or leave the page.")
    state, locale = state_of(request), language(request)
    profile: dict[str, Any] = {"locale": locale, "consented": now_ms(), "without_profile": form.without}
    if not form.without:
        if (form.age_band and form.age_band not in AGE_BANDS) or (form.sex and form.sex not in SEXES):
            raise UserError("this is none of the choices of the form")
        words = [*form.tastes, *(word.strip() for word in form.words.split(","))]
        profile |= {
            "age_band": form.age_band or None, "sex": form.sex or None,
            "occupation": form.occupation.strip() or None,
            "tastes": list(dict.fromkeys(word for word in words if word))[:_MOST_TASTES],
        }  # fmt: skip
    with state.service.database.writing() as session:
        token = sessions.start(session, users.create(session, **profile).id)
    response = go_to(request, "/choose")
    sign_in(request, response, token)
    return response


@router.post("/code")
def come_back(request: Request, code: Annotated[str, Form(max_length=100)] = "") -> Response:
    """A session on this device for the user of a personal code."""
    with state_of(request).service.database.writing() as session:
        user = sessions.user_of_code(session, code)
        token = sessions.start(session, user.id) if user else ""
    if not token:
        return _welcome(request, told="This code is nobody's. Look at it again, letter by letter.")
    response = go_to(request, "/for-you")
    sign_in(request, response, token)
    return response


@router.post("/leave")
def leave(request: Request) -> Response:
    """End the session on this device."""
    token = request.cookies.get(COOKIE, "")
    with state_of(request).service.database.writing() as session:
        sessions.end(session, token)
    response = go_to(request, "/welcome")
    sign_out(response)
    return response


@router.post("/language")
def choose_language(
    request: Request, lang: Annotated[str, Form()], back: Annotated[str, Form()] = "/"
) -> Response:
    """Keep the language of the page: on this device, and for the user."""
    if lang not in LOCALES:
        raise UserError("the page has no such language", hint=f"there are {', '.join(LOCALES)}")
    if visitor := visitor_of(request):
        with state_of(request).service.database.writing() as session:
            users.patch(session, visitor.user.id, {"locale": lang})
    inside = back if back.startswith("/") and not back.startswith(("//", "/\\")) else "/"
    response = RedirectResponse(inside, status_code=303)
    keep_language(request, response, lang)
    return response


def _welcome(request: Request, form: Profile | None = None, told: str = "") -> Response:
    catalogue = state_of(request).service.catalogue.current
    return page(
        request, "welcome.html", 422 if told else 200, form=form or Profile(), told=told,
        categories=catalogue.frequent_categories[:_OFFERED], items=len(catalogue.items),
        domain=catalogue.recommender.domain, age_bands=AGE_BANDS, sexes=SEXES,
        profile_counts=state_of(request).service.use_profile and bool(catalogue.recommender.attributes_known),
    )  # fmt: skip
