"""What a person is told when something is wrong: a page, or a part of one where htmx asked."""

from __future__ import annotations

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response

from rectune.core.errors import RectuneError
from rectune.serving.problems import Problem
from rectune.serving.web.render import page, wants_part
from rectune.serving.web.visitor import visitor_of

# What programs ask; all else is the page.
_PROGRAMS = ("/api/", "/v1/", "/metrics", "/openapi.json")


def is_page(path: str) -> bool:
    """Whether an address is of the page, and not of the interfaces for programs."""
    return not path.startswith(_PROGRAMS)


async def told(request: Request, problem: Problem) -> Response:
    """A problem as the client understands it: JSON for programs, a page for people."""
    if not is_page(request.url.path):
        return problem.response()
    return await run_sync(problem_page, request, problem)


def problem_page(request: Request, problem: Problem) -> Response:
    """A problem for a person; `Retry-After` becomes a countdown."""
    try:
        visitor_of(request)
    except RectuneError:  # the database does not answer: it may be what is told
        request.state.visitor = None
    wait = int(problem.headers.get("Retry-After", "0"))
    template = "problem_part.html" if wants_part(request) else "problem.html"
    response = page(request, template, problem.status, problem=problem, wait=wait)
    response.headers.update(dict(problem.headers))
    if wants_part(request):
        response.headers["HX-Retarget"], response.headers["HX-Reswap"] = "#problem", "innerHTML"
    return response
