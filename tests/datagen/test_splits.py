"""Cases: users are disjoint, histories never pass their target, candidates hold no other item of the user's."""

import random
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datagen.mixture import allot, evenly
from datagen.splits import Rules, assign, cut_cases, eligible_users, people
from rectune.errors import UserError
from rectune.tables import interaction_schema, user_schema
from rectune.types import Case, Split

RULES = Rules(liked=4.0, min_history=2, max_history=3, candidates=6, ordered=True, seed=3)
ITEMS = 40
CATALOGUE = [f"i{code}" for code in range(ITEMS)]

# users x events: (item, value or None, time)
events = st.lists(
    st.tuples(st.integers(0, ITEMS - 1), st.sampled_from([1.0, 4.0, 5.0, None]), st.integers(0, 50)),
    max_size=14,
)
worlds = st.lists(events, min_size=1, max_size=8)


def tables(
    world: list[list[tuple[int, float | None, int]]], times: bool
) -> tuple[pl.DataFrame, pl.DataFrame]:
    rows: list[dict[str, Any]] = []
    for user, happened in enumerate(world):
        for item, value, time in happened:
            rows.append(
                {
                    "domain": "movies",
                    "user": user,
                    "item": item,
                    "value": value,
                    "kind": "rating",
                    "timestamp": time if times else None,
                    "order": len(rows),
                }
            )
    users = [
        {"domain": "movies", "user": u, "user_id": f"u{u}", "attributes": "{}"} for u in range(len(world))
    ]
    return pl.DataFrame(rows, schema=interaction_schema()), pl.DataFrame(users, schema=user_schema())


def cases_of(world: Any, rules: Rules, split: Split = "train", wanted: int = 100) -> list[Case]:
    interactions, users = tables(world, rules.ordered)
    chosen = eligible_users(interactions, users, rules)
    return cut_cases("movies", split, people(interactions, chosen, rules), wanted, CATALOGUE, rules)


@given(worlds)
def test_nothing_in_a_history_is_later_than_its_target(world: Any) -> None:
    for case in cases_of(world, RULES):
        first: dict[str, int] = {}
        for item, value, time in world[int(case.user[1:])]:
            if value is not None and value >= RULES.liked:
                first[f"i{item}"] = min(time, first.get(f"i{item}", time))
        assert first[case.target] == case.cutoff
        assert [first[item] for item in case.history] == sorted(first[item] for item in case.history)
        assert all(first[item] <= first[case.target] for item in case.history)
        assert case.target not in case.history
        assert RULES.min_history <= len(case.history) <= RULES.max_history


@given(worlds, st.booleans())
def test_candidates_hold_the_target_once_and_nothing_else_of_the_users(world: Any, ordered: bool) -> None:
    rules = Rules(**{**{f: getattr(RULES, f) for f in RULES.__dataclass_fields__}, "ordered": ordered})
    for case in cases_of(world, rules):
        touched = {f"i{item}" for item, _, _ in world[int(case.user[1:])]}
        assert case.candidates.count(case.target) == 1
        assert set(case.candidates) & touched == {case.target}
        assert (
            len(set(case.candidates))
            == len(case.candidates)
            == min(rules.candidates, ITEMS - len(touched) + 1)
        )


@given(worlds, st.randoms(use_true_random=False))
def test_without_times_the_order_of_the_file_does_not_matter(world: Any, rng: random.Random) -> None:
    rules = Rules(**{**{f: getattr(RULES, f) for f in RULES.__dataclass_fields__}, "ordered": False})
    mixed = [rng.sample(happened, len(happened)) for happened in world]
    assert cases_of(world, rules) == cases_of(mixed, rules)


@given(st.integers(0, 30), st.integers(0, 10), st.integers(0, 10))
def test_the_users_of_the_splits_are_disjoint_and_all_are_used(
    users: int, test: int, preference: int
) -> None:
    everybody = [(code, f"u{code}") for code in range(users)]
    splits = assign(everybody, test, preference)
    assert sorted(user for part in splits.values() for user in part) == sorted(everybody)
    assert len(splits["test"]) == min(test, users)


def test_every_user_gives_one_case_before_any_gives_two_and_tests_never_give_two() -> None:
    world = [[(item, 5.0, item) for item in range(start, start + 8)] for start in range(4)]
    cases = cases_of(world, RULES, "train", wanted=6)
    assert len({case.user for case in cases[:4]}) == 4 and len(cases) == 6
    assert len(cases_of(world, RULES, "test", wanted=6)) == 4


@given(
    st.integers(0, 10_000),
    st.dictionaries(st.text(min_size=1, max_size=3), st.floats(0.01, 100), min_size=1, max_size=8),
)
def test_shares_are_dealt_out_whole_and_to_within_one(total: int, shares: dict[str, float]) -> None:
    counts = allot(total, shares, list(shares))
    assert sum(counts.values()) == total
    weight = sum(shares.values())
    assert all(abs(counts[name] - total * share / weight) < 1 + 1e-6 for name, share in shares.items())


def test_the_published_mixture_gives_e_commerce_the_most() -> None:
    counts = allot(1000, {"amazon": 37.17, "steam": 0.72, "mind": 17.97}, ["amazon", "steam", "mind"])
    assert counts == {"amazon": 665, "steam": 13, "mind": 322}
    assert evenly(7, ["a", "b", "c"]) == {"a": 3, "b": 2, "c": 2}


def test_a_dataset_without_a_share_is_named() -> None:
    with pytest.raises(UserError, match="no share for steam"):
        allot(10, {"mind": 1.0}, ["mind", "steam"])
