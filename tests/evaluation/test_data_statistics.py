"""The data's statistics on tables whose figures are known by construction, or counted the slow way."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rectune.core.figures.statistics import (
    DomainStatistics,
    PartStatistics,
    TextCounts,
    TopShares,
    ValueCounts,
)
from rectune.core.tables import interaction_schema, item_schema, user_schema
from rectune.evaluation.data_statistics import describe
from rectune.evaluation.interaction_counts import InteractionCounter as Counting
from rectune.evaluation.interaction_counts import InteractionCounts

Event = tuple[str, int, int, float | None, str, int | None, bool]


def item(domain: str, code: int, category: str = "", **more: Any) -> dict[str, Any]:
    named = {"domain": domain, "item": code, "item_id": f"i{code}", "title": "four"}
    return named | {"categories": [], "description": "", "extra": "{}", "category": category} | more


def write(folder: Path, items: list[dict[str, Any]], events: list[Event], **options: Any) -> Path:
    """The three tables; users are those of the events."""
    folder.mkdir(exist_ok=True)
    schema = item_schema() | {"category": pl.String()}
    pl.DataFrame(items, schema=schema, orient="row").write_parquet(folder / "items.parquet")
    users = [
        {"domain": domain, "user": user, "user_id": str(user), "attributes": "{}"}
        for domain, user in dict.fromkeys(event[:2] for event in events)
    ]
    pl.DataFrame(users, schema=user_schema()).write_parquet(folder / "users.parquet")
    columns = ("domain", "user", "item", "value", "kind", "timestamp", "liked")
    rows = [dict(zip(columns, event, strict=True)) | {"order": n} for n, event in enumerate(events)]
    table = pl.DataFrame(rows, schema=interaction_schema() | {"liked": pl.Boolean()})
    table.write_parquet(folder / "interactions.parquet", **options)
    return folder


def only(folder: Path) -> DomainStatistics:
    """The one domain of a folder."""
    (domain,) = describe(folder)
    return domain


def click(user: int, code: int, domain: str = "news", time: int | None = None) -> Event:
    return (domain, user, code, 1.0, "click", time, True)


def test_counts_of_a_table_counted_by_hand(tmp_path: Path) -> None:
    items = [
        item("films", 0, description="long", year=1999, categories=["Drama"], title="오징어"),
        item("films", 1, year=2000),
        item("films", 2, categories=["Drama"]),
        item("films", 3),
    ]
    events: list[Event] = [
        ("films", 0, 0, 4.0, "rating", 86_400_000 * 365, True),
        ("films", 0, 0, 2.5, "rating", None, False),
        ("films", 0, 1, None, "play", 0, False),
        ("films", 1, 0, 4.0, "rating", None, True),
    ]
    found = only(write(tmp_path, items, events))
    assert (found.items, found.users, found.interactions, found.liked) == (4, 2, 4, 2)
    assert found.kinds == {"rating": 3, "play": 1}
    assert (found.with_value, found.with_time, found.repeated, found.items_seen) == (3, 2, 1, 2)
    assert (found.first, found.last) == ("1970-01-01", "1971-01-01")
    assert found.density == 3 / 8
    assert found.values == ValueCounts(scale="exact", bars=((2.5, 0, 1), (4.0, 2, 0)))
    assert found.text == TextCounts(description=1, categories=2, year=2, title_length=3.75)
    assert found.categories == ()


def test_history_lengths_and_their_buckets(tmp_path: Path) -> None:
    lengths = [1, 1, 2, 3, 4, 7, 8, 70]
    events = [
        ("films", user, code, 5.0 if user else 1.0, "rating", None, user > 0)
        for user, length in enumerate(lengths)
        for code in range(length)
    ]
    history = only(write(tmp_path, [item("films", code) for code in range(70)], events)).history
    assert history.all.buckets == ((1, 2), (2, 2), (4, 2), (8, 1), (64, 1))
    assert history.liked.buckets == ((0, 1), (1, 1), (2, 2), (4, 2), (8, 1), (64, 1))
    assert (history.all.min, history.all.max, history.liked.min) == (1, 70, 0)
    assert history.all.quartiles == (1.75, 3.5, 7.25)


def test_popularity_of_equal_items_and_of_a_hit(tmp_path: Path) -> None:
    items = [item("news", code) for code in range(100)]
    equal = only(
        write(tmp_path / "a", items, [click(user, code) for user in range(3) for code in range(100)])
    )
    assert equal.popularity.top == TopShares(percent_1=0.01, percent_10=0.1, percent_20=0.2)
    assert equal.popularity.gini == pytest.approx(0.0)
    hit = [click(0, code) for code in range(10)] + [click(user, 0) for user in range(1, 91)]
    found = only(write(tmp_path / "b", items, hit)).popularity
    assert found.top == TopShares(percent_1=0.91, percent_10=0.91, percent_20=0.92)
    assert found.gini == pytest.approx(0.81)  # nine items hold 0.01 each, one 0.91
    assert found.ranks[0] == (1, 91) and found.ranks[-1] == (10, 1)


def test_domains_are_told_apart_wherever_row_groups_end(tmp_path: Path) -> None:
    items = [item("news", 0), item("news", 1), item("films", 0), item("idle", 0)]
    events = [click(user, user % 2) for user in range(7)] + [click(user, 0, "films") for user in range(5)]
    found = [
        describe(write(tmp_path, items, events, row_group_size=size, statistics=known))
        for size, known in ((100, True), (2, True), (2, False))
    ]
    assert found[0] == found[1] == found[2]
    assert [(row.domain, row.interactions, row.users) for row in found[0]] == [
        ("news", 7, 7),
        ("films", 5, 5),
        ("idle", 0, 0),
    ]


def test_a_domain_without_interactions_has_no_quantiles(tmp_path: Path) -> None:
    found = only(write(tmp_path, [item("idle", 0, "x"), item("idle", 1, "y")], []))
    for row in (found, *found.categories):
        assert row.interactions == 0 and row.density == 0.0
        assert row.history.all.quartiles == (None,) * 3 and row.popularity.gini is None


def test_many_distinct_values_are_counted_in_powers_of_two(tmp_path: Path) -> None:
    hours = [0.0, 0.5, 1.0, 1.9, 8.0, 15.99, *(16 + n / 8 for n in range(100)), float("inf"), float("nan")]
    events: list[Event] = [("games", n, 0, value, "play", None, value >= 2) for n, value in enumerate(hours)]
    found = only(write(tmp_path, [item("games", 0)], events)).values
    assert found.scale == "log2"
    assert found.bars == ((0.0, 0, 1), (0.5, 0, 1), (1.0, 0, 2), (8.0, 2, 0), (16.0, 100, 0))


def test_the_figures_are_plain_json(tmp_path: Path) -> None:
    events: list[Event] = [("games", 0, 0, float("nan"), "play", 10**14, False)]
    found = only(write(tmp_path, [item("games", 0)], events))
    assert type(found).model_validate_json(json.dumps(found.document(), allow_nan=False)) == found


def test_items_without_the_column_category_have_none(tmp_path: Path) -> None:
    write(tmp_path, [item("news", 0)], [click(0, 0)])
    path = tmp_path / "items.parquet"
    pl.read_parquet(path).drop("category").write_parquet(path)
    assert only(tmp_path).categories == ()


def slowly(events: list[Event]) -> dict[str, Any]:
    """Some figures of these events, one event at a time."""
    lengths, likes = Counter(e[1] for e in events), Counter(e[1] for e in events if e[6])
    popular = Counter(e[2] for e in events)
    return {
        "users": len(lengths),
        "interactions": len(events),
        "liked": likes.total(),
        "repeated": len(events) - len({e[1:3] for e in events}),
        "items_seen": len(popular),
        "kinds": dict(Counter(e[4] for e in events)),
        "longest": max(lengths.values(), default=None),
        "longest liked": max((likes[user] for user in lengths), default=None),
        "bars": {v: [sum(e[6] for e in events if e[3] == v), sum(not e[6] for e in events if e[3] == v)]
                 for v in {e[3] for e in events} - {None}},
    }  # fmt: skip


def quickly(row: PartStatistics) -> dict[str, Any]:
    """The same figures of an entry of `describe`."""
    same = ("users", "interactions", "liked", "repeated", "items_seen", "kinds")
    return {name: getattr(row, name) for name in same} | {
        "longest": row.history.all.max,
        "longest liked": row.history.liked.max,
        "bars": {value: [liked, others] for value, liked, others in row.values.bars},
    }


def _agrees_in_small_batches(folder: Path, items: list[dict[str, Any]], at_once: int) -> None:
    """Counting a few interactions at a time gives what counting them in one go gives."""
    categories = sorted({one["category"] for one in items})
    groups = np.array([categories.index(one["category"]) for one in items], np.int64)
    rows = pl.scan_parquet(folder / "interactions.parquet")
    users = pl.scan_parquet(folder / "users.parquet").collect().height
    found = []
    for sizes in ({}, {"batch": 8, "at_once": at_once}):
        counter = Counting(groups, len(categories), users, **sizes)
        parts = counter.count(rows)
        found.append([_listed(part) for part in (*parts, counter.whole(parts))])
    assert found[0] == found[1]


def _listed(part: InteractionCounts) -> dict[str, Any]:
    columns = ("group", "kind", "liked", "value")
    return {
        "tally": part.tally.sort(columns).rows(),
        "items": part.items.tolist(),
        "lengths": sorted(part.lengths.tolist()),
        "liked": sorted(part.liked.tolist()),
        "repeated": part.repeated,
        "scale": part.scale,
    }


@given(seed=st.integers(0, 10**6), size=st.integers(0, 60), at_once=st.sampled_from((1, 7, 1000)))
def test_categories_and_the_whole_agree_with_counting_one_by_one(
    tmp_path_factory: pytest.TempPathFactory, seed: int, size: int, at_once: int
) -> None:
    draw = random.Random(seed)
    items = [item("goods", code, draw.choice(("", "Books", "Toys"))) for code in range(9)]
    people = draw.sample(range(12), 12)  # codes of users are dense but come in any order
    events: list[Event] = [
        ("goods", user, draw.randrange(9), draw.choice((None, 1.0, 4.5)), draw.choice(("review", "click")),
         None, draw.random() < 0.5)
        for user in [*people, *(draw.randrange(12) for _ in range(size))]
    ]  # fmt: skip
    folder = write(tmp_path_factory.mktemp("goods"), items, events, row_group_size=5)
    found = only(folder)
    _agrees_in_small_batches(folder, items, at_once)
    assert quickly(found) == slowly(events)
    named = {row.category: quickly(row) for row in found.categories}
    categories = {one["category"] for one in items}
    if categories != {""}:
        assert named == {
            name: slowly([event for event in events if items[event[2]]["category"] == name])
            for name in categories
        }
