"""What all routers share: the service, its settings, counters, threads."""

from __future__ import annotations

from dataclasses import dataclass, field

from anyio import CapacityLimiter
from starlette.requests import Request

from rectune.serving.catalogue_worker import CatalogueWorker
from rectune.serving.chats import ChatService
from rectune.serving.config import ServerConfig
from rectune.serving.metrics import Metrics
from rectune.serving.pictures import Pictures
from rectune.serving.positive_feedback import PositiveFeedback
from rectune.serving.recommending import RecommendService

_THREADS = 64  # requests that rank or wait for the model


@dataclass(frozen=True)
class ServerState:
    """Of one server; nothing in it belongs to a user.

    Attributes:
        service: recommends.
        config: of the server.
        metrics: counts.
        worker: serves changes of the catalogue.
        positive_feedback: how many answers got some.
        chats: talks.
        pictures: where pictures of items come from.
        threads: how many answers are worked on.
    """

    service: RecommendService
    config: ServerConfig
    metrics: Metrics
    worker: CatalogueWorker
    positive_feedback: PositiveFeedback
    chats: ChatService
    pictures: Pictures = field(default_factory=Pictures)
    threads: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(_THREADS))


def state_of(request: Request) -> ServerState:
    """What the app of a request was made with."""
    found = request.app.state.server
    assert isinstance(found, ServerState)
    return found
