"""LightFM: a step by hand, what features and attributes tell, and what stands where nothing is known."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from rectune.core.errors import UserError
from rectune.core.tables import read_table
from rectune.core.types import Item
from rectune.evaluation.served_users import served_users, train_users
from rectune.rankers import warp
from rectune.rankers.base import Ranker, ranker_class
from rectune.rankers.choice import ChoiceOptions
from rectune.rankers.chosen import ChosenRanker
from rectune.rankers.domain_data import DomainData, TrainLikes, train_likes
from rectune.rankers.fit_cache import FittedData
from rectune.rankers.lightfm import LightFM
from rectune.rankers.side_features import user_features
from rectune.recommender.recommender import Recommender
from tests.rankers.likes_world import data_of, random_table
from tests.rankers.world import case, write_world

SMALL = {"components": 4, "epochs": 20}


def bags(*rows: dict[int, float]) -> warp.Bags:
    starts = np.cumsum([0, *map(len, rows)]).astype(np.int64)
    features = np.array([feature for row in rows for feature in row], np.int64)
    return warp.Bags(starts, features, np.array([w for row in rows for w in row.values()], np.float32))


def side(features: warp.Bags, *vectors: tuple[float, ...]) -> warp.Side:
    values = np.array(vectors, np.float32)
    return warp.Side(features, warp.Embeddings(values, np.ones_like(values)))


def one_epoch(seed: int) -> tuple[warp.Embeddings, warp.Embeddings]:
    """One user who likes the first of three items; of the others only the last scores above it less 1.

    The user is half of two features: vector 0.5 * 0.6 + 0.5 * 0.4 = 0.5. The items (vector, bias) score 0.5,
    -1.5 and 1.1.
    """
    user = side(bags({0: 0.5, 1: 0.5}), (0.6,), (0.4,))
    items = side(bags({0: 1.0}, {1: 1.0}, {2: 1.0}), (1.0, 0.0), (-3.0, 0.0), (2.0, 0.1))
    warp.train(user, bags({0: 1.0}), items, 0.1, np.array([seed], np.uint64))
    return user.embeddings, items.embeddings


def test_one_step_is_as_worked_out_by_hand():
    """Drawn first, the last item costs log((3 - 1) / 1) = 0.693147, so the gradients are -0.346574 and
    -0.693147 for vector and bias of the liked item, the opposite for the drawn one, and 0.693147 * (2 - 1) *
    0.5 for each feature; steps are 0.1 times that. Drawn later it costs log 1 = 0.
    """
    stepped = 0
    for seed in range(1, 91):
        user, items = one_epoch(seed * 7919 << 20)
        if user.vectors[0, 0] == np.float32(0.6):
            np.testing.assert_array_equal(items.vectors, np.float32([[1, 0], [-3, 0], [2, 0.1]]))
            continue
        stepped += 1
        moved = [[1.0346574, 0.0693147], [-3.0, 0.0], [1.9653426, 0.0306853]]
        np.testing.assert_allclose(items.vectors, moved, rtol=1e-5)
        np.testing.assert_allclose(user.vectors, [[0.5653426], [0.3653426]], rtol=1e-5)
        squares = [[1.1201133, 1.4804530], [1.0, 1.0], [1.1201133, 1.4804530]]
        np.testing.assert_allclose(items.squares, squares, rtol=1e-5)
        np.testing.assert_allclose(user.squares, [[1.1201133], [1.1201133]], rtol=1e-5)
    assert 15 < stepped < 45  # a third, by uniform draws


def test_a_later_step_is_shorter_by_the_root_of_the_squares():
    """Every number begins with squares of 4, and a step of the liked item moves it by half of the rate."""
    user = side(bags({0: 1.0}), (1.0,))
    items = side(bags({0: 1.0}, {1: 1.0}, {2: 1.0}), (0.0, 0.0), (0.0, 0.0), (0.0, 0.0))
    items.embeddings.squares[:] = 4.0
    state = np.array([12345 << 20], np.uint64)
    while not items.embeddings.vectors.any():
        warp.train(user, bags({0: 1.0}), items, 0.1, state)
    np.testing.assert_allclose(items.embeddings.vectors[0], [0.05 * math.log(2)] * 2, rtol=1e-5)


def test_a_history_is_the_mean_of_its_items_whoever_had_it_and_unknown_ids_add_nothing():
    ranker = LightFM(**SMALL).fit(data_of(random_table()))
    one, other, both = ranker.score_all([("i000",), ("i001",), ("i001", "i000")])
    np.testing.assert_allclose(both, (one + other) / 2, rtol=1e-4, atol=1e-5)
    same = ranker.score_all([("i001", "nowhere", "i000", "i001")])[0]
    np.testing.assert_allclose(same, both, rtol=1e-5)
    candidates = ranker.score([("i000",)], [("nowhere", "i003")])[0]
    assert candidates.tolist() == [0.0, pytest.approx(one[3], rel=1e-5)]


def test_an_empty_history_leaves_what_is_liked_by_many():
    rng = np.random.default_rng(0)
    table = rng.random((120, 12)) < np.linspace(0.9, 0.05, 12)
    ranker = LightFM(components=4, epochs=50).fit(data_of(table))
    empty, unknown = ranker.score_all([(), ("nowhere",)])
    np.testing.assert_allclose(empty, unknown, rtol=1e-5)
    assert np.corrcoef(empty, table.sum(0))[0, 1] > 0.9


def test_what_nobody_liked_scores_like_the_least_liked_and_all_of_it_alike():
    table = np.hstack([random_table(60, 12)[:, :11], np.zeros((60, 6), np.bool_)])
    table[:, 3] = False
    table[5, 3] = True  # the only one with a single like
    assert (table[:, :11].sum(0) <= 1).sum() == 1
    scores = LightFM(**SMALL).fit(data_of(table)).score_all([("i000",), ("i001", "i014"), ()])
    for row in scores:
        assert len(set(row[11:])) == 1
        assert row[11] == pytest.approx(row[3], rel=1e-5)


def described(table: np.ndarray, categories: list[str], **more) -> DomainData:
    names = [f"i{n:03}" for n in range(table.shape[1])]
    rows, liked = np.nonzero(table)
    likes = TrainLikes(tuple(names), rows.astype(np.int64), liked.astype(np.int64), **more)
    items = [Item("d", name, name, (kind,)) for name, kind in zip(names, categories, strict=True)]
    return DomainData("d", items, lambda: likes)


def test_features_rank_an_item_that_nobody_liked():
    """Red and blue users like red and blue items; the last red and the last blue one are new."""
    rng = np.random.default_rng(1)
    red = np.arange(24) % 2 == 0
    table = (rng.random((80, 24)) < 0.5) & (red == (np.arange(80)[:, None] % 2 == 0))
    table[:, 22:] = False
    data = described(table, ["red" if one else "blue" for one in red])
    ranker = LightFM(components=8, epochs=30, features=["categories"]).fit(data)
    for row in ranker.score_all([("i000", "i004"), ("i002",)]):
        assert row[22] > row[23] + 0.5 and row[22] > row[~red].max()
    plain = LightFM(components=8, epochs=30).fit(data).score_all([("i000", "i004")])[0]
    assert plain[22] == plain[23]


def stating() -> tuple[DomainData, np.ndarray]:
    """Women like the first half of the items, men the second, and nothing else tells them apart."""
    rng = np.random.default_rng(2)
    woman, first = np.arange(80) % 2 == 0, np.arange(20) < 10
    table = (rng.random((80, 20)) < 0.4) & (first == woman[:, None])
    attributes = {n: json.dumps({"gender": "female" if woman[n] else "male", "age": str(20 + n % 9)})
                  for n in range(80)}  # fmt: skip
    return described(table, ["thing"] * 20, attributes=attributes), first


def test_attributes_rank_for_users_who_state_them_and_nothing_else(tmp_path: Path):
    data, first = stating()
    ranker = LightFM(components=8, epochs=30, features=("attributes",)).fit(data)
    asked = [{"gender": "female", "age": 23}, {"gender": "male"}, {"gender": "unheard of", "town": "x"}, {}]
    ranker.save(tmp_path)
    for one in (ranker, LightFM.load(tmp_path)):
        woman, man, strange, silent = one.score_users([()] * 4, asked)
        assert woman[first].min() > woman[~first].max() and man[~first].min() > man[first].max()
        np.testing.assert_array_equal(strange, silent)
        np.testing.assert_allclose(silent, one.score_all([()])[0], rtol=1e-5)
    unstated = LightFM(components=8, epochs=30).fit(data)
    np.testing.assert_array_equal(*(unstated.score_users([()], [stated]) for stated in asked[:2]))


def test_a_number_stands_for_its_ten_and_what_is_empty_is_not_stated():
    text = '{"age": 49, "gender": "male", "town": "", "job": null, "group": "25-34"}'
    assert user_features(text) == ["age: 40-49", "gender: male", "group: 25-34"]
    assert user_features('{"age": 30.5, "weight": "69.9", "born": "1990-05-17", "size": "5.11.2"}') == [
        "age: 30-39", "weight: 60-69", "born: 1990-05-17", "size: 5.11.2"
    ]  # fmt: skip
    assert user_features("") == user_features("{}") == []


def test_train_users_bring_what_they_state(tmp_path: Path):
    data = write_world(tmp_path)["data"]
    users = read_table(data / "users.parquet")
    told = pl.when(pl.col("user_id") == "train1").then(pl.lit('{"age": 40}')).otherwise("attributes")
    users.with_columns(attributes=told).write_parquet(data / "users.parquet")
    assert train_likes(data, [], "movies").attributes == {3: '{"age": 40}'}


def test_a_seed_gives_the_same_scores_and_another_one_others():
    data = data_of(random_table())
    first, again, other = (LightFM(**SMALL, seed=seed).fit(data).score_all([("i000",)]) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)
    seeded = DomainData("d", list(data.items.values()), lambda: data.likes, seed=2)
    np.testing.assert_array_equal(LightFM(**SMALL).fit(seeded).score_all([("i000",)]), other)


@pytest.mark.parametrize(
    "table",
    [np.zeros((0, 5)), np.zeros((3, 5)), np.ones((1, 1)), np.ones((6, 4)), np.eye(1, 5), np.ones((40, 2))],
    ids=["no user", "no like", "one item", "all liked by all", "one like", "nothing to draw"],
)
def test_hostile_worlds_are_fitted_saved_and_scored(table: np.ndarray, tmp_path: Path):
    for number, parameters in enumerate(LightFM.grid):
        ranker: Ranker = LightFM(**parameters).fit(data_of(table.astype(np.bool_)))
        histories = [(), ("nowhere",), tuple(ranker.item_ids), ranker.item_ids[-1:]]
        scores = ranker.score_all(histories)
        assert scores.shape == (4, table.shape[1]) and scores.dtype == np.float64
        assert np.isfinite(scores).all()
        ranker.save(tmp_path / str(number))
        loaded = ranker_class("lightfm").load(tmp_path / str(number))
        np.testing.assert_array_equal(loaded.score_all(histories), scores)
        assert {key: getattr(loaded, key) for key in parameters} == dict(parameters)
        assert ranker.score_all([]).shape == (0, table.shape[1])


def test_what_is_kept_of_earlier_runs_depends_on_features_and_attributes():
    data, _ = stating()
    others = [replace(item, categories=("other",)) for item in data.items.values()]
    changed = DomainData("d", others, lambda: data.likes)
    silent = data.with_likes(replace(data.likes, attributes={}))
    kept, new, mute = map(FittedData, (data, changed, silent))
    assert len({one.identity("lightfm") for one in (kept, new, mute)}) == 3
    assert kept.identity("als") == new.identity("als") == mute.identity("als")


def test_what_cannot_be_is_refused_and_what_is_not_there_is_said(capsys):
    for name in ("learning_rate", "components", "epochs"):
        with pytest.raises(UserError, match=f"{name} is 0"):
            LightFM(**{name: 0})
    with pytest.raises(UserError, match="no features genres"):
        LightFM(features=["genres"])
    with pytest.raises(UserError, match="overflow at a learning_rate of 1e\\+38"):
        LightFM(**SMALL, learning_rate=1e38).fit(data_of(random_table()))
    LightFM(**SMALL, features=["attributes", "facts"]).fit(data_of(random_table()))
    said = capsys.readouterr().err
    assert "no two items share facts" in said and "no two train users share attributes" in said


def test_what_users_state_ranks_for_those_of_whom_nothing_is_liked_where_validation_found_it_better():
    """Women like the first half of the items, men the second: of an empty history nothing else can tell."""
    data, first = stating()
    rankers = ("popularity", "bm25", "lightfm_attributes")
    found = ChosenRanker().fit_with(data, ChoiceOptions(rankers, users=80))
    assert found.weights_for(()).weights.keys() >= {"lightfm_attributes"}
    people = [{"gender": "female"}, {"gender": "male"}]
    women, men = found.score_users([(), ()], people)
    assert women[first].min() > women[~first].max() and men[~first].min() > men[first].max()
    np.testing.assert_array_equal(found.score_requests([(), ()], ["", ""], people), [women, men])
    recommender = Recommender(list(data.items.values()), found)
    half = {item for item, is_first in zip(data.items, first, strict=True) if is_first}
    for gender, own in (("female", half), ("male", set(data.items) - half)):
        answer = recommender.recommend(attributes={"gender": gender}, k=5, explain_ranking=True)
        assert {item.item_id for item in answer.items} <= own
        assert "lightfm_attributes" in answer.ranking.by[0].rankers
        assert all(item.reason is None or item.reason for item in answer.items)
    with pytest.raises(UserError, match="nothing to go by"):
        recommender.recommend()


def test_a_plain_ranker_takes_what_is_stated_and_one_that_learnt_nothing_of_it_scores_as_ever():
    data, first = stating()
    names = [*data.items]
    ranker = ranker_class("lightfm_attributes")(components=8, epochs=30).fit(data)
    found = Recommender(list(data.items.values()), ranker).recommend(attributes={"gender": "male"}, k=5)
    assert not {item.item_id for item in found.items} & {names[at] for at in np.flatnonzero(first)}
    ease = ranker_class("ease")().fit(data)
    np.testing.assert_array_equal(
        ease.score_users([("i000",)], [{"gender": "male"}]), ease.score_all([("i000",)])
    )


def test_test_users_are_measured_with_what_they_state(tmp_path: Path):
    data = write_world(tmp_path)["data"]
    users = read_table(data / "users.parquet")
    told = (
        pl.when(pl.col("user_id").is_in(["test0", "train0", "train1", "train2"]))
        .then(pl.lit('{"age": 40}'))
        .otherwise("attributes")
    )
    users.with_columns(attributes=told).write_parquet(data / "users.parquet")
    cases = [case("movies", "test0", "test", 0), case("movies", "test1", "test", 1)]
    stated = [user.attributes for user in served_users(data, cases, 2, 0)]
    assert stated == [{"age": 40}, {}]
    likes = train_likes(data, cases, "movies")
    assert {"age": 40} in [user.attributes for user in train_users(data, "movies", likes, 9, 2, 0)]
