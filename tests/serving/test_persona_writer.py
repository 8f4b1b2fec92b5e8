"""A trusted model words personas in the background; nobody waits, and a later change is never overwritten."""

from __future__ import annotations

import time
from collections.abc import Callable
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rectune.inference.requests import GenerationRequest
from rectune.recommender.generative import GenerativeRecommender
from rectune.recommender.recommender import Recommender
from rectune.retrieval.grounding import ground_in
from tests.dialogue.people import of_kind, works
from tests.dialogue.test_model_wording import HORROR, TRUE
from tests.recommender.shelf import RETRIEVAL, by_words
from tests.serving.world import MODEL, Author, World, world


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Recommender:
    """Two hundred works, with a model that is trusted."""
    folder = tmp_path_factory.mktemp("works")
    made = copy(by_words(folder / "words", works()))
    grounding = ground_in(works(), folder / "index", "letters", RETRIEVAL)
    made.generative = GenerativeRecommender(MODEL, grounding, RETRIEVAL, folder / "generations.sqlite")
    return made


def says_so(request: GenerationRequest) -> str:
    """What the claim on horror may say; nothing else passes."""
    return TRUE["en"]


def persona(server: World) -> dict[str, Any]:
    found: dict[str, Any] = server.client.get("/api/v1/users/ann/persona").json()
    return found


def until(met: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not met():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_persona_gets_the_models_words_when_they_are_there(library: Recommender, tmp_path: Path) -> None:
    author = Author(says_so)
    author.gate.clear()  # the model does not answer yet
    with world(library, tmp_path, author) as server:
        server.user("ann")
        server.say("ann", "like", *of_kind(HORROR, 8))
        first = persona(server)
        assert [one["worded_by"] for one in first["claims"]] == ["template"], "nobody waits"
        author.gate.set()
        until(lambda: persona(server)["version"] > first["version"])
        (claim,) = persona(server)["claims"]
        assert claim["worded_by"] == "model" and claim["id"] == first["claims"][0]["id"]


def test_what_a_person_changes_meanwhile_stays(library: Recommender, tmp_path: Path) -> None:
    author = Author(says_so)
    author.gate.clear()
    with world(library, tmp_path, author) as server:
        server.user("ann")
        server.say("ann", "like", *of_kind(HORROR, 8))
        (claim,) = persona(server)["claims"]
        until(lambda: author.busy)
        body = {"claim": claim["id"], "action": "remove"}
        assert server.client.patch("/api/v1/users/ann/persona", json=body).status_code == 200
        author.gate.set()
        until(lambda: not author.busy)
        assert [one["state"] for one in persona(server)["claims"]] == ["removed"]


def test_a_model_that_is_not_trusted_is_not_asked(library: Recommender, tmp_path: Path) -> None:
    wary = copy(library)
    assert library.generative
    wary.generative = replace(library.generative, untrusted=frozenset({"en", "ko"}))
    asked: list[GenerationRequest] = []
    author = Author(lambda request: asked.append(request) or "")
    with world(wary, tmp_path, author) as server:
        server.user("ann")
        server.say("ann", "like", *of_kind(HORROR, 8))
        assert persona(server)["claims"][0]["worded_by"] == "template"
    assert not asked
