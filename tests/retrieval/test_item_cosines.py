"""Exact cosines of items: known answers, and the same as one item at a time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rectune.retrieval.item_cosines import ItemCosines


def unit(rng: np.random.Generator, rows: int) -> np.ndarray:
    found = rng.standard_normal((rows, 12)).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def test_an_item_counts_by_its_best_chunk_and_by_the_mean_of_all():
    east, north = np.array([1, 0], np.float32), np.array([0, 1], np.float32)
    owners = [("d", "a"), ("d", "b"), ("d", "a")]
    vectors = np.stack([east, (3 * east + 4 * north) / 5, north])
    found = ItemCosines(owners, ["east", "between", "north"], vectors, east[None])
    assert found.keys == [("d", "a"), ("d", "b")]
    assert found.best[:, 0].tolist() == pytest.approx([1.0, 0.6])
    assert found.mean[:, 0].tolist() == pytest.approx([0.5, 0.6])
    assert found.rankings() == {"best 0": [("d", "a"), ("d", "b")], "mean 0": [("d", "b"), ("d", "a")]}
    assert found.best_chunk(("d", "a")) == "east"


def test_of_equal_items_the_smaller_key_comes_first_wherever_they_stand():
    rng = np.random.default_rng(0)
    one, wanted = unit(rng, 1), unit(rng, 1)
    for count in range(1, 40):
        owners = [("d", f"{at:02}") for at in range(count)]
        found = ItemCosines(owners[::-1], [""] * count, np.repeat(one, count, axis=0), wanted)
        assert found.rankings()["best 0"] == found.rankings()["mean 0"] == owners


@given(st.lists(st.integers(0, 6), max_size=30), st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_they_are_those_of_one_item_at_a_time(items: list[int], texts: int, seed: int):
    rng = np.random.default_rng(seed)
    vectors, wanted = unit(rng, len(items)), unit(rng, texts)
    owners = [("d", str(item)) for item in items]
    found = ItemCosines(owners, [f"chunk {at}" for at in range(len(items))], vectors, wanted)
    assert found.keys == list(dict.fromkeys(owners))
    for at, key in enumerate(found.keys):
        mine = [row for row, owner in enumerate(owners) if owner == key]
        cosines = vectors[mine] @ wanted.T
        np.testing.assert_allclose(found.best[at], cosines.max(axis=0), atol=1e-6)
        np.testing.assert_allclose(found.mean[at], cosines.mean(axis=0), atol=1e-6)
        best = int(found.best_chunk(key).removeprefix("chunk "))
        assert cosines.max() == pytest.approx((vectors[best] @ wanted.T).max(), abs=1e-6)
