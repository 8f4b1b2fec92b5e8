"""A server over the shelf of six films: its recommender is fitted once, store and app are new each time."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.testclient import TestClient

from rectune.inference.requests import GenerationRequest, GenerationResult
from rectune.inference.service import EngineService
from rectune.inference.token_budgets import SAME_LENGTHS
from rectune.rankers.base import Ranker
from rectune.recommender.generative import GenerativeRecommender
from rectune.recommender.recommender import Recommender
from rectune.retrieval.grounding import ground_in
from rectune.serving.app import create_app
from rectune.serving.config import Limits, ServerConfig
from rectune.serving.recommending import RecommendService
from rectune.serving.store.database import Database, open_database
from tests.recommender.shelf import RETRIEVAL, by_likes
from tests.recommender.writer import from_facts

URL = "http://127.0.0.1:8000"
MODEL = Path("author.gguf")
UNHURRIED = Limits(requests_per_minute=100_000, wording_seconds=120.0)


class Author:
    """An engine that writes a word of every answer a step; one answer at a time, others wait."""

    context = 500
    lengths = SAME_LENGTHS

    def __init__(
        self,
        write: Callable[[GenerationRequest], str] = from_facts,
        slots: int = 2,
        model: Path = MODEL,
    ) -> None:
        self.write, self.slots, self.model = write, slots, model
        self.waiting: list[Any] = []
        self.open: dict[Any, list[str]] = {}
        self.gate = threading.Event()  # steps wait for it
        self.gate.set()
        self.fails = False
        self.evaluated_prompt_tokens = 0

    @property
    def busy(self) -> bool:
        return bool(self.open or self.waiting)

    def enqueue(self, job: Any) -> None:
        self.waiting.append(job)

    def cancel(self, job: Any) -> None:
        pass  # the job says so

    def step(self) -> None:
        if self.fails:
            raise MemoryError("no memory")
        while self.waiting and len(self.open) < self.slots:
            job = self.waiting.pop(0)
            job.begin()
            self.evaluated_prompt_tokens += 9
            self.open[job] = re.findall(r"\s*\S+", " " + self.write(job.request))
        self.gate.wait(0.02)  # so that who is cancelled is noticed
        for job, words in list(self.open.items()):
            if job.cancelled:
                del self.open[job]
                job.end(GenerationResult(job.request.id, getattr(job, "written", ""), "cancelled", 9, 9))
            elif self.gate.is_set():
                self._go_on(job, words)
        for job in [one for one in self.waiting if one.cancelled]:
            self.waiting.remove(job)
            job.give_up("cancelled")

    def _go_on(self, job: Any, words: list[str]) -> None:
        if words:
            job.written = getattr(job, "written", "") + words[0]
            job.write(words.pop(0))
            return
        del self.open[job]
        job.end(GenerationResult(job.request.id, getattr(job, "written", ""), "stop", 9, 9))

    def __enter__(self) -> Author:
        return self

    def __exit__(self, *error: object) -> None:
        for job in [*self.open, *self.waiting]:
            job.give_up("cancelled")


class Stuck(Author):
    """An engine that writes nothing behind an ellipsis, and keeps the slot."""

    def _go_on(self, job: Any, words: list[str]) -> None:
        if [word.strip() for word in words[:1]] == ["…"]:
            time.sleep(0.002)
        else:
            super()._go_on(job, words)


@dataclass
class World:
    """A server, and who asks it."""

    client: TestClient
    service: RecommendService
    database: Database

    def user(self, id: str, **profile: Any) -> str:
        """A new user."""
        answer = self.client.post("/api/v1/users", json={"id": id, **profile})
        assert answer.status_code == 201, answer.text
        return id

    def say(self, user: str, type: str, *items: str) -> None:
        """Feedback of one type to items."""
        entries = [{"user": user, "item": item, "type": type} for item in items]
        answer = self.client.post("/api/v1/feedback", json=entries)
        assert answer.status_code == 200, answer.text

    def ask(self, **body: Any) -> dict[str, Any]:
        """An answer of the recommender."""
        answer = self.client.post("/api/v1/recommend", json=body)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


def shown(answer: dict[str, Any]) -> list[str]:
    """The ids of an answer."""
    return [item["item_id"] for item in answer["items"]]


def with_model(recommender: Recommender, folder: Path, model: Path = MODEL) -> Recommender:
    """The same recommender with a model that words the reasons; only its vocabulary is read, if need be."""
    settings = RETRIEVAL.model_copy(update={"attempts": 2})
    items = list(recommender.items.values())
    grounding = ground_in(items, folder / "index", "letters", settings)

    def forbidden(*given: object, **more: object) -> list[GenerationResult]:
        raise AssertionError("the recommender that is shared was asked")

    found = copy(recommender)
    found.generative = GenerativeRecommender(
        model, grounding, settings, folder / "generations.sqlite", forbidden
    )
    return found


@contextmanager
def application(
    recommender: Recommender, folder: Path, author: Any = None, limits: Limits | None = None,
    max_waiting: int | None = None, compared: Ranker | None = None,
    images: Mapping[str, str] | None = None, picture_folder: Path | None = None, **settings: Any,
) -> Iterator[tuple[FastAPI, RecommendService, Database]]:  # fmt: skip
    """The application of a recommender, with a new store; `author` is an engine, or a service of one.

    `compared` ranks for half of the users.
    """
    config = ServerConfig(
        database=str(folder / "store.db"), recipe="demo", runs=folder,
        limits=limits or UNHURRIED, images=picture_folder,
    )  # fmt: skip
    config = replace(config, **settings)
    with open_database(config.database) as database:
        engine = author if author is None or isinstance(author, EngineService) else None
        engine = engine or (EngineService(author, max_waiting) if author else None)
        service = RecommendService(
            recommender, database, engine, config.limits, compared, images, config.search_url,
            use_profile=config.use_profile,
        )  # fmt: skip
        try:
            yield create_app(service, config), service, database
        finally:
            if engine:
                engine.close()


@contextmanager
def world(recommender: Recommender, folder: Path, author: Any = None, **settings: Any) -> Iterator[World]:
    """A server of `application` that is asked without a network."""
    with (
        application(recommender, folder, author, **settings) as (app, service, database),
        TestClient(app, base_url=URL) as client,
    ):
        yield World(client, service, database)


def by_films(folder: Path) -> Recommender:
    """Item-kNN over the likes of five people; their ids are known as the run's."""
    return by_likes(folder)


def events(lines: Sequence[str]) -> list[tuple[str, str]]:
    """The events of a stream: names and data."""
    found, name = [], ""
    for line in lines:
        if line.startswith("event: "):
            name = line[7:]
        elif line.startswith("data: "):
            found.append((name, line[6:]))
    return found
