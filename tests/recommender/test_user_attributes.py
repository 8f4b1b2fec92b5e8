"""What users state: learnt from tables, read in every call that recommends, told where it is not known."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from rectune.core.errors import UserError
from rectune.rankers.side_features import attribute_names
from rectune.recommender.batch import recommend_users
from rectune.recommender.options import RecommendOptions
from rectune.recommender.recommender import Recommender
from rectune.recommender.requests import UserRequest
from rectune.recommender.user_attributes import read_attributes
from tests.recommender.shelf import RETRIEVAL
from tests.recommender.stating_world import ITEMS, OF_MEN, OF_WOMEN, SHARED, interactions, users


def fitted(folder: Path, told: Any, ranker: str = "lightfm_attributes") -> Recommender:
    return Recommender.fit(interactions(), ITEMS, users=told, ranker=ranker, folder=folder)


@pytest.fixture(scope="module")
def recommender(tmp_path_factory: pytest.TempPathFactory) -> Recommender:
    return fitted(tmp_path_factory.mktemp("stating"), users())


def firsts(found: pl.DataFrame) -> list[str]:
    return found.filter(pl.col("rank") == 1)["item_id"].to_list()


def test_the_same_history_and_other_attributes_give_another_first_item(recommender: Recommender):
    woman, man = (
        recommender.recommend([SHARED], attributes={"gender": one, "age": 25}, k=5)
        for one in ("female", "male")
    )
    assert {one.item_id for one in woman} <= set(OF_WOMEN) and {one.item_id for one in man} <= set(OF_MEN)
    assert woman.unknown_attributes == ()


def test_a_table_of_requests_has_attributes_too(
    recommender: Recommender, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    rows = [
        {"history": [SHARED], "attributes": {"gender": "female"}},
        {"history": [SHARED], "attributes": {"gender": "male", "town": "Ulm"}},
        {"attributes": '{"gender": "female", "town": "Ulm"}'},
    ]
    found = recommender.recommend_many(rows, k=4)
    woman, man, new = firsts(found)
    assert woman in OF_WOMEN and man in OF_MEN
    assert set(found.filter(request=2)["item_id"]) <= {SHARED, *OF_WOMEN}
    assert "left out: town: Ulm (2)" in capsys.readouterr().err
    table, out = tmp_path / "users.jsonl", tmp_path / "out.parquet"
    table.write_text("".join(json.dumps(row) + "\n" for row in rows))
    recommend_users(recommender, table, out, RecommendOptions(4), [])
    assert firsts(pl.read_parquet(out)) == [woman, man, new]
    assert "town: Ulm (2)" in capsys.readouterr().err


def test_a_known_user_is_ranked_by_what_they_stated_unless_something_else_is_given(recommender: Recommender):
    own = recommender.recommend(user="u1", k=3)
    assert {one.item_id for one in own} <= set(OF_WOMEN)
    stated = recommender.known("u1", UserRequest()).attributes
    assert stated == {"gender": "female", "age": 21.0}
    changed = recommender.known("u1", UserRequest(attributes={"gender": "male"})).attributes
    assert changed == {"gender": "male", "age": 21.0}
    assert attribute_names(stated) == ["gender: female", "age: 20-29"]


def test_users_as_a_mapping_a_file_or_a_frame_are_the_same(
    recommender: Recommender, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert recommender.ranker
    mapping = {
        str(row["user_id"]): {name: row[name] for name in ("gender", "age")}
        for row in users().iter_rows(named=True)
    }
    file = tmp_path / "users.csv"
    users().write_csv(file)
    for told in (mapping, file):
        capsys.readouterr()
        other = fitted(tmp_path, told)
        said = capsys.readouterr().err
        assert "80 of 80 state something: gender, age; left out: 1 who liked nothing" in said
        assert other.ranker and other.ranker.attributes_known == recommender.ranker.attributes_known
        assert other.recommend([SHARED], attributes={"gender": "male"})[0].item_id in OF_MEN


def test_the_column_of_users_is_the_one_of_the_interactions_where_the_table_has_it_and_is_told(
    capsys: pytest.CaptureFixture[str],
):
    columns, known = {"user_id": "who"}, ["ann", "bob"]
    named = pl.DataFrame({"user_id": [7, 8], "who": ["ann", "bob"], "age": [20, 30]})
    assert read_attributes(named, known, columns)["ann"] == {"user_id": 7, "age": 20}
    assert "users are the column who" in capsys.readouterr().err
    other = pl.DataFrame({"user_id": ["ann", "bob"], "age": [20, 30]})
    assert read_attributes(other, known, columns)["ann"] == {"age": 20}
    assert "users are the column user_id" in capsys.readouterr().err
    wrong = pl.DataFrame({"user_id": ["ann", "bob"], "who": ["a writer", "a baker"]})
    with pytest.raises(UserError, match="column who: none of 2 users liked anything, as 'a writer'"):
        read_attributes(wrong, known, columns)
    with pytest.raises(UserError, match="users: none of 1 users liked anything, as 'zoe'"):
        read_attributes({"zoe": {"age": 20}}, known)


@pytest.mark.parametrize(
    ("stated", "message"),
    [('{"town": "Ulm"}', "knows nothing of town: Ulm"), ("{gender", "no JSON"), ("[1]", "no mapping")],
)
def test_of_a_table_it_is_said_which_row_is_refused(
    recommender: Recommender, tmp_path: Path, stated: str, message: str
):
    table = tmp_path / "users.jsonl"
    rows = [{"history": [SHARED]}, {"attributes": stated}]
    table.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(UserError, match=message) as refused:
        recommend_users(recommender, table, tmp_path / "out.parquet", RecommendOptions(1), [])
    assert refused.value.where == f"{table}: row 2"


def test_what_programs_write_for_nothing_is_not_stated_and_what_nobody_shares_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    lone = users().with_columns(
        gender=pl.when(pl.col("user_id") == "u1").then(pl.lit("NA")).otherwise("gender"),
        town=pl.concat_str(pl.lit("at "), "user_id"),
    )
    other = fitted(tmp_path, lone)
    assert other.attributes_known == fitted(tmp_path, users()).attributes_known
    assert other.known("u1", UserRequest()).attributes.keys() == {"age", "town"}
    assert "nothing is learnt from town: no two users state the same there" in capsys.readouterr().err
    with pytest.raises(UserError, match="learnt nothing") as refused:
        fitted(tmp_path, lone.select("user_id", "town"))
    assert "at least two users" in refused.value.hint


def test_what_is_not_known_is_told_and_is_not_enough_to_go_by(recommender: Recommender):
    found = recommender.recommend([SHARED], attributes={"gender": "female", "town": "Ulm", "age": 99})
    assert found.unknown_attributes == ("town: Ulm", "age: 90-99")
    assert found[0].item_id in OF_WOMEN
    with pytest.raises(UserError, match="knows nothing of town: Ulm"):
        recommender.recommend(attributes={"town": "Ulm"})
    plain = Recommender(ITEMS, fitted_plain())
    assert plain.recommend([SHARED], attributes={"gender": "male"}).unknown_attributes == ("gender: male",)


def fitted_plain() -> Any:
    return Recommender.fit(interactions(), ITEMS, ranker="ease").ranker


def test_numbers_of_any_kind_count_by_tens_and_dates_are_told_or_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    kinds = [30.5, np.int64(31), np.float32(32.5), Decimal("33.25"), "34.5"]
    told = {f"u{n}": {"age": kind, "zip": pd.NA, "gone": pd.NaT} for n, kind in enumerate(kinds)}
    found = read_attributes(told, told)
    assert [attribute_names(own) for own in found.values()] == [["age: 30-39"]] * 5
    assert json.loads(json.dumps(found)) == found
    assert "numbers count by tens: age" in capsys.readouterr().err
    born = pl.DataFrame(
        {"user": ["ann", "bob"], "born": [date(1990, 5, 17), date(1991, 6, 18)], "age": [2, 3]}
    )
    with pytest.raises(UserError, match="the attribute born is a date: 1990-05-17") as refused:
        read_attributes(born, ["ann", "bob"])
    assert "give the year" in refused.value.hint
    born.write_csv(tmp_path / "users.csv")
    read_attributes(tmp_path / "users.csv", ["ann", "bob"])
    said = capsys.readouterr().err
    assert "numbers count by tens: age; dates are learnt from where two users have the same one: born" in said
    assert "dates" not in read_and_said({"ann": {"release": "5.11.2", "phone": "2024-555"}}, capsys)


def read_and_said(told: Any, capsys: pytest.CaptureFixture[str]) -> str:
    read_attributes(told, told)
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        ({"likes": ["a", "b"]}, "the attribute likes is neither a text nor a number"),
        ("{gender", "no JSON"),
        ([1], "no mapping"),
    ],
)
def test_what_cannot_be_an_attribute_is_refused(recommender: Recommender, stated: Any, message: str):
    with pytest.raises(UserError, match=message):
        recommender.recommend_many([{"history": [SHARED], "attributes": stated}])
    if not isinstance(stated, str):
        with pytest.raises(UserError, match=message):
            recommender.recommend([SHARED], attributes=stated)


def test_a_ranker_that_learns_nothing_from_users_is_not_given_any(tmp_path: Path):
    with pytest.raises(UserError, match="ease learnt nothing from what users state"):
        fitted(tmp_path, users(), "ease")


@pytest.mark.slow
def test_among_several_the_one_that_reads_attributes_is_tried_and_taken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    found = Recommender.fit(
        interactions(), ITEMS, users=users(), ranker="chosen", folder=tmp_path, retrieval=RETRIEVAL
    )
    assert "lightfm_attributes" in capsys.readouterr().err
    for gender, own in (("female", OF_WOMEN), ("male", OF_MEN)):
        answer = found.recommend(attributes={"gender": gender}, k=4)
        assert {one.item_id for one in answer} <= {SHARED, *own}
