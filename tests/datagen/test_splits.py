"""Cases: users are disjoint, histories never pass their target, no training target is later than a test's."""

import itertools
import random
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as st

from rectune.core.errors import UserError
from rectune.core.types import Case
from rectune.datagen.sources import make_case_sources
from tests.datagen.worlds import LIKED, Events, cut, part, settings

ITEMS = 40
ANCHOR = [[(0, 1.0, 0)]]  # somebody who liked nothing, so that no world is empty
events = st.lists(
    st.tuples(st.integers(0, ITEMS - 1), st.sampled_from([1.0, 4.0, 5.0, None]), st.integers(0, 50)),
    max_size=16,
)
worlds = st.lists(events, min_size=1, max_size=9)
few = how(max_examples=60, deadline=None)


def cases_of(world: Any, **changes: Any) -> list[Case]:
    """Cases of one dataset; none where nobody liked enough."""
    times = changes.pop("times", True)
    with tempfile.TemporaryDirectory() as folder:
        found = cut(
            [part(Path(folder), "movielens", [*world, *ANCHOR], ITEMS, times=times)], settings(**changes)
        )
    return [case for cases in found.values() for case in cases]


def first_likes(happened: Events) -> dict[str, int]:
    first: dict[str, int] = {}
    for item, value, time in happened:
        if value is not None and value >= LIKED:
            first[f"i{item}"] = min(time, first.get(f"i{item}", time))
    return first


@few
@given(worlds, st.sampled_from([0.5, 0.9, 1.0]))
def test_nothing_in_a_history_is_later_than_its_target(world: Any, until: float) -> None:
    for case in cases_of(world, train_time_quantile=until):
        first = first_likes(world[int(case.user[1:])])
        assert first[case.target] == case.cutoff
        assert [first[item] for item in case.history] == sorted(first[item] for item in case.history)
        assert all(first[item] <= first[case.target] for item in case.history)
        assert case.target not in case.history
        assert 2 <= len(case.history) <= 3
        # The history is the latest of what came before, not any of it.
        before = sorted(time for time in first.values() if time < first[case.target])[-3:]
        assert not before or first[case.history[0]] >= before[0]


@few
@given(worlds, st.sampled_from([0.3, 0.7, 0.9]))
def test_no_target_of_training_is_later_than_a_tests(world: Any, until: float) -> None:
    cases = cases_of(world, train_time_quantile=until, test=9)
    early = [case.cutoff for case in cases if case.split != "test"]
    late = [case.cutoff for case in cases if case.split == "test"]
    assert all(a <= b for a, b in itertools.product(early, late) if a is not None and b is not None)
    for case in cases:
        if case.split == "test":  # it is the user's last
            assert case.cutoff == max(first_likes(world[int(case.user[1:])]).values())


@few
@given(worlds, st.booleans(), st.sampled_from(["uniform", "popularity"]))
def test_candidates_hold_the_target_once_and_nothing_else_of_the_users(
    world: Any, times: bool, kind: str
) -> None:
    drawn = (
        {f"i{item}" for happened in [*world, *ANCHOR] for item, _, _ in happened}
        if kind == "popularity"
        else None
    )
    for case in cases_of(world, times=times, negatives=kind):
        touched = {f"i{item}" for item, _, _ in world[int(case.user[1:])]}
        assert case.candidates.count(case.target) == 1
        assert set(case.candidates) & touched == {case.target}
        free = (ITEMS if drawn is None else len(drawn)) - len(touched)
        assert len(set(case.candidates)) == len(case.candidates) == min(6, free + 1)
        assert drawn is None or set(case.candidates) <= drawn


@few
@given(worlds, st.randoms(use_true_random=False))
def test_without_times_the_order_of_the_file_does_not_matter(world: Any, rng: random.Random) -> None:
    mixed = [rng.sample(happened, len(happened)) for happened in world]
    assert cases_of(world, times=False) == cases_of(mixed, times=False)


def test_without_times_an_order_is_drawn_and_prompts_can_say_so() -> None:
    world = [[(item, 5.0, 0) for item in range(30)] for _ in range(30)]
    cases = cases_of(world, times=False, max_history=20)
    assert all(not case.ordered and case.cutoff is None for case in cases)
    steps = [int(b[1:]) > int(a[1:]) for case in cases for a, b in itertools.pairwise(case.history)]
    assert 0.4 < sum(steps) / len(steps) < 0.6


@few
@given(worlds, st.integers(1, 4), st.integers(1, 4))
def test_the_users_of_the_splits_are_disjoint(world: Any, test: int, preference: int) -> None:
    cases = cases_of(world, test=test, preference=preference)
    users = {
        split: {case.user for case in cases if case.split == split}
        for split in ("train", "preference", "test")
    }
    assert not any(users[a] & users[b] for a, b in itertools.combinations(users, 2))
    able = sum(len(first_likes(happened)) > 2 for happened in world)
    assert len(users["test"]) == min(test, able)
    assert len(users["preference"]) == min(preference, able - len(users["test"]))


def test_a_log_that_knows_only_days_still_parts_training_from_tests() -> None:
    world = [
        [(item, 5.0, item // 2) for item in range(8)] for _ in range(12)
    ]  # a quarter of it on the last day
    cases = cases_of(world, train_time_quantile=0.9, test=3)
    assert sorted(case.cutoff for case in cases if case.split == "test") == [3, 3, 3]
    assert max(case.cutoff or 0 for case in cases if case.split == "train") == 2
    assert {
        case.cutoff for case in cases_of([[(i, 5.0, 7) for i in range(8)]] * 12, train_time_quantile=0.9)
    } == {7}


def test_every_user_gives_one_case_before_any_gives_two_and_tests_never_give_two() -> None:
    world = [[(item, 5.0, item) for item in range(start, start + 8)] for start in range(8)]
    cases = cases_of(world, train=6)
    train = [case.user for case in cases if case.split == "train"]
    assert len(train) == 6 and len(set(train[:4])) == 4 and len(set(train)) == 4
    for split in ("preference", "test"):
        asked = [case.user for case in cases if case.split == split]
        assert len(asked) == len(set(asked)) == 2


def test_users_of_one_publisher_are_in_one_split_in_all_its_datasets(tmp_path: Path) -> None:
    world = [[(item, 5.0, item) for item in range(8)] for _ in range(30)]
    parts = [part(tmp_path / name, name, world, ITEMS) for name in ("amazon", "amazon_music")]
    found = cut(parts, settings(datasets=["amazon", "amazon_music"], test=6, preference=6))
    split_of: dict[str, set[str]] = {}
    for case in itertools.chain(*found.values()):
        split_of.setdefault(case.user, set()).add(case.split)
    assert len(split_of) > 10 and all(len(splits) == 1 for splits in split_of.values())


def test_users_of_two_publishers_that_share_an_id_are_two_people(tmp_path: Path) -> None:
    world = [[(item, 5.0, item) for item in range(8)] for _ in range(30)]
    parts = [part(tmp_path / name, name, world, ITEMS) for name in ("amazon", "movielens")]
    found = cut(parts, settings(datasets=["amazon", "movielens"], test=20))
    tests = [{case.user for case in cases if case.split == "test"} for cases in found.values()]
    assert tests[0] != tests[1]


# Across domains ---------------------------------------------------------------------------------------------

CROSSING = [{"history": "amazon_music", "target": "amazon", "weight": 1.0}]


@few
@given(worlds, worlds)
def test_a_cross_domain_source_takes_the_history_of_one_domain_and_the_target_of_the_other(
    music: Any, goods: Any
) -> None:
    music, goods = music[: len(goods)], goods[: len(music)]
    with tempfile.TemporaryDirectory() as folder:
        parts = [
            part(Path(folder, "m"), "amazon_music", [*music, *ANCHOR], ITEMS),
            part(Path(folder, "g"), "amazon", [*goods, *ANCHOR], ITEMS),
        ]
        data = settings(datasets=["amazon_music", "amazon"], cross_domain=CROSSING, test=1, preference=1)
        try:
            found = cut(parts, data)
        except UserError as nobody:
            assert "nobody liked 2 items" in str(nobody)
            likes = [[len(first_likes(happened)) for happened in world] for world in (music, goods)]
            assert not any(heard >= 2 and bought for heard, bought in zip(*likes, strict=True))
            return
    tested = {case.user for cases in found.values() for case in cases if case.split != "train"}
    for case in found["amazon_music > amazon"]:
        heard, bought = (first_likes(world[int(case.user[1:])]) for world in (music, goods))
        assert (case.history_domain, case.domain, case.split) == ("music", "goods", "train")
        assert bought[case.target] == case.cutoff and case.user not in tested
        assert all(heard[item] <= bought[case.target] for item in case.history) and len(case.history) >= 1
        assert set(case.candidates) & {f"i{i}" for i, _, _ in goods[int(case.user[1:])]} == {case.target}


def test_a_cross_domain_source_finds_every_target_that_has_enough_history(tmp_path: Path) -> None:
    music = [[(item, 5.0, item) for item in range(10, 14)]] * 12
    goods = [[(30, 5.0, 5), (31, 5.0, 11), (32, 5.0, 20), (33, 1.0, 21)]] * 12
    parts = [part(tmp_path / "m", "amazon_music", music, ITEMS), part(tmp_path / "g", "amazon", goods, ITEMS)]
    data = settings(datasets=["amazon_music", "amazon"], cross_domain=CROSSING, test=1, preference=1)
    crossed = cut(parts, data)["amazon_music > amazon"]
    by_user = {case.user: {c.target: c.history for c in crossed if c.user == case.user} for case in crossed}
    assert len(by_user) >= 8
    assert set(map(str, by_user.values())) == {str({"i32": ("i11", "i12", "i13"), "i31": ("i10", "i11")})}


def test_a_cross_domain_source_between_categories_of_one_dataset(tmp_path: Path) -> None:
    world = [[(item, 5.0, item) for item in range(10)] for _ in range(12)]
    own = part(tmp_path, "amazon", world, ITEMS, categories=["Books", "Toys"])  # even and odd items
    data = settings(
        datasets=["amazon"], cross_domain=[{"history": "amazon/Books", "target": "amazon/Toys", "weight": 1}]
    )
    crossed = cut([own], data)["amazon/Books > amazon/Toys"]
    assert crossed
    for case in crossed:
        assert case.category == "Toys" and int(case.target[1:]) % 2 == 1
        assert all(int(item[1:]) % 2 == 0 and int(item[1:]) < int(case.target[1:]) for item in case.history)
        assert all(int(item[1:]) % 2 == 1 for item in case.candidates)


@pytest.mark.parametrize(
    ("crossing", "found"),
    [
        (("amazon", "movielens"), "do not share user ids"),
        (("amazon", "steam"), "no dataset steam"),
        (("amazon/Toyz", "amazon"), "did you mean Toys"),
    ],
)
def test_a_cross_domain_source_that_cannot_be_is_an_error(
    tmp_path: Path, crossing: tuple[str, str], found: str
) -> None:
    world = [[(item, 5.0, item) for item in range(10)] for _ in range(12)]
    parts = [
        part(tmp_path / name, name, world, ITEMS, categories=["Books", "Toys"])
        for name in ("amazon", "movielens")
    ]
    wanted = [{"history": crossing[0], "target": crossing[1], "weight": 1.0}]
    with pytest.raises(UserError, match=found):
        make_case_sources(parts, settings(datasets=["amazon", "movielens"], cross_domain=wanted))


def test_a_cross_domain_source_of_two_editions_has_nobody_in_common(tmp_path: Path) -> None:
    music, goods = ([[(item, 5.0, item) for item in range(10)]] * 3 for _ in range(2))
    parts = [
        part(tmp_path / "m", "amazon_music", [*music, []], ITEMS),
        part(tmp_path / "g", "amazon", [[], [], [], *goods], ITEMS),
    ]
    with pytest.raises(UserError, match="nobody liked 2 items"):
        make_case_sources(
            parts[:2], settings(datasets=["amazon_music", "amazon"], cross_domain=CROSSING, min_history=2)
        )


def test_negatives_come_from_the_targets_category(tmp_path: Path) -> None:
    world = [[(item, 5.0, item) for item in range(10)] for _ in range(12)]
    own = part(tmp_path, "amazon", world, ITEMS, categories=["Books", "Toys"])
    for case in cut([own], settings(datasets=["amazon"]))["amazon"]:
        assert {int(item[1:]) % 2 for item in case.candidates} == {int(case.target[1:]) % 2}
        assert len(case.candidates) == 6
