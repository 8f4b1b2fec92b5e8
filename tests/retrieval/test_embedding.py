"""Vectors of queries, which are made once a request and held no longer; what an embedder is known by."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from rectune.retrieval.embedding import (
    EMBEDDED,
    Vectors,
    embed,
    embed_query,
    embedder_identity,
    query_vectors_kept,
    register,
)


@pytest.fixture
def asked() -> list[str]:
    """The texts that the embedder `counted` was asked for."""
    texts: list[str] = []

    def counted(some: Sequence[str]) -> Vectors:
        texts.extend(some)
        return np.eye(4, dtype=np.float32)[[len(text) % 4 for text in some]]

    register("counted", 4, counted)
    return texts


def test_within_a_request_a_query_is_embedded_once(asked: list[str]):
    with query_vectors_kept():
        first = embed_query("moon", "counted")
        with query_vectors_kept():  # a part of the same request
            assert embed_query("moon", "counted") is first
        assert embed_query("moon", "counted") is first and asked == ["moon"]
        assert embed_query("stars", "counted") is not first
    assert asked == ["moon", "stars"]


def test_nothing_is_held_after_a_request(asked: list[str]):
    with pytest.raises(ValueError), query_vectors_kept():
        embed_query("moon", "counted")
        raise ValueError
    with query_vectors_kept():
        embed_query("moon", "counted")
    embed_query("moon", "counted")
    assert asked == ["moon"] * 3


def test_a_vector_that_is_shared_cannot_be_written_to(asked: list[str]):
    with query_vectors_kept(), pytest.raises(ValueError, match="read-only"):
        embed_query("moon", "counted")[0] = 1


def test_an_embedder_in_a_folder_is_another_one_where_its_files_are_others(tmp_path: Path):
    """Vectors that were made by the one are not taken for the other's."""
    weights = tmp_path / "own" / "model" / "weights"
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"one")
    name = str(tmp_path / "own")
    first = embedder_identity(name)
    assert first.startswith(f"{name} ") and embedder_identity(name) == first
    weights.write_bytes(b"other")
    assert embedder_identity(name) != first
    weights.write_bytes(b"one")
    assert embedder_identity(name) == first
    assert embedder_identity(EMBEDDED) == EMBEDDED and embedder_identity("some/model") == "some/model"


def test_who_embeds_part_of_more_is_told_how_many_are_done():
    register("numbers", 2, lambda texts: np.eye(2, dtype=np.float32)[[len(text) % 2 for text in texts]])
    for embedder in ("embedded", "numbers"):
        done: list[int] = []
        embed(["a film"] * 300, embedder, done.append)
        assert sum(done) == 300
