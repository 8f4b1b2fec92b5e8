"""Negatives: how often each is drawn, where targets stand among them, and what near means."""

import numpy as np
import polars as pl

from rectune.datagen import negatives
from rectune.datagen.negatives import CategorySampler, NearestNeighbours, SeenItems, draw
from rectune.datagen.rng import hash64, hashes64, uniform
from rectune.datagen.sources import _inserted
from rectune.retrieval.embedding import register


def test_random_numbers_are_uniform_and_follow_from_their_seed_alone() -> None:
    seeds = hashes64((n,) for n in range(2000))
    numbers = uniform(seeds, 10)
    assert numbers.shape == (2000, 10) and numbers.min() >= 0 and numbers.max() < 1
    counts, _ = np.histogram(numbers, bins=20, range=(0, 1))
    assert abs(counts - 1000).max() < 150  # five standard deviations of a fair one
    assert abs(np.corrcoef(numbers[:, 0], numbers[:, 1])[0, 1]) < 0.1
    assert (uniform(seeds[7:8], 3) == numbers[7:8, :3]).all()
    assert hash64("a", "b") != hash64("ab") and hash64(1) == int(hashes64([(1,)])[0])


def test_popular_items_are_drawn_in_proportion_to_their_interactions() -> None:
    weights = np.array([0.0, 1.0, 2.0, 4.0, 8.0] + [1.0] * 35)
    seeds = hashes64((n,) for n in range(20_000))
    targets = np.zeros(len(seeds), np.int64)
    drawn = draw(
        CategorySampler([""] * 40, weights), targets, targets, SeenItems(targets[:1], targets[:1]), seeds, 1
    )
    counts = np.bincount([row[0] for row in drawn], minlength=40)
    assert counts[0] == 0
    expected = weights / weights.sum() * len(seeds)
    assert (abs(counts - expected) <= 5 * np.sqrt(expected + 1)).all()


def test_what_a_case_gets_does_not_depend_on_its_neighbours() -> None:
    seeds, weighted = hashes64((n,) for n in range(50)), CategorySampler([""] * 100, np.ones(100))
    targets, nobody = np.arange(50, dtype=np.int64), SeenItems(np.zeros(0, np.int64), np.zeros(0, np.int64))
    together = draw(weighted, targets, targets, nobody, seeds, 5)
    alone = [
        draw(weighted, targets[n : n + 1], targets[n : n + 1], nobody, seeds[n : n + 1], 5)[0]
        for n in range(50)
    ]
    assert together == alone


def test_a_user_who_met_nearly_everything_gets_what_is_left() -> None:
    met = np.arange(95, dtype=np.int64)
    touched = SeenItems(np.full(95, 3, np.int64), met)
    weighted = CategorySampler([""] * 100, np.ones(100))
    row = draw(weighted, met[:1], np.array([3]), touched, hashes64([(1,)]), 8)[0]
    assert sorted(row) == [95, 96, 97, 98, 99]
    other = draw(weighted, met[:1], np.array([4]), touched, hashes64([(1,)]), 8)[0]
    assert len(set(other)) == 8


def test_seen_items_distinguish_pairs() -> None:
    touched = SeenItems(np.array([1, 1, 2]), np.array([5, 6, 5]))
    assert touched.holds(np.array([1, 2, 2, 3]), np.array([6, 5, 6, 5])).tolist() == [
        True,
        True,
        False,
        False,
    ]


def test_the_target_stands_in_every_place_equally_often() -> None:
    chances = uniform(hashes64((n,) for n in range(4000)), 1)[:, 0]
    places = np.bincount([_inserted([1, 2, 3, 4], 0, chance).index(0) for chance in chances], minlength=5)
    assert abs(places - 800).max() < 5 * np.sqrt(800)


def test_near_negatives_are_the_nearest_of_the_targets_category() -> None:
    angles = np.linspace(0, np.pi / 2, 40)
    register("angles", 2, lambda texts: np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32))
    items = pl.DataFrame(
        {"title": [f"t{n}" for n in range(40)], "categories": [["x"]] * 40, "category": ["a", "b"] * 20}
    )
    near = NearestNeighbours(items, "angles")
    nobody = SeenItems(np.zeros(0, np.int64), np.zeros(0, np.int64))
    rows = [draw(near, np.array([0]), np.array([0]), nobody, hashes64([(n,)]), 2)[0] for n in range(60)]
    assert {item for row in rows for item in row} == set(range(2, 22, 2))  # the ten nearest even items
    met = SeenItems(np.zeros(18, np.int64), np.arange(2, 38, 2))
    assert draw(near, np.array([0]), np.array([0]), met, hashes64([(1,)]), 2)[0] == [38]


def test_negatives_open_by_name() -> None:
    items = pl.DataFrame({"item": pl.Series([0, 1, 2], dtype=pl.UInt32), "category": ["", "", ""]})
    events = pl.LazyFrame({"item": pl.Series([1, 1, 2], dtype=pl.UInt32)})
    popular = negatives.open_negatives("popularity", items, events, "embedded")
    assert sorted(popular.all(0, 1).tolist()) == [1, 2]
    assert sorted(negatives.open_negatives("uniform", items, events, "embedded").all(0, 1).tolist()) == [
        0,
        1,
        2,
    ]
