"""The HTTP application: routes, the gate before them, and what clients are told of errors."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from anyio.to_thread import run_sync
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response

from rectune.core.errors import RectuneError
from rectune.prompts.title_index import TitleIndex
from rectune.serving.api import (
    chat,
    chats,
    feedback,
    gorse,
    gorse_catalogue,
    health,
    items,
    jobs,
    memory,
    persona,
    recommend,
    rerank,
    users,
)
from rectune.serving.catalogue_worker import CatalogueWorker
from rectune.serving.chats import ChatService
from rectune.serving.config import ServerConfig
from rectune.serving.gate import Gate
from rectune.serving.metrics import Metrics
from rectune.serving.persona_writer import PersonaWriter
from rectune.serving.pictures import Pictures
from rectune.serving.positive_feedback import PositiveFeedback
from rectune.serving.problems import problem_of
from rectune.serving.recommending import RecommendService
from rectune.serving.state import ServerState
from rectune.serving.upkeep import Upkeep
from rectune.serving.web import (
    admin,
    chat_page,
    choose,
    files,
    for_you,
    my_account,
    my_data,
    my_history,
    persona_page,
    picture_files,
    welcome,
)
from rectune.serving.web.problem_page import told
from rectune.serving.web.render import go_to
from rectune.serving.web.visitor import NoSession

_ABOUT = """Recommendations with reasons. Where keys are needed, send one as `X-API-Key` or as Bearer.
Errors are `{"error": {"message", "type", "code"}}`."""


def create_app(
    service: RecommendService, config: ServerConfig, worker: CatalogueWorker | None = None,
    foreign: Mapping[str, TitleIndex] | None = None,
) -> FastAPI:  # fmt: skip
    """The application of a service that is loaded; when it ends, the service is drained.

    Args:
        service: recommends.
        config: of the server.
        worker: serves changes of the catalogue; one is made if not given. It runs while the application does.
        foreign: titles of other domains, which conversations may name.
    """
    metrics = Metrics()
    worker = worker or CatalogueWorker(service.catalogue, service.database, config.runs)
    writer = PersonaWriter(service)
    upkeep = Upkeep(service.database, config.keep_days)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        worker.start()
        writer.start()
        await run_sync(upkeep.start)
        yield
        await run_sync(upkeep.stop, config.limits.drain_seconds)
        await run_sync(writer.stop, config.limits.drain_seconds)
        await run_sync(worker.stop, config.limits.drain_seconds)
        await run_sync(service.drain)

    app = FastAPI(
        title="rectune",
        version="1",
        description=_ABOUT,
        docs_url=None,  # these pages load scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
        telemetry={"auto_configure": False},
        middleware=[Middleware(Gate, config=config, database=service.database, metrics=metrics)],
    )
    rates = PositiveFeedback(service.database, service.comparison)
    talks = ChatService(service, foreign)
    pictures = Pictures(config.images, config.image_hosts)
    app.state.server = ServerState(service, config, metrics, worker, rates, talks, pictures)
    for one in (
        recommend, feedback, items, jobs, users, persona, chats, memory, chat, rerank, gorse, gorse_catalogue,
        health,
    ):  # fmt: skip
        app.include_router(one.router)
    for one in (
        files, picture_files, welcome, choose, for_you, chat_page, my_data, my_history, my_account,
        persona_page, admin,
    ):  # fmt: skip
        app.include_router(one.router)
    app.add_exception_handler(NoSession, _to_entrance)
    for error in (RectuneError, RequestValidationError, HTTPException):
        app.add_exception_handler(error, _problem)
    return app


async def _problem(request: Request, error: Exception) -> Response:
    return await told(request, problem_of(error))


async def _to_entrance(request: Request, error: Exception) -> Response:
    return go_to(request, "/welcome")
