"""The model behind another server: found by its address, and its reasons checked as any model's."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rectune.core.errors import UserError
from rectune.inference.generate import ServedModel
from rectune.inference.remote_engine import RemoteEngine
from rectune.inference.service import EngineService
from rectune.recommender.recommender import Recommender
from rectune.serving.config import ServerConfig
from rectune.serving.loading import load_engine, served_model
from tests.inference.openai_stand_in import MODEL, Say, Seen, StandIn, completion, free_port
from tests.serving.world import World, world


def listed(*names: str) -> dict[str, Say]:
    """A server of these models."""
    return {"/v1/models": Say(content={"data": [{"id": name} for name in names]})}


def told(seen: Seen) -> Say:
    """Reasons that say what the prompt says of the item in brackets, in other words."""
    said = seen.text.rpartition("(")[2].partition(")")[0].replace(":", "").replace(", ", " and ")
    return completion(f" will enjoy this for its {said}.")


def remote(recommender: Recommender, model: ServedModel) -> Recommender:
    """The same recommender, whose model is behind a server."""
    found = copy(recommender)
    assert found.generative
    found.generative = replace(found.generative, model=model)
    return found


@pytest.fixture
def models() -> Iterator[StandIn]:
    with StandIn(told) as server:
        yield server


def test_the_only_model_of_a_server_is_taken_and_one_of_several_is_named():
    with StandIn(pages=listed("one")) as server:
        found = served_model(f"{server.address}/", 4, 60.0)
        assert (found.address, found.name) == (server.address, "one")
        assert (found.remote.concurrency, found.remote.timeout) == (4, 60.0)
    with StandIn(pages=listed("one", "org/two")) as server:
        with pytest.raises(UserError, match="org/two") as refused:
            served_model(server.address, 4, 60.0)
        assert f"{server.address}#NAME" in str(refused.value)
        assert served_model(f"{server.address}#org/two", 4, 60.0).name == "org/two"
    with pytest.raises(UserError, match="no server answers"):
        served_model(f"http://127.0.0.1:{free_port()}/v1", 4, 60.0)


def served(models: StandIn, recommender: Recommender, folder: Path, **more: Any) -> Any:
    """A server whose model is the stand-in."""
    recommender = remote(recommender, served_model(models.address, 2, 30.0))
    engine = load_engine(recommender, 2)
    assert isinstance(engine, EngineService) and engine.name == MODEL
    return world(recommender, folder, engine, **more)


def test_its_reasons_go_out_where_they_pass_and_sentences_where_not(
    models: StandIn, wordy: Recommender, tmp_path: Path
):
    with served(models, wordy, tmp_path) as server:
        found = server.ask(history=["14"], n=2)
        assert {item["reasons_by"] for item in found["items"]} == {"model"}, found
        assert found["usage"]["completion_tokens"] > 0 and models.most <= 2
        models.chat = lambda seen: completion(" was directed by Steven Spielberg in 1731.")
        found = server.ask(history=["15"], n=2)
        assert {item["reasons_by"] for item in found["items"]} == {"template"}


def test_a_model_that_is_gone_costs_the_reasons_and_nothing_else(
    models: StandIn, wordy: Recommender, tmp_path: Path
):
    with served(models, wordy, tmp_path) as server:
        models.chat = lambda seen: Say(status=400, content={"error": {"message": "not now"}})
        found = server.ask(history=["14"], n=2)
        assert len(found["items"]) == 2
        assert {item["reasons_by"] for item in found["items"]} == {"template"}
        assert server.client.get("/api/health/ready").status_code == 200


def test_chats_are_answered_by_it(models: StandIn, wordy: Recommender, tmp_path: Path):
    models.chat = lambda seen: completion(seen.text[::-1])
    with served(models, wordy, tmp_path) as server:
        body = {"model": MODEL, "messages": [{"role": "user", "content": "abc"}]}
        answer = server.client.post("/v1/chat/completions", json=body).json()
        assert answer["choices"][0]["message"]["content"] == "cba"
        assert answer["usage"]["total_tokens"] == 10
        assert MODEL in [one["id"] for one in server.client.get("/v1/models").json()["data"]]


def test_a_recommender_of_another_model_is_refused(models: StandIn, wordy: Recommender, tmp_path: Path):
    model = served_model(models.address, 2, 30.0)
    other = remote(wordy, replace(model, name="other"))
    with world(other, tmp_path, EngineService(RemoteEngine(model))) as server:
        assert isinstance(server, World)
        answer = server.client.post("/api/v1/recommend", json={"history": ["14"], "n": 1})
        assert answer.status_code == 400 and "not " in answer.text


def test_proxies_are_addresses():
    def config(*proxies: str) -> ServerConfig:
        return ServerConfig(catalogue=Path("x.csv"), trusted_proxies=proxies)

    assert config("127.0.0.1", "10.0.0.0/24", "::1").trusted_proxies
    for wrong in ("*", "proxy", "10.0.0.1:80", "10.0.0.1/24"):
        with pytest.raises(UserError, match="no proxy"):
            config(wrong)
