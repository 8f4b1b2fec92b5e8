"""A person's code and sessions, the export of their data, and its deletion."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter, Request
from starlette.responses import Response

from rectune.serving.state import state_of
from rectune.serving.store import sessions, users
from rectune.serving.streams import as_json
from rectune.serving.web.render import go_to, page
from rectune.serving.web.visitor import sign_out, the_visitor, visitor_of

router = APIRouter(include_in_schema=False)

# What a person calls the rows of each table that holds something of theirs.
TABLES: Mapping[str, str] = {
    "users": "the profile",
    "feedback": "marks",
    "recommendations": "answers",
    "recommended_items": "items of answers, with their reasons",
    "sessions": "devices that are signed in",
    "personal_codes": "the personal code",
    "personas": "the portrait of your taste",
    "persona_versions": "earlier portraits of your taste",
    "chats": "conversations",
    "messages": "messages",
    "memory_facts": "what is remembered from conversations",
    "jobs": "work in the background",
}


@router.post("/mine/code")
def new_code(request: Request) -> Response:
    """A new personal code. It is shown by this answer and never again: only its hash is kept."""
    user = the_visitor(request).user
    with state_of(request).service.database.writing() as session:
        code = sessions.new_code(session, user.id)
    return page(request, "my_code.html", code=code)


@router.post("/mine/sign-out")
def sign_out_everywhere(request: Request) -> Response:
    """End all sessions of the user, this one too."""
    user = the_visitor(request).user
    with state_of(request).service.database.writing() as session:
        sessions.end_all(session, user.id)
    response = go_to(request, "/welcome")
    sign_out(response)
    return response


@router.get("/mine/export")
def export(request: Request) -> Response:
    """Everything that is kept of the user, as one JSON file."""
    user = the_visitor(request).user
    with state_of(request).service.database.reading() as session:
        found = users.export(session, user.id)
    named = {"Content-Disposition": 'attachment; filename="rectune-my-data.json"'}
    return Response(as_json(found), media_type="application/json", headers=named)


@router.get("/mine/delete")
def ask_to_delete(request: Request) -> Response:
    """What would be deleted, and the button that does so."""
    user = the_visitor(request).user
    with state_of(request).service.database.reading() as session:
        counts = users.counts(session, user.id)
        has_code = sessions.find_code(session, user.id) is not None
    gone = [(TABLES.get(name, "other entries"), count) for name, count in counts.items() if count]
    return page(request, "my_delete.html", gone=gone, has_code=has_code)


@router.post("/mine/delete")
def delete(request: Request) -> Response:
    """Delete the user with everything of theirs, and take the cookie away."""
    user = the_visitor(request).user
    with state_of(request).service.database.writing() as session:
        users.delete(session, user.id)
    response = go_to(request, "/mine/gone")
    sign_out(response)
    return response


@router.get("/mine/gone")
def gone(request: Request) -> Response:
    """Says that everything is deleted; who still has a session is sent to their data."""
    return go_to(request, "/mine") if visitor_of(request) else page(request, "my_gone.html")
