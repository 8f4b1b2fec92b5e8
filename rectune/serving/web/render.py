"""Pages and parts of pages, made of the templates of this folder. Everything that goes in is escaped."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from rectune.core.types import Locale
from rectune.serving.state import state_of
from rectune.serving.web.answer_view import brief
from rectune.serving.web.texts import locale_of, translation
from rectune.serving.web.visitor import Visitor, sign_in, visitor_of

_FOLDER = Path(__file__).parent
STATIC = _FOLDER / "static"
LANGUAGE_COOKIE = "rectune_language"
_WITH_FORMS = ("/welcome", "/choose", "/for-you", "/mine", "/admin")
_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src {images}; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def page(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A whole page.

    Args:
        template: a file of `templates` that extends `base.html`.
        values: what the template shows, besides `tr`, `locale`, `visitor`, `path`, `back` and `picture_of`.
    """
    visitor = visitor_of(request)
    locale = language(request, visitor)
    shared = {
        "visitor": visitor, "path": request.url.path, "back": address_of(request),
        "picture_of": pictures(request),
    }  # fmt: skip
    made = html(template, locale, **shared, **values)
    policy = _CSP.format(images=" ".join(["'self'", *state_of(request).config.image_hosts]))
    headers = {"Content-Security-Policy": policy, "Content-Language": locale, "Vary": "Cookie, HX-Request"}
    response = HTMLResponse(made, status, headers)
    if visitor and visitor.renewed:
        sign_in(request, response, visitor.token)
    return response


def part(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A part of a page, for htmx; the same values as for `page`."""
    return page(request, template, status, **values)


def html(template: str, locale: Locale, **values: Any) -> str:
    """A template filled in, as text; for parts that are streamed."""
    return environment().get_template(template).render(tr=translation(locale), locale=locale, **values)


def pictures(request: Request) -> Callable[[str], str | None]:
    """What gives the address of an item's picture by its id; `item_picture.html` needs it as `picture_of`."""
    state = state_of(request)
    return partial(state.pictures.address, state.service.catalogue.current.images)


def wants_part(request: Request) -> bool:
    """Whether htmx asks, which puts a part into the page; without JavaScript the whole page is asked for."""
    return request.headers.get("hx-request") == "true"


def address_of(request: Request) -> str:
    """An address that shows this page again; where a form was sent, that of the page that has the form."""
    path, query = request.url.path, request.url.query
    if request.method in ("GET", "HEAD"):
        return f"{path}?{query}" if query and "lang" not in request.query_params else path
    page = "/" + path.split("/")[1]
    return page if page in _WITH_FORMS else "/"


def go_to(request: Request, path: str) -> Response:
    """Send the browser to another page after a form."""
    if wants_part(request):
        return Response(status_code=200, headers={"HX-Redirect": path})
    return RedirectResponse(path, status_code=303)


def language(request: Request, visitor: Visitor | None = None) -> Locale:
    """The language of the page: what was chosen in the address or before, then the browser's."""
    chosen = (request.query_params.get("lang"), request.cookies.get(LANGUAGE_COOKIE))
    own = visitor.locale if visitor else None
    return locale_of(*chosen, own, request.headers.get("accept-language"))


def keep_language(request: Request, response: Response, locale: str) -> None:
    """Keep the language of the page on this device, for a year."""
    secure = state_of(request).config.https
    response.set_cookie(
        LANGUAGE_COOKIE, locale, max_age=365 * 24 * 3600, httponly=True, samesite="lax", secure=secure
    )


@cache
def environment() -> Environment:
    """The templates. They are this package's own; what they show is escaped, and an unknown name fails."""
    made = Environment(
        loader=FileSystemLoader(_FOLDER / "templates"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    made.globals["asset"] = asset
    made.filters["brief"] = brief
    return made


def asset(name: str) -> str:
    """The address of a file of `static`; it changes with the file, so that browsers may keep it."""
    return f"/static/{digests()[name]}/{name}"


@cache
def digests() -> Mapping[str, str]:
    """Of each file of `static` the beginning of its SHA-256."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest()[:12] for path in STATIC.iterdir()}
