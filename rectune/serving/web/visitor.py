"""Who looks at the page: a session's cookie, and the user whose it is."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from rectune.core.types import Locale
from rectune.serving.state import state_of
from rectune.serving.store import sessions
from rectune.serving.store.database import Database
from rectune.serving.store.faults import DatabaseUnavailable
from rectune.serving.store.tables import User
from rectune.serving.web.texts import locale_of

COOKIE = "rectune_session"


@dataclass(frozen=True)
class Visitor:
    """A person with a session.

    Attributes:
        user: theirs.
        token: of the session.
        renewed: whether it lasts longer from this request on; its cookie has to as well.
    """

    user: User
    token: str
    renewed: bool = False

    @property
    def locale(self) -> Locale:
        """Their language."""
        return locale_of(self.user.locale)


class NoSession(Exception):
    """The page is for somebody with a session; they are sent to the entrance."""


def visitor_of(request: Request) -> Visitor | None:
    """Who asks; None without a session, or with one that is over. Looked up once a request.

    The use of a session is noted, and makes it last on.
    """
    if not hasattr(request.state, "visitor"):
        request.state.visitor = _found(request)
    found: Visitor | None = request.state.visitor
    return found


def the_visitor(request: Request) -> Visitor:
    """Who asks.

    Raises:
        NoSession: there is no session.
    """
    if found := visitor_of(request):
        return found
    raise NoSession


def sign_in(request: Request, response: Response, token: str) -> None:
    """Give the browser a session's token; scripts cannot read it, and other pages cannot use it."""
    response.set_cookie(
        COOKIE, token, max_age=sessions.LIFETIME_MS // 1000, httponly=True, samesite="lax",
        secure=state_of(request).config.https,
    )  # fmt: skip


def sign_out(response: Response) -> None:
    """Take the token away."""
    response.delete_cookie(COOKIE, httponly=True, samesite="lax")


def _found(request: Request) -> Visitor | None:
    token = request.cookies.get(COOKIE, "")
    if not token:
        return None
    database = state_of(request).service.database
    with database.reading() as session:
        user = sessions.find_user(session, token)
        due = user is not None and sessions.is_due(session, token)
    return Visitor(user, token, due and _renewed(database, token)) if user else None


def _renewed(database: Database, token: str) -> bool:
    """Note the use of a session; where nothing can be written now, the next one is noted."""
    with suppress(DatabaseUnavailable), database.writing() as session:
        return sessions.renew(session, token)
    return False
