"""Vectors of queries: made once a request, and held no longer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from rectune.retrieval.embedding import Vectors, embed_query, query_vectors_kept, register


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
