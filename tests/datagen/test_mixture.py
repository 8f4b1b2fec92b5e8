"""The mixture: shares dealt out whole, and what happens when a dataset has too little."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rectune.core.errors import UserError
from rectune.datagen.mixture import allocate, deal, evenly, table

shares = st.dictionaries(st.text(min_size=1, max_size=3), st.floats(0.01, 100), min_size=1, max_size=8)


@given(st.integers(0, 10_000), shares)
def test_shares_are_dealt_out_whole_and_to_within_one(total: int, shares: dict[str, float]) -> None:
    counts = allocate(total, shares, list(shares))
    assert sum(counts.values()) == total
    weight = sum(shares.values())
    assert all(abs(counts[name] - total * share / weight) < 1 + 1e-6 for name, share in shares.items())


@given(st.integers(0, 10_000), shares, st.data())
def test_a_shortfall_is_accepted_or_spread(total: int, shares: dict[str, float], data: st.DataObject) -> None:
    capacity = {name: data.draw(st.integers(0, 3000)) for name in shares}
    accepted = deal(total, shares, list(shares), capacity, spread=False)
    spread = deal(total, shares, list(shares), capacity, spread=True)
    wanted = allocate(total, shares, list(shares))
    assert accepted == {name: min(wanted[name], capacity[name]) for name in shares}
    assert sum(spread.values()) == min(total, sum(capacity.values()))
    assert all(accepted[name] <= spread[name] <= capacity[name] for name in shares)


def test_what_is_spread_goes_by_shares() -> None:
    given_ = deal(
        100, {"a": 50, "b": 40, "c": 10}, ["a", "b", "c"], {"a": 0, "b": 999, "c": 999}, spread=True
    )
    assert given_ == {"a": 0, "b": 80, "c": 20}


def test_a_name_with_a_share_of_zero_stays_empty() -> None:
    assert deal(10, {"a": 1, "b": 0}, ["a", "b"], {"a": 3, "b": 99}, spread=True) == {"a": 3, "b": 0}


def test_the_published_mixture_gives_e_commerce_the_most() -> None:
    counts = allocate(1000, {"amazon": 37.17, "steam": 0.72, "mind": 17.97}, ["amazon", "steam", "mind"])
    assert counts == {"amazon": 665, "steam": 13, "mind": 322}
    assert evenly(7, ["a", "b", "c"]) == {"a": 3, "b": 2, "c": 2}


def test_a_dataset_without_a_share_is_named() -> None:
    with pytest.raises(UserError, match="no share for steam"):
        allocate(10, {"mind": 1.0}, ["mind", "steam"])


def test_the_table_marks_what_falls_short() -> None:
    text = table(
        {"train": {"a": 1200, "b": 5}, "test": {"a": 2}}, {"train": {"a": 1000, "b": 5}, "test": {"a": 2}}
    )
    lines = text.splitlines()
    assert lines[1].split() == ["a", "1,200", "1,000!", "2", "2"]
    assert lines[2].split() == ["b", "5", "5", "0", "0"]
    assert lines[3].split() == ["all", "1,205", "1,005!", "2", "2"]
