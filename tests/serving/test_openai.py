"""OpenAI's shapes, tried with OpenAI's client; by a scripted engine and by the embedded model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import openai
import pytest

from rectune.core.settings import EngineConfig
from rectune.inference.llamacpp import LlamaEngine
from rectune.inference.requests import GenerationRequest
from rectune.models.reference import gguf_file
from rectune.recommender.recommender import Recommender
from tests.serving.world import MODEL, URL, Author, World, world

HELLO = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Say hello."}]


def client_of(server: World) -> openai.OpenAI:
    """OpenAI's client, whose requests go to the server of a test."""
    return openai.OpenAI(base_url=f"{URL}/v1", api_key="none", http_client=server.client, max_retries=0)


@pytest.fixture
def said() -> list[GenerationRequest]:
    """What the engine was asked."""
    return []


@pytest.fixture
def chatting(wordy: Recommender, tmp_path: Path, said: list[GenerationRequest]) -> Iterator[World]:
    """A server whose engine always says the same."""

    def write(request: GenerationRequest) -> str:
        said.append(request)
        return "Hello there, friend."

    with world(wordy, tmp_path, Author(write)) as made:
        yield made


@pytest.fixture(autouse=True)
def without_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """No key of the tester's own goes out."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def test_the_models_are_listed(chatting: World, server: World):
    assert [one.id for one in client_of(chatting).models.list()] == [MODEL.stem, "embedder/letters"]
    assert [one.id for one in client_of(server).models.list()] == ["embedder/letters"]


def test_a_whole_answer(chatting: World, said: list[GenerationRequest]):
    answer = client_of(chatting).chat.completions.create(
        model=MODEL.stem, messages=HELLO, max_tokens=7, temperature=0, seed=3, stop="friend"
    )  # type: ignore[call-overload]
    assert answer.choices[0].message.content == " Hello there, friend."  # the scripted engine stops nowhere
    assert answer.choices[0].finish_reason == "stop" and answer.usage.total_tokens == 18
    (asked,) = said
    assert asked.messages == (("system", "Be brief."), ("user", "Say hello."))
    assert (asked.sampling.max_tokens, asked.sampling.temperature, asked.seed) == (7, 0, 3)
    assert asked.stop == ("friend",) and not asked.prefill


def test_a_stream_joins_to_the_whole_answer(chatting: World):
    pieces = list(
        client_of(chatting).chat.completions.create(
            model=MODEL.stem, messages=HELLO, stream=True, stream_options={"include_usage": True}
        )  # type: ignore[call-overload]
    )
    text = "".join(one.choices[0].delta.content or "" for one in pieces if one.choices)
    assert text == " Hello there, friend." and len(pieces) > 4
    assert [one.choices[0].finish_reason for one in pieces if one.choices][-1] == "stop"
    assert pieces[-1].usage.completion_tokens == 9 and len({one.id for one in pieces}) == 1


def test_another_model_and_no_model_are_not_found(chatting: World, server: World):
    for one in (chatting, server):
        with pytest.raises(openai.NotFoundError, match="no such model"):
            client_of(one).chat.completions.create(model="gpt-4", messages=HELLO)  # type: ignore[arg-type]


@pytest.mark.slow
def test_the_embedded_model_answers_and_streams_the_same(wordy: Recommender, tmp_path: Path):
    model = gguf_file("embedded")
    engine = LlamaEngine(model, EngineConfig(context=320, max_num_seqs=2, threads=1, weights="file"))
    with world(wordy, tmp_path, engine) as server:  # type: ignore[arg-type]
        client = client_of(server)
        asked = {"model": model.stem, "messages": HELLO, "max_tokens": 12, "temperature": 0, "seed": 1}
        whole = client.chat.completions.create(**asked)  # type: ignore[call-overload]
        pieces = list(client.chat.completions.create(**asked, stream=True))  # type: ignore[call-overload]
        text = "".join(one.choices[0].delta.content or "" for one in pieces if one.choices)
        assert text == whole.choices[0].message.content and text.strip()
        assert 0 < whole.usage.completion_tokens <= 12
        with pytest.raises(openai.BadRequestError, match="shorter"):
            client.chat.completions.create(
                model=model.stem, messages=[{"role": "user", "content": "word " * 2000}]
            )
