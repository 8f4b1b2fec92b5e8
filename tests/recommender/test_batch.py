"""Recommendations for a table of users: a row an item, made in parts, gone on with after an interruption."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

from rectune.core.errors import UserError
from rectune.core.figures.fit import RankerWeights
from rectune.core.types import Item
from rectune.rankers.choice import ChoiceOptions
from rectune.rankers.chosen import ChosenRanker
from rectune.rankers.domain_data import DomainData
from rectune.recommender import batch
from rectune.recommender.batch import recommend_users
from rectune.recommender.options import RecommendOptions
from rectune.recommender.recommender import Recommender
from rectune.recommender.requests import UserRequest
from rectune.recommender.results import Recommendations
from rectune.recommender.tables import likes_of

ITEMS = [
    Item("other", "a", "Red apple"),
    Item("other", "b", "Red car"),
    Item("other", "c", "Blue sky; over the sea"),
    Item("other", "d", "Blue car"),
]
LIKES = pl.DataFrame({"user": ["u1", "u1", "u2", "u2"], "item_id": ["a", "b", "a", "c"]})
OPTIONS = RecommendOptions(2, explain=0)


class Counting(Recommender):
    """A recommender that counts what it was asked, and dies when it is told to."""

    asked = 0
    dies_after = 10**9

    def recommend_all(
        self, requests: Sequence[UserRequest], options: RecommendOptions
    ) -> list[Recommendations]:
        if self.asked + len(requests) > self.dies_after:
            raise KeyboardInterrupt
        self.asked += len(requests)
        return super().recommend_all(requests, options)


@pytest.fixture
def recommender() -> Counting:
    found = Counting.fit(LIKES, ITEMS, ranker="bm25")
    assert isinstance(found, Counting)
    return found


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_every_row_gets_its_items_in_order(recommender: Counting, tmp_path: Path) -> None:
    users = write(
        tmp_path / "users.csv", 'user,history,query\nu1,,\n,Blue sky; over the sea,\n,,"red, or so"\n'
    )
    assert recommend_users(recommender, users, tmp_path / "top.parquet", OPTIONS, ["x"]) == 3
    found = pl.read_parquet(tmp_path / "top.parquet")
    assert found.select("request", "user", "rank", "item_id").rows() == [
        (0, "u1", 1, "d"), (0, "u1", 2, "c"), (1, None, 1, "d"), (1, None, 2, "a"),
        (2, None, 1, "a"), (2, None, 2, "b"),
    ]  # fmt: skip
    assert found["query"].unique().sort().to_list() == ["", "red, or so"]
    assert found["history"].to_list()[2] == "Blue sky; over the sea"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("top")] == ["top.parquet"]


def test_titles_that_the_catalogue_lacks_are_counted(
    recommender: Counting, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    users = write(tmp_path / "users.csv", "history\nRed car; Green boat\nRed car\n")
    recommend_users(recommender, users, tmp_path / "top.parquet", OPTIONS, ["x"])
    assert "not in the catalogue, of 1 of 2 requests: Green boat (1)" in capsys.readouterr().err


def test_what_was_answered_before_an_interruption_is_not_asked_again(
    recommender: Counting, tmp_path: Path
) -> None:
    rows = 2 * batch.PART + 10
    users = tmp_path / "users.parquet"
    pl.DataFrame({"query": ["red", "blue"] * (rows // 2)}).write_parquet(users)
    recommender.dies_after = batch.PART
    with pytest.raises(KeyboardInterrupt):
        recommend_users(recommender, users, tmp_path / "top.parquet", OPTIONS, ["x"])
    again = Counting.fit(LIKES, ITEMS, ranker="bm25")
    assert recommend_users(again, users, tmp_path / "top.parquet", OPTIONS, ["x"]) == rows
    assert isinstance(again, Counting) and again.asked == rows - batch.PART
    found = pl.read_parquet(tmp_path / "top.parquet")
    assert found["request"].unique().sort().to_list() == list(range(rows))
    other = Counting.fit(LIKES, ITEMS, ranker="bm25")
    recommend_users(other, users, tmp_path / "top.parquet", OPTIONS, ["another model"])
    assert isinstance(other, Counting) and other.asked == rows


def test_parts_of_another_catalogue_are_not_taken_for_this_ones(tmp_path: Path) -> None:
    users = tmp_path / "users.parquet"
    pl.DataFrame({"query": ["red"] * (batch.PART + 1)}).write_parquet(users)
    first = Counting.from_catalogue(ITEMS, model=None, ranker="bm25")
    assert isinstance(first, Counting)
    first.dies_after = batch.PART
    with pytest.raises(KeyboardInterrupt):
        recommend_users(first, users, tmp_path / "top.parquet", OPTIONS, ["x"])
    other = Counting.from_catalogue([*ITEMS, Item("other", "e", "Red")], model=None, ranker="bm25")
    recommend_users(other, users, tmp_path / "top.parquet", OPTIONS, ["x"])
    assert isinstance(other, Counting) and other.asked == batch.PART + 1
    found = pl.read_parquet(tmp_path / "top.parquet").filter(pl.col("rank") == 1)
    assert found["item_id"].unique().to_list() == ["e"]


def by_choice(popular: bool = False) -> Counting:
    """What was chosen ranks: of too few users BM25, or popularity, as if that had been chosen."""
    ids = [item.item_id for item in ITEMS]
    likes = likes_of(LIKES.rename({"user": "user_id"}), ids)
    ranker = ChosenRanker().fit_with(
        DomainData("other", ITEMS, lambda: likes), ChoiceOptions(["popularity", "bm25"])
    )
    if popular:
        weights = RankerWeights(weights={"popularity": 1.0}, half_likes=0.0)
        every = ranker.choice.histories.items()
        histories = {length: one.model_copy(update={"chosen": weights}) for length, one in every}
        ranker.choice = ranker.choice.model_copy(update={"histories": histories})
    found = Counting.from_catalogue(ITEMS, model=None, ranker=ranker)
    assert isinstance(found, Counting)
    return found


def test_parts_of_another_choice_or_other_options_are_not_taken_for_this_ones(tmp_path: Path) -> None:
    users, output = tmp_path / "users.parquet", tmp_path / "top.parquet"
    pl.DataFrame({"history": ["Red apple"] * (batch.PART + 1)}).write_parquet(users)
    others = [RecommendOptions(2, explain=0, explore=0.5), RecommendOptions(2, explain=0, within=["b", "c"])]
    left = {"same": (by_choice(), OPTIONS), "choice": (by_choice(popular=True), OPTIONS)}
    left |= {str(number): (by_choice(), options) for number, options in enumerate(others)}
    for name, (recommender, options) in left.items():
        dying = by_choice()
        dying.dies_after = batch.PART
        with pytest.raises(KeyboardInterrupt):
            recommend_users(dying, users, output, OPTIONS, ["x"])
        assert recommend_users(recommender, users, output, options, ["x"]) == batch.PART + 1
        assert recommender.asked == (1 if name == "same" else batch.PART + 1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name\nx\n", "no column user, history, query"),
        ("user,query\nu1,\nnobody,\n", "nobody is not known"),
        ("user,query,more\n,,1\nu1,x,2\n", "nothing to go by"),
    ],
)
def test_a_table_that_cannot_be_answered_is_refused_before_anything(
    recommender: Counting, tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(UserError, match=said):
        recommend_users(
            recommender, write(tmp_path / "users.csv", text), tmp_path / "top.parquet", OPTIONS, ["x"]
        )
    assert recommender.asked == 0 and not (tmp_path / "top.parquet").exists()


def test_a_folder_of_somebody_elses_is_left_alone(recommender: Counting, tmp_path: Path) -> None:
    write(tmp_path / "users.csv", "query\nred\n")
    (tmp_path / "top.parquet.parts").mkdir()
    (tmp_path / "top.parquet.parts" / "mine").touch()
    with pytest.raises(UserError, match="in the way"):
        recommend_users(recommender, tmp_path / "users.csv", tmp_path / "top.parquet", OPTIONS, ["x"])
    assert (tmp_path / "top.parquet.parts" / "mine").is_file()
