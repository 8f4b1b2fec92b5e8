"""Held-out ratings: what is held out, what rankers may know, and how a list is judged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from rectune.core.errors import UserError
from rectune.core.figures.held_out_ratings import HeldOutRatingsFigures
from rectune.core.figures.read_records import read_figures
from rectune.core.recipe import Recipe, parse_recipe
from rectune.core.stats.metrics import UserBootstrap
from rectune.core.tables import interaction_schema, item_schema
from rectune.evaluation.held_out_ratings import TABLE, in_figures, judgements, run
from rectune.evaluation.rating_split import JudgedUser, RatingSplit, split_ratings

ITEMS = 8
Ratings = list[tuple[int, int, float | None]]  # user, item, rating; None: met, not rated


def write(folder: Path, ratings: Ratings, kind: str = "rating") -> Path:
    """The tables of a data stage, as far as they are read: items i0, i1, …; what is liked is no matter."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        {"domain": "d", "user": user, "item": item, "value": value, "kind": kind, "order": at,
         "timestamp": None, "liked": False}
        for at, (user, item, value) in enumerate(ratings)
    ]  # fmt: skip
    pl.DataFrame(rows, schema=interaction_schema(), orient="row").write_parquet(
        folder / "interactions.parquet"
    )
    things = [
        {"domain": "d", "item": at, "item_id": f"i{at}", "title": f"t{at}", "categories": []}
        for at in range(ITEMS)
    ]
    pl.DataFrame(things, schema=item_schema(), orient="row").write_parquet(folder / "items.parquet")
    return folder


def people(count: int, *values: float | None) -> Ratings:
    """So many users who gave the items from i0 on these ratings."""
    return [(user, item, value) for user in range(count) for item, value in enumerate(values)]


def split(folder: Path, ratings: Ratings, fraction: float = 0.3, **given) -> RatingSplit:
    return split_ratings(write(folder, ratings, **given), "d", fraction, seed=0)


def test_a_tenth_is_held_out_at_random_and_the_rest_is_what_rankers_know(tmp_path: Path) -> None:
    found = split(tmp_path, people(400, 10, 9, 8, 7, 6, None), fraction=0.1)
    assert found.ratings == 2_000 and 160 < found.held_out < 240  # 200 in the long run
    judged = sum(len(user.held_out) for user in found.users)
    assert judged + 2 * found.without_history <= found.held_out  # both promoted items of the latter, at least
    known = set(zip(found.promoted.users.tolist(), found.promoted.items.tolist(), strict=True))
    assert {item for _, item in known} == {0, 1}  # 9 and 10 alone are promoters
    for user in found.users:
        assert set(user.history) <= {"i0", "i1"} and set(user.history) <= user.absent
        assert not user.absent & set(user.held_out) and "i5" in user.absent
        assert user.absent | set(user.held_out) == {f"i{n}" for n in range(6)}
    given = {item: value for user in found.users for item, value in user.held_out.items()}
    assert given == {"i0": 1, "i1": 1, "i2": 0, "i3": 0, "i4": -1}
    assert {len(user.held_out) for user in found.users} > {1}  # by rating, not one a user


def test_the_same_seed_holds_out_the_same(tmp_path: Path) -> None:
    ratings = people(50, 10, 9, 3)
    one, same = split(tmp_path / "one", ratings), split(tmp_path / "two", ratings)
    assert one.users == same.users
    assert split_ratings(tmp_path / "one", "d", 0.3, seed=1).users != one.users


@pytest.mark.parametrize(("factor", "scale"), [(1.0, 10.0), (0.5, 5.0)])
def test_five_stars_are_judged_as_ten(tmp_path: Path, factor: float, scale: float) -> None:
    ratings = people(60, *(factor * value for value in (10, 9, 8.5, 7, 6, 1)))
    found = split(tmp_path, ratings)
    assert found.scale == scale
    given = {item: value for user in found.users for item, value in user.held_out.items()}
    assert given == {"i0": 1, "i1": 1, "i2": 0, "i3": 0, "i4": -1, "i5": -1}


def test_of_several_ratings_of_an_item_the_last_counts(tmp_path: Path) -> None:
    found = split(tmp_path, [*people(40, 10, 2), *people(40, 1, 10)])
    assert found.ratings == 80
    assert {one for user in found.users for one in user.held_out.items()} <= {("i0", -1), ("i1", 1)}


@pytest.mark.parametrize(
    ("ratings", "kind", "said"),
    [
        (people(3, None, None), "rating", "there are no ratings"),
        (people(3, 1, 1), "play", "there are no ratings"),
        (people(3, 1, 200), "rating", "from 1 to 200: neither of 5 nor of 10"),
    ],
)
def test_what_is_no_rating_of_5_or_10_is_refused(
    tmp_path: Path, ratings: Ratings, kind: str, said: str
) -> None:
    with pytest.raises(UserError, match=said):
        split(tmp_path, ratings, kind=kind)


def test_a_list_is_judged_by_its_held_out_items_alone() -> None:
    users = [
        JudgedUser(("a",), frozenset("a"), {"b": 1, "c": 0, "d": -1, "e": 1}),
        JudgedUser(("a",), frozenset("a"), {"d": -1}),
    ]
    judged = judgements(users, [["b", "x", "d", "c"], ["x", "d"]])
    assert judged.tolist() == [[1, 1, 1], [0, 0, 1]]
    found = in_figures(judged, UserBootstrap(["u", "v"], 500, 0))
    assert (found.promoters, found.passives, found.detractors) == (1, 1, 2)
    assert found.score.mean == -0.5  # 0 of the first user, -1 of the second
    assert found.net_promoter is not None and found.net_promoter.mean == -1 / 4
    assert (found.net_promoter.low, found.net_promoter.high) == (-1, 0)  # all the second, all the first


def test_lists_without_any_held_out_item_have_no_net_promoter() -> None:
    users = [JudgedUser(("a",), frozenset("a"), {"b": 1})]
    found = in_figures(judgements(users, [["x"]]), UserBootstrap(["u"], 50, 0))
    assert found.net_promoter is None and found.score.mean == 0.0


def recipe(**given) -> Recipe:
    settings = {"bootstrap": 200, "held_out_fraction": 0.3, "list_lengths": [1, 2]} | given
    return parse_recipe({"held_out_ratings": settings, "retrieval": {}})


def test_the_stage_lists_what_pleases_and_writes_its_table(tmp_path: Path) -> None:
    """Two tastes: who gives even items 10 gives odd ones 1, and the other way round; nobody rates i6."""
    rng = np.random.default_rng(0)
    ratings: Ratings = []
    for user in range(80):
        for item in range(6):
            ratings.append((user, item, float(10 if item % 2 == user % 2 else 1)))
    rng.shuffle(ratings)
    out = tmp_path / "runs" / "held_out_ratings" / "key"
    out.mkdir(parents=True)
    rankers = {"item_knn": {}, "popularity": {}}
    found = run(recipe(rankers=rankers), {"data": write(tmp_path / "data", ratings)}, out)
    (domain,) = found.domains.values()
    users = split_ratings(tmp_path / "data", "d", 0.3, seed=7).users
    pleased = sum(1 in user.held_out.values() for user in users)
    first, popular = (domain.systems[name].lists["1"] for name in rankers)
    assert first.promoters == pleased > popular.promoters  # whoever can be pleased is, by the first item
    assert first.net_promoter is not None and popular.net_promoter is not None
    assert first.net_promoter.low > popular.net_promoter.mean
    assert domain.promoters + domain.detractors == sum((domain.promoters, domain.passives, domain.detractors))
    text = (out / TABLE).read_text()
    assert "| item_knn | 1 | " in text and f"{domain.held_out} of 480 ratings (of 10)" in text
    few = run(recipe(rankers={"popularity": {}}, users=7), {"data": tmp_path / "data"}, out)
    assert few.domains["d"].users == 7


def test_the_figures_are_read_back(tmp_path: Path) -> None:
    assert HeldOutRatingsFigures.stage == "held_out_ratings"
    with pytest.raises(UserError):
        read_figures(HeldOutRatingsFigures, tmp_path)
