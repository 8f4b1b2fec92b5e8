"""What a server holds of its users' words after it has answered: only what compares texts has them."""

from __future__ import annotations

import functools
import gc
from collections.abc import Iterator
from typing import Any

import pytest

from tests.serving.world import World

_CACHE = type(functools.lru_cache(lambda: None))
_COMPARED = {"content_words", "_stem", "facts_of"}  # hold what was compared with the catalogue last
_DEPTH = 5  # of what a cache holds: its table, keys, tuples of arguments, and what these have


def _held(one: Any, depth: int) -> Iterator[str]:
    """The texts that something holds."""
    if isinstance(one, str):
        yield one
    elif depth and not isinstance(one, type) and not callable(one):
        for part in gc.get_referents(one):
            yield from _held(part, depth - 1)


def cached_texts() -> Iterator[str]:
    """The texts of all keys and values of functions that hold what they were asked for."""
    for cache in gc.get_objects():
        ours = isinstance(cache, _CACHE) and (cache.__module__ or "").startswith("rectune")
        if ours and cache.__name__ not in _COMPARED:
            for table in gc.get_referents(cache):
                if isinstance(table, dict):
                    yield from _held(table, _DEPTH)


@functools.lru_cache
def remembering(text: str, *more: Any) -> str:
    """For the test of the test."""
    return text


def test_a_cache_that_holds_words_is_seen(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(remembering, "__module__", "rectune.somewhere")
    for given in (("quokka one",), ("x", "quokka two"), ("x", (("user", "quokka three"),))):
        remembering(*given)
    found = {text for text in cached_texts() if "quokka" in text}
    remembering.cache_clear()
    assert found == {"quokka one", "quokka two", "quokka three"}


def test_what_users_say_is_in_no_other_cache(writing: World):
    ann = writing.user("ann", tastes=["numbat tales of space"])
    writing.ask(user=ann)
    writing.ask(user=ann, query="numbat by the moon")
    body = {"claim": {"stance": "likes", "text": "numbat stories"}}
    writing.client.post(f"/api/v1/users/{ann}/persona", json=body)
    chat = writing.client.post("/api/v1/chats", json={"user": ann}).json()["id"]
    for text in ("I love numbat films", "a numbat film about space", "why?", "something else"):
        said = writing.client.post(f"/api/v1/chats/{chat}/messages", json={"text": text})
        assert said.status_code == 200, said.text
    messages = [{"role": "user", "content": one} for one in ("a numbat", "and another numbat")]
    messages.insert(1, {"role": "assistant", "content": "a numbat"})
    models = [one["id"] for one in writing.client.get("/v1/models").json()["data"]]
    asked = {"model": models[0], "messages": messages, "max_tokens": 3}
    assert writing.client.post("/v1/chat/completions", json=asked).status_code == 200
    assert not [text for text in cached_texts() if "numbat" in text]
