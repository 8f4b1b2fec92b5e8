"""What is kept of a dataset: times, likes, the k-core, what an item must have; and what goes is counted."""

from pathlib import Path

import networkx as nx
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rectune.core.errors import UserError
from rectune.core.recipe import load_recipe
from rectune.core.settings import DataConfig
from rectune.core.settings.data import moment
from rectune.datagen.datasets.select import Selection, select
from rectune.readers.drops import Drops

LIKED = 4.0
DAY = 86_400_000


def tables(events: list[tuple[int, int, float, int]], items: int = 6) -> tuple[pl.DataFrame, ...]:
    things = pl.DataFrame(
        {
            "item": pl.Series(range(items), dtype=pl.UInt32),
            "item_id": [f"i{n}" for n in range(items)],
            "description": ["" if n % 2 else "told" for n in range(items)],
            "categories": [["A"] if n < 3 else [] for n in range(items)],
            "year": [None if n == 0 else 1999 for n in range(items)],
        }
    )
    users = 1 + max((user for user, *_ in events), default=-1)
    people = pl.DataFrame(
        {"user": pl.Series(range(users), dtype=pl.UInt32), "user_id": [f"u{n}" for n in range(users)]}
    )
    schema = {"user": pl.UInt32(), "item": pl.UInt32(), "value": pl.Float32(), "timestamp": pl.Int64()}
    return things, people, pl.DataFrame(sorted(events), schema=schema, orient="row")


def kept(
    events: list[tuple[int, int, float, int]], **wanted: object
) -> tuple[list[str], list[str], set[tuple[str, str]], dict[str, int]]:
    """Ids of items and users that are left, the pairs that met, and what was counted."""
    drops = Drops()
    selection = Selection(LIKED, **wanted)  # type: ignore[arg-type]
    items, users, left = select(*tables(events), selection, drops)
    assert items["item"].to_list() == list(range(items.height))
    assert users["user"].to_list() == list(range(users.height))
    assert left["user"].is_sorted()
    ids, names = items["item_id"].to_list(), users["user_id"].to_list()
    pairs = {(names[user], ids[item]) for user, item in left.select("user", "item").iter_rows()}
    return ids, names, pairs, drops.counts


EVENTS = [
    (0, 0, 5.0, DAY),
    (0, 1, 5.0, 2 * DAY),
    (1, 0, 5.0, 3 * DAY),
    (1, 2, 1.0, 4 * DAY),
    (2, 3, 4.0, 5 * DAY),
]


def test_events_outside_the_times_are_left_out_and_counted() -> None:
    _, users, pairs, counts = kept(EVENTS, since=2 * DAY, until=4 * DAY)
    assert pairs == {("u0", "i1"), ("u1", "i0")} and users == ["u0", "u1"]
    assert counts == {"interaction before data.since": 1, "interaction after data.until": 2}


def test_items_that_lack_something_go_with_what_happened_to_them() -> None:
    items, _, pairs, counts = kept(EVENTS, require=("description",))
    assert items == ["i0", "i2", "i4"] and pairs == {("u0", "i0"), ("u1", "i0"), ("u1", "i2")}
    assert counts == {
        "item without a description": 3,
        "interaction with an item or a user that is left out": 2,
    }
    assert kept(EVENTS, require=("categories", "year"))[0] == ["i1", "i2"]


def test_items_with_few_likes_go() -> None:
    items, users, pairs, counts = kept(EVENTS, min_item_likes=2)
    assert (items, users, pairs) == (["i0"], ["u0", "u1"], {("u0", "i0"), ("u1", "i0")})
    assert counts == {
        "item with fewer than 2 likes": 5,
        "interaction with an item or a user that is left out": 3,
    }


pairs_of = st.sets(st.tuples(st.integers(0, 7), st.integers(0, 5)), max_size=40)


@given(pairs_of, st.integers(1, 4))
def test_the_k_core_is_that_of_graph_theory(liked: set[tuple[int, int]], k: int) -> None:
    graph = nx.Graph([(f"u{user}", f"i{item}") for user, item in liked])
    core = set(nx.k_core(graph, k).nodes)
    items, users, pairs, _ = kept([(user, item, 5.0, DAY) for user, item in liked], k_core=k)
    assert set(items) | set(users) == core
    assert pairs == {(f"u{u}", f"i{i}") for u, i in liked if f"u{u}" in core and f"i{i}" in core}


@given(pairs_of)
def test_without_a_wish_nothing_is_left_out(liked: set[tuple[int, int]]) -> None:
    assert Selection.of(DataConfig(), LIKED).is_all
    events = [(user, item, 5.0, DAY) for user, item in liked]
    _, _, pairs, counts = kept(events, min_item_likes=1)
    assert pairs == {(f"u{user}", f"i{item}") for user, item in liked}
    assert set(counts) <= {"item with fewer than 1 likes"}


def test_moments() -> None:
    assert moment("1970-01-02") == DAY == moment("1970-01-01", end=True)
    assert moment("1970-01-02T09:00:00+09:00") == DAY
    for override in ("data.since=2020", "data.since=tomorrow", "data.until=31/01/2020"):
        with pytest.raises(UserError, match="not a day or a time"):
            load_recipe(Path("recipes/tiny.yaml"), [override])
    with pytest.raises(UserError, match="has to be before"):
        load_recipe(Path("recipes/tiny.yaml"), ["data.since=2020-01-02", "data.until=2020-01-01"])
