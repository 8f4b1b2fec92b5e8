"""Whether the server lives and is ready, and what it has counted."""

from __future__ import annotations

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import JSONResponse, PlainTextResponse, Response

from rectune.core.errors import UserError
from rectune.serving.api.bodies import PROBLEMS
from rectune.serving.metrics import CONTENT_TYPE
from rectune.serving.state import state_of

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """How a part of the server is."""

    status: str
    database: str = "ok"
    model: str = "none"
    catalogue: int = 0
    """The version of the catalogue that is served; 0 where it is that of the start."""


@router.get("/api/health/live", response_model=Health, response_model_exclude_defaults=True)
def live() -> Health:
    """The server answers."""
    return Health(status="live")


@router.get("/api/health/ready", response_model=Health, responses={503: {"model": Health}})
def ready(request: Request) -> Response:
    """Catalogue, index and model are loaded, and the database answers; 503 where one of them has failed."""
    service = state_of(request).service
    found = Health(status="ready", catalogue=service.catalogue.current.version)
    try:
        service.database.ping()
    except UserError:
        found.database = "unavailable"
    if service.engine:
        state = service.engine.snapshot()
        found.model = "failed" if state.failure else "closing" if state.draining or state.closed else "ok"
    well = found.database == "ok" and found.model in ("ok", "none")
    found.status = "ready" if well else "unavailable"
    return JSONResponse(found.model_dump(), 200 if well else 503)


@router.get(
    "/metrics",
    response_class=PlainTextResponse,
    responses={number: PROBLEMS[number] for number in (401, 403, 429)},
)
def metrics(request: Request) -> Response:
    """Counters and times, for Prometheus."""
    state = state_of(request)
    engine = state.service.engine
    rates = state.positive_feedback.rates().strategies
    items = len(state.service.recommender.items)
    text = state.metrics.text(engine.snapshot() if engine else None, items, rates)
    return Response(text, media_type=CONTENT_TYPE)
