"""Servers that a browser can reach: the application of `tests.serving.world` behind a port of 127.0.0.1."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from rectune.inference.requests import GenerationRequest
from rectune.models.reference import gguf_file
from rectune.readers.catalogue import CatalogueOptions
from rectune.recommender.recommender import Recommender
from rectune.serving.recommending import RecommendService
from rectune.serving.store.database import Database
from tests.recommender.shelf import RETRIEVAL
from tests.recommender.writer import from_facts
from tests.serving.test_streams_and_queue import until
from tests.serving.world import Author, application

ROOT = Path(__file__).parents[3]
CATALOGUES = {"en": ROOT / "samples/movielens/movies.csv", "ko": ROOT / "samples/korean/films.csv"}


@dataclass(frozen=True)
class Live:
    """A server that runs, at `url`."""

    url: str
    service: RecommendService
    database: Database


@contextmanager
def live(recommender: Recommender, folder: Path, author: Any = None, **settings: Any) -> Iterator[Live]:
    """Serve on a free port; see `tests.serving.world.application`."""
    with application(recommender, folder, author, **settings) as (app, service, database):
        listener = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=5))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            until(lambda: server.started)
            yield Live(f"http://127.0.0.1:{listener.getsockname()[1]}", service, database)
        finally:
            server.should_exit = True
            thread.join(30)


def of_catalogue(
    catalogue: Any, folder: Path, ranker: str = "bm25", min_similarity: float = -1.0
) -> Recommender:
    """A recommender of a catalogue of films, without a model; below `min_similarity` nothing fits."""
    retrieval = RETRIEVAL.model_copy(update={"min_similarity": min_similarity})
    return Recommender.from_catalogue(
        catalogue, model=None, ranker=ranker, options=CatalogueOptions("movies"), retrieval=retrieval,
        folder=folder,
    )  # fmt: skip


def author(write: Callable[[GenerationRequest], str] = from_facts, slots: int = 1) -> Author:
    """A scripted model, in the place of the embedded one."""
    return Author(write, slots, gguf_file("embedded"))


class OneByOne:
    """Writes reasons of facts, each when it is let: `write` is for `author`."""

    def __init__(self) -> None:
        self._let = threading.Semaphore(0)

    def write(self, request: GenerationRequest) -> str:
        """One reason, as soon as it may be written."""
        assert self._let.acquire(timeout=30)
        return from_facts(request)

    def let(self, reasons: int) -> None:
        """Let so many more be written."""
        self._let.release(reasons)
