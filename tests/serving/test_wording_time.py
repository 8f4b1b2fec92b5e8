"""How long the model may word an answer: what stands when it is over, and who is said to have worded it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from rectune.inference.requests import GenerationRequest
from rectune.recommender.recommender import Recommender
from rectune.serving.config import Limits
from rectune.serving.store.tables import Message, RecommendedItem
from rectune.serving.wording_time import WordingTime
from tests.recommender.writer import from_facts
from tests.serving.test_chats import begun, by_model, say, text_of
from tests.serving.test_http import stream
from tests.serving.test_streams_and_queue import CHAT, engine_is_idle, until
from tests.serving.web.person import HTMX, messages, person
from tests.serving.world import Author, Stuck, world

SECONDS = 1.0
HALF = 1000 * SECONDS / 2  # ms
LIMITS = Limits(requests_per_minute=1000, wording_seconds=SECONDS)
BAD = "will love **Starship Forever** too."
TWO = {"history": ["Moon Landing"], "n": 2}


def test_half_of_the_time_is_for_what_passes_first_and_all_of_it_once_something_has():
    now = [7.0]
    one = WordingTime(4.0, lambda: now[0])
    assert one.left() is None
    one.begin()
    now[0] = 8.5
    one.begin()  # it runs already
    assert one.left() == 0.5
    one.passed()
    assert one.left() == 2.5
    now[0] = 12.0
    assert one.left() == -1.0


def refused_then_stuck() -> Callable[[GenerationRequest], str]:
    """Writes what the checks refuse, and when asked again begins a sentence and comes to no end."""
    tries = Counter[str]()

    def write(request: GenerationRequest) -> str:
        tries[request.facts] += 1
        return BAD if tries[request.facts] == 1 else "will enjoy … this."

    return write


def only_the_war(request: GenerationRequest) -> str:
    """Words one item, and comes to no end with the others."""
    return from_facts(request) if "War" in from_facts(request) else "…"


def by(answer: dict[str, Any]) -> list[str]:
    return [item["reasons_by"] for item in answer["items"]]


@pytest.mark.parametrize("streams", [False, True])
def test_where_nothing_passes_in_half_of_the_time_plain_sentences_stand(
    streams: bool, wordy: Recommender, tmp_path: Path
):
    with world(wordy, tmp_path, Stuck(refused_then_stuck()), limits=LIMITS) as server:
        told = stream(server, **TWO) if streams else [("done", server.ask(**TWO))]
        answer = told[-1][1]
        assert by(answer) == ["template", "template"] and answer["notes"] == []
        assert all(item["reason"] for item in answer["items"])
        assert not any("Starship" in item["reason"] for item in answer["items"])
        assert answer["took_ms"] >= HALF
        until(lambda: engine_is_idle(server))  # its slots are free
        if streams:
            assert [name for name, _ in told if name != "status"] == ["item"] * 2 + ["reason"] * 2 + ["done"]


def test_what_passes_in_time_is_the_models_and_the_rest_gets_all_of_the_time(
    wordy: Recommender, tmp_path: Path
):
    with world(wordy, tmp_path, Stuck(only_the_war), limits=LIMITS) as server:
        told = stream(server, **TWO)
        answer = told[-1][1]
        assert sorted(by(answer)) == ["model", "template"] and answer["took_ms"] >= 2 * HALF
        reasons = [data for name, data in told if name == "reason"]
        assert [one["reasons_by"] for one in reasons] == ["model", "template"]  # as they were sure
        assert {one["item_id"]: one["reason"] for one in reasons} == {
            one["item_id"]: one["reason"] for one in answer["items"]
        }
        assert sorted(by(server.ask(**TWO))) == ["model", "template"]
        with server.database.reading() as session:
            kept = session.scalars(select(RecommendedItem.reason_by)).all()
        assert sorted(kept) == ["model", "model", "template", "template"]


def test_a_second_try_that_passes_in_time_is_the_models(wordy: Recommender, tmp_path: Path):
    tries = Counter[str]()

    def write(request: GenerationRequest) -> str:
        tries[request.facts] += 1
        return BAD if tries[request.facts] == 1 else from_facts(request)

    with world(wordy, tmp_path, Author(write), limits=LIMITS) as server:
        assert by(server.ask(**TWO)) == ["model", "model"]


def test_of_what_was_written_by_then_the_whole_sentences_count_if_they_pass(
    wordy: Recommender, tmp_path: Path
):
    with world(
        wordy, tmp_path, Stuck(lambda request: f"{from_facts(request)} And then it goes …"), limits=LIMITS
    ) as server:
        answer = server.ask(**TWO)
    assert by(answer) == ["model", "model"] and answer["took_ms"] >= HALF
    assert all(item["reason"].endswith(".") and "then" not in item["reason"] for item in answer["items"])


def test_who_waits_in_the_queue_gets_plain_sentences_in_the_same_time(wordy: Recommender, tmp_path: Path):
    author = Author(slots=1)
    with world(wordy, tmp_path, author, limits=LIMITS) as server, ThreadPoolExecutor(2) as pool:
        author.gate.clear()
        talk = pool.submit(server.client.post, "/v1/chat/completions", json=CHAT)
        until(lambda: len(author.open) == 1)
        answer = server.ask(**TWO)
        assert by(answer) == ["template", "template"] and answer["took_ms"] >= HALF
        time.sleep(SECONDS)
        author.gate.set()
        # A completion is no reason: it has its own time.
        assert talk.result(30).json()["choices"][0]["message"]["content"]


def test_the_page_says_who_worded_a_reason_of_which_the_time_was_over(wordy: Recommender, tmp_path: Path):
    with world(wordy, tmp_path, Stuck(only_the_war), limits=LIMITS) as server:
        ann = person(server)
        server.say(ann.id, "like", "11")
        parts = messages(ann.post("/for-you", HTMX).text)
    plain, models = "a plain sentence from the catalogue", "worded by the language model, checked"
    reasons = [part for part in parts if 'hx-target="#reason-' in part]
    assert [models in part for part in reasons].count(True) == parts[-1].count(models) == 1
    assert [plain in part for part in reasons].count(True) == parts[-1].count(plain) == len(reasons) - 1 > 0
    assert models in reasons[0] and "being worded" not in parts[-1]


@pytest.mark.parametrize("written, worded_by", [("… nothing", "template"), ("… and on", "model")])
def test_a_turn_of_a_conversation_obeys_the_same(
    written: str, worded_by: str, wordy: Recommender, tmp_path: Path
):
    def write(request: GenerationRequest) -> str:
        return f"{by_model(request)} {written}" if worded_by == "model" else written

    with world(wordy, tmp_path, Stuck(write), limits=LIMITS) as server:
        answer = say(server, begun(server, "ann"), "I love space")
        assert answer["by"] == worded_by and answer["items"] and answer["notes"] == []
        assert answer["took_ms"] >= (2 * HALF if worded_by == "model" else HALF)
        assert "…" not in text_of(answer)
        until(lambda: engine_is_idle(server))
        with server.database.reading() as session:
            assert session.scalars(select(Message.worded_by)).all() == [worded_by]
