"""The recommender of services and notebooks, on a shelf whose right answers are known."""

from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rectune.core.errors import UserError
from rectune.core.types import Item
from rectune.rankers.base import fit_ranker
from rectune.rankers.domain_data import DomainData
from rectune.recommender.explained_ranking import RankedBy
from rectune.recommender.generative import GenerativeRecommender
from rectune.recommender.load_ranker import load_ranker
from rectune.recommender.recommender import Recommender
from rectune.recommender.results import Lacking, Recommendations
from rectune.retrieval.grounding import ground_in
from tests.recommender.shelf import FILMS, LIKES, RETRIEVAL, by_likes, by_words, films, ids
from tests.recommender.writer import Writer, from_facts

ALL = {item.item_id for item in films()}


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Recommender:
    return by_words(tmp_path_factory.mktemp("words"))


@pytest.fixture(scope="module")
def likes(tmp_path_factory: pytest.TempPathFactory) -> Recommender:
    return by_likes(tmp_path_factory.mktemp("likes"))


def with_model(folder: Path, writer: Writer, ranker: str = "") -> Recommender:
    """With a stand-in for the language model, which ranks where no ranker does."""
    settings = RETRIEVAL.model_copy(update={"grounding": "ranked" if ranker else "retrieve"})
    grounding = ground_in(films(), folder / "index", "letters", settings)
    model = GenerativeRecommender(Path("m.gguf"), grounding, settings, folder / "g.sqlite", writer)
    fitted = fit_ranker(ranker, DomainData("movies", films())) if ranker else None
    return Recommender(films(), fitted, model, lambda: grounding)


def test_titles_ids_and_numbers_name_the_same_history(words: Recommender):
    by_title = words.recommend(["Moon Landing"])
    assert ids(by_title) == ["12", "13", "14", "15", "16"]  # shares moon and space; space; nothing
    assert by_title == words.recommend(["11"]) == words.recommend([11]) == words.recommend(["moon  LANDING"])
    assert by_title.fits and by_title.not_found == () and by_title.details is None


def test_what_the_catalogue_lacks_is_reported_and_its_words_count_where_nothing_else_does(words: Recommender):
    some = words.recommend(["Yacht", "Moon Landing", " "])
    assert some.not_found == ("Yacht",) and ids(some) == ids(words.recommend(["Moon Landing"]))
    none = words.recommend(["Street of Gold"])
    assert none.not_found == ("Street of Gold",) and ids(none) == ["15"]
    other = words.recommend(["Street of Gold"], history_domain="music")
    assert other.not_found == () and ids(other) == ["15"]


def test_likes_tell_what_goes_together_and_users_are_known(likes: Recommender):
    found = likes.recommend(["Moon Landing"], k=3)
    assert ids(found) == ["13", "12", "14"]
    assert [item.score for item in found] == pytest.approx([1.0, 2 / 6**0.5, 0.0])
    assert sorted(likes.users) == ["ann", "bob", "cay", "dan", "eve"]
    assert ids(likes.recommend(user="ann", k=1)) == ["12"]
    assert likes.recommend(user="dan") == likes.recommend(["14", "15"])  # oldest first
    assert {"11", "12", "13"}.isdisjoint(ids(likes.recommend(user="bob", k=9)))


def test_exclude_and_where_leave_out(words: Recommender):
    assert ids(words.recommend(["11"], exclude=["12"])) == ["13", "14", "15", "16"]
    assert ids(words.recommend(["11"], where={"category": "Cooking"})) == ["14", "15"]
    assert ids(words.recommend(["11"], where={"year": (1999, None), "maker": "Oven"}, k=1)) == ["14"]
    assert ids(words.recommend(["11"], where={"maker": "Orbit"}, exclude=["12"])) == []
    assert ids(words.recommend(query="bread", where={"year": 2010})) == ["15"]


@pytest.mark.parametrize(("explain", "reasons"), [(True, 3), (False, 0), (2, 2), (0, 0), (9, 3)])
def test_as_many_reasons_as_are_asked_for(words: Recommender, explain, reasons: int):
    found = words.recommend(["Moon Landing"], k=3, explain=explain)
    assert [item.reason_by for item in found] == ["template"] * reasons + [None] * (3 - reasons)
    assert all(bool(item.reason) == (item.reason_by is not None) for item in found)
    if reasons:
        said = 'You liked "Moon Landing". "Moon War" is a film of the same kind: Space. '
        assert found[0].reason == said + "It is from 1995 by Orbit, and listed under War too."


def test_a_query_is_looked_up_by_words(words: Recommender):
    found = words.recommend(query="a bread in the street")
    assert ids(found) == ["15", "14"]  # the others share no word with it
    assert found[0].evidence.text == "has your words: bread, street" and found[0].evidence.kind == "query"
    assert found.ranking.by == (RankedBy("words", 1.0, "bm25"),) and found.nearness is None
    assert found[0].reason.startswith('You asked for "a bread in the street".')
    assert ids(words.recommend(query="submarine")) == []


def test_a_query_is_looked_up_in_the_index(likes: Recommender):
    found = likes.recommend(query="harbour", k=6)
    assert found[0].item_id == "16" and set(ids(found)) == ALL
    assert found.ranking.by == (RankedBy("words", 1.0, "index"),) and found.fits
    assert ids(likes.recommend(query="harbour", k=6, where={"category": "Space"}, exclude=["11"])) in (
        ["12", "13"],
        ["13", "12"],
    )


def test_history_and_query_are_fused_by_their_ranks(words: Recommender):
    found = words.recommend(["Moon Landing"], query="bread")
    # By history 12, 13, 14, 15, 16; by the query 14, 15.
    assert ids(found) == ["14", "15", "12", "13", "16"]
    expected = [1 / 63 + 1 / 61, 1 / 64 + 1 / 62, 1 / 61, 1 / 62, 1 / 65]
    assert [item.score for item in found] == pytest.approx(expected)
    assert found.ranking.by == (RankedBy("history", None, "bm25"), RankedBy("words", None, "bm25"))


def test_an_answer_is_a_sequence_and_a_table(words: Recommender):
    found = words.recommend(["Moon Landing"], k=2, explain=1)
    assert len(found) == 2 and found[1] == list(found)[1]
    table = found.to_frame()
    assert table["rank"].to_list() == [1, 2] and table["item_id"].to_list() == ids(found)
    assert table["reason_by"].to_list() == ["template", None]
    assert words.recommend(query="submarine").to_frame().columns == table.columns


def dicts(columns: dict[str, list[object]]) -> list[dict[str, object]]:
    return pl.DataFrame(columns).to_dicts()


@pytest.mark.parametrize("make", [pl.DataFrame, pd.DataFrame, dicts])
def test_a_table_of_requests_gets_a_table_of_items(likes: Recommender, make):
    asked = {
        "user": ["ann", None, None],
        "history": [None, ["Moon Landing", "Yacht"], None],
        "query": [None, None, "harbour"],
    }
    found = likes.recommend_many(make(asked), k=2, explain=1)
    assert isinstance(found, pl.DataFrame)
    assert found["request"].to_list() == [0, 0, 1, 1, 2, 2] and found["rank"].to_list() == [1, 2] * 3
    assert found["user"].to_list() == ["ann", "ann", None, None, None, None]
    requests = [{"user": "ann"}, {"history": ["11"]}, {"query": "harbour"}]
    alone = [likes.recommend(k=2, **request) for request in requests]
    assert found["item_id"].to_list() == [one for answer in alone for one in ids(answer)]
    assert found["reason"].str.len_chars().gt(0).to_list() == [True, False] * 3


def test_of_many_requests_it_is_said_what_the_catalogue_lacks(
    likes: Recommender, capsys: pytest.CaptureFixture[str]
):
    asked = [{"history": ["Yacht", "Moon Landing"]}, {"history": ["Yacht"]}, {"query": "qqq"}]
    capsys.readouterr()
    likes.recommend_many(asked, k=1)
    assert "not in the catalogue, of 2 of 3 requests: Yacht (2)" in capsys.readouterr().err
    lacking = Lacking()
    lacking.add([Recommendations((), fits=False), Recommendations(())])
    lacking.say()
    assert "nothing in the catalogue fits 1 of 2 requests" in capsys.readouterr().err


def test_users_may_be_numbers_and_no_requests_are_no_rows(tmp_path: Path):
    numbered = LIKES.with_columns(user=pl.col("user").rank("dense").cast(pl.Int64))
    found = by_likes(tmp_path, numbered)
    table = found.recommend_many(pl.DataFrame({"user": [1, 4]}), k=1)
    assert table.select("user", "item_id").rows() == [("1", "12"), ("4", "11")]
    assert found.recommend(user=1) == found.recommend(user="1") == found.recommend(user=1.0)
    gaps = pd.DataFrame({"user": [1, None], "history": [None, ["11"]]})  # numbers with fractions
    assert found.recommend_many(gaps, k=1)["user"].to_list() == ["1", None]
    assert found.recommend([11.0], k=1) == found.recommend(["11"], k=1)
    assert found.recommend_many([]).height == 0
    assert found.recommend_many([{"history": ["11"]}]).columns[:2] == ["request", "rank"]


def test_ratings_count_as_liked_from_the_threshold_on(tmp_path: Path):
    rated = LIKES.with_columns(rating=pl.when(pl.col("movie_id") == 12).then(2.0).otherwise(5.0))
    with pytest.raises(UserError, match="values of interactions go from 2 to 5"):
        by_likes(tmp_path, rated)
    found = by_likes(tmp_path, rated.to_pandas(), positive_threshold=4)
    assert [item.score for item in found.recommend(["11"], k=2)] == pytest.approx([1.0, 0.0])
    assert "12" in ids(found.recommend(user="bob"))  # rated low: not in the history
    with pytest.raises(UserError, match="the column movie_id has values of several types"):
        by_likes(tmp_path, rated.to_pandas().astype({"movie_id": object}).replace({"movie_id": {12: "x"}}))
    renamed, columns = rated.rename({"user": "who"}), {"user_id": "who"}
    named = by_likes(tmp_path, renamed, columns=columns, positive_threshold=1)
    assert named.recommend(["11"]) == by_likes(tmp_path).recommend(["11"])


def test_what_has_no_value_or_no_time_is_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    first = pl.int_range(pl.len()) == 0
    valued = LIKES.with_columns(rating=pl.when(~first).then(1.0))
    by_likes(tmp_path, valued)
    assert "1  interaction without a value" in capsys.readouterr().err
    by_likes(tmp_path, LIKES.with_columns(timestamp=pl.when(~first).then("timestamp")))
    assert f"1 of {LIKES.height} likes have no time: no times count" in capsys.readouterr().err


def test_what_was_rated_low_and_high_is_said_to_count_as_liked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    rated = LIKES.with_columns(rating=pl.lit(5.0))
    again = rated.head(2).with_columns(rating=pl.lit(1.0), timestamp=pl.col("timestamp") + 1000)
    by_likes(tmp_path, pl.concat([rated, again]), positive_threshold=4)
    assert "2 pairs of user and item have values below 4 and others" in capsys.readouterr().err
    by_likes(tmp_path, pl.concat([rated, rated.head(2)]), positive_threshold=4)
    assert "pairs of user" not in capsys.readouterr().err


def test_the_model_answers_and_its_answer_is_grounded(tmp_path: Path):
    writer = Writer("Bread is good.\nMy recommendation: Bread Street", from_facts)
    found = with_model(tmp_path, writer).recommend(["Moon Landing", "Yacht"], k=3, explain=2)
    assert found[0].title == "Bread Street" and found[0].evidence.text == "Bread Street" and len(found) == 3
    assert found[0].reason.endswith("will enjoy this for its Cooking and 2010 and maker Oven.")
    assert [item.reason_by for item in found] == ["model", "model", None]
    assert found.not_found == ("Yacht",) and found.details is not None
    assert found.details.draft == writer.draft
    assert "Moon Landing; Yacht" in writer.asked[0].messages[1][1]


def test_the_models_answer_keeps_to_the_conditions(tmp_path: Path):
    recommender = with_model(tmp_path, Writer("My recommendation: Bread Street"))
    assert "15" not in ids(recommender.recommend(["11"], exclude=["15"], k=9))
    assert set(ids(recommender.recommend(["11"], where={"category": "Space"}, k=9))) == {"12", "13"}
    quiet = recommender.recommend(["11"], explain=False)
    assert {item.reason_by for item in quiet} == {None} and quiet[0].item_id == "15"


def test_a_ranker_ranks_and_the_model_words_the_reasons(tmp_path: Path):
    writer = Writer("My recommendation: Bread Street", from_facts)
    found = with_model(tmp_path, writer, "bm25").recommend(["Moon Landing"], k=2)
    assert ids(found) == ["12", "13"] and {item.reason_by for item in found} == {"model"}
    assert all(request.prefill for request in writer.asked)  # no draft was asked for
    silent = with_model(tmp_path, Writer("", ""), "bm25").recommend(["Moon Landing"], k=2)
    assert {item.reason_by for item in silent} == {"template"}


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({}, "nothing to go by"),
        ({"history": ["  "], "query": "\n"}, "nothing to go by"),
        ({"history": "Moon Landing"}, "the history is one text"),
        ({"history": {"Moon Landing", "11"}}, "the history is a set"),
        ({"user": "zoe"}, "the user 'zoe' is not known: 5 are known"),
        ({"history": ["11", None]}, "a place without title or id"),
        ({"history": ["11", float("nan")]}, "a place without title or id"),
        ({"query": 5}, "the query is 5"),
        ({"history": ["11"], "k": 0}, "k is 0"),
        ({"history": ["11"], "explain": -1}, "explain is -1"),
        ({"history": ["11"], "exclude": "12"}, "exclude is one text"),
        ({"history": ["11"], "where": {"category": "Western"}}, "no item has category Western"),
        ({"history": 11}, "the history is 11"),
        ({"history": {"11": 5}}, "the history is {'11': 5}"),
        ({"history": ["11"], "history_domain": 5}, "history_domain is 5"),
        ({"history": ["11"], "attributes": ["female"]}, "attributes of a user that are no mapping"),
    ],
)
def test_a_request_that_cannot_be_answered_is_refused(likes: Recommender, request_, said: str):
    with pytest.raises(UserError, match=said) as refused:
        likes.recommend(**request_)
    assert refused.value.hint


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"k": "5"}, "k is '5'"),
        ({"k": 2.5}, "k is 2.5"),
        ({"k": None}, "k is None"),
        ({"k": True}, "k is True"),
        ({"explain": "yes"}, "explain is 'yes'"),
        ({"explain": None}, "explain is None"),
        ({"explain": 1.5}, "explain is 1.5"),
        ({"explore": "0.2"}, "explore is '0.2'"),
        ({"explore": float("nan")}, "explore is nan"),
        ({"exclude": 12}, "exclude is 12"),
        ({"exclude": iter(["12"])}, "exclude is <list_iterator"),
        ({"within": 12}, "within is 12"),
        ({"where": "Crime"}, "where is 'Crime'"),
        ({"at_most": "2", "per": "category"}, "at_most is '2'"),
        ({"at_most": 2, "per": 5}, "per is 5"),
    ],
)
def test_an_option_of_another_type_is_refused_with_what_is_expected(likes: Recommender, given, said: str):
    for answer in (
        lambda: likes.recommend(["11"], **given),
        lambda: likes.recommend_many([{"history": ["11"]}], **given),
    ):
        with pytest.raises(UserError, match=said) as refused:
            answer()
        assert refused.value.hint.startswith("give ")
    with pytest.raises(UserError, match="explain_ranking is 'yes'"):
        likes.recommend(["11"], explain_ranking="yes")


def test_numbers_of_arrays_count_as_numbers_and_histories_of_any_kind_as_lists(likes: Recommender):
    plain = likes.recommend(["11", "12"], k=2, explain=1, exclude=["13"])
    assert (
        likes.recommend(np.array(["11", "12"]), k=np.int64(2), explain=np.int64(1), exclude=pl.Series([13]))
        == plain
    )
    assert likes.recommend((one for one in ["11", "12"]), k=2, explain=1, exclude=["13"]) == plain
    assert likes.recommend(["11", "12"], k=2, explain=1, exclude=[13.0]) == plain  # a column with gaps
    assert "13" not in ids(plain) and "13" in ids(likes.recommend(["11", "12"], k=5))
    some = likes.recommend(["11"], k=2, explain=np.bool_(True))
    assert all(item.reason for item in some) and some == likes.recommend(["11"], k=2)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"positive_threshold": "4"}, "positive_threshold is '4'"),
        ({"positive_threshold": float("nan")}, "positive_threshold is nan"),
        ({"positive_threshold": True}, "positive_threshold is True"),
        ({"columns": "reader"}, "columns is 'reader'"),
        ({"columns": {"user_id": 0}}, "columns holds 0"),
        ({"options": {"domain": "movies"}}, "options is {'domain': 'movies'}"),
        ({"retrieval": {"embedder": "letters"}}, "retrieval is {'embedder': 'letters'}"),
        ({"ranker": None}, "ranker is None"),
        ({"ranker": 5}, "ranker is 5"),
        ({"folder": 5}, "folder is 5"),
        ({"runs": 5}, "runs is 5"),
        ({"users": 5}, "this is no table"),
        ({"users": {"ann": 34}}, "attributes of a user that are no mapping"),
    ],
)
def test_what_fitting_cannot_use_is_refused_with_what_is_expected(tmp_path: Path, given, said: str):
    usual = {"ranker": "popularity", "retrieval": RETRIEVAL, "folder": tmp_path}
    with pytest.raises(UserError, match=said) as refused:
        Recommender.fit(LIKES, FILMS, **(usual | given))
    assert refused.value.hint


def test_what_is_fitted_already_is_not_taken_for_a_name(tmp_path: Path):
    fitted = fit_ranker("random", DomainData("movies", films()))
    with pytest.raises(UserError, match="ranker is") as refused:
        Recommender.fit(LIKES, FILMS, ranker=fitted, folder=tmp_path)
    assert "from_catalogue" in refused.value.hint


@pytest.mark.parametrize(
    ("requests", "said"),
    [
        (3, "the requests are no table"),
        ([{"name": "x"}], "no column user, history, query or attributes among: name"),
        ([{"history": "Moon Landing"}], "the history of request 0 is one text"),
        ([{"query": "bread"}, {"query": ""}], "request 1 has nothing to go by"),
        ([{"query": "bread"}, {"user": "", "query": float("nan")}], "request 1 has nothing to go by"),
        ([{"history": 11}], "the history of request 0 is 11"),
        (pd.DataFrame({"user": [1, "ann"]}), "the column user has values of several types"),
        ([{"user": "zoe"}], "the user 'zoe' is not known"),
    ],
)
def test_a_table_that_cannot_be_answered_is_refused(likes: Recommender, requests, said: str):
    with pytest.raises(UserError, match=said) as refused:
        likes.recommend_many(requests)
    assert refused.value.hint


def test_a_user_is_unknown_where_no_interactions_were_given(words: Recommender):
    assert list(words.users) == []
    with pytest.raises(UserError, match="no interactions were given"):
        words.recommend(user="ann")


@pytest.mark.parametrize(
    ("items", "said"),
    [
        ([], "holds no items"),
        ([Item("movies", "1", "A"), Item("books", "2", "B")], "several domains: books, movies"),
        ([Item("movies", "1", "A"), Item("movies", "1", "B")], "an id twice"),
    ],
)
def test_a_catalogue_that_would_mix_items_up_is_refused(items, said: str):
    with pytest.raises(UserError, match=said) as refused:
        Recommender.from_catalogue(items, model=None, ranker="bm25")
    assert refused.value.hint


def test_an_id_twice_is_refused_before_anything_is_fitted():
    for fit in (
        lambda: Recommender.fit(LIKES, [*films(), films()[0]]),
        lambda: load_ranker("bm25", films() * 2),
    ):
        with pytest.raises(UserError, match="holds an id twice: 11"):
            fit()


def test_parts_that_cannot_answer_are_refused(tmp_path: Path):
    with pytest.raises(UserError, match="nothing that ranks"):
        Recommender(films())
    for ranker, said in (("bm52", "there is no ranker bm52"), ("item_knn", "needs interactions")):
        with pytest.raises(UserError, match=said):
            Recommender.from_catalogue(FILMS, model=None, ranker=ranker, folder=tmp_path)
    with pytest.raises(UserError, match=r"absent\.gguf"):
        Recommender.from_catalogue(FILMS, model="absent.gguf", retrieval=RETRIEVAL, folder=tmp_path)
    without_index = Recommender(films(), fit_ranker("random", DomainData("movies", films())))
    with pytest.raises(UserError, match="need the index"):
        without_index.recommend(query="bread")


@given(
    history=st.lists(st.sampled_from(sorted(ALL)), max_size=4),
    query=st.sampled_from(["", "bread", "space war", "submarine"]),
    exclude=st.sets(st.sampled_from(sorted(ALL)), max_size=3),
    k=st.integers(1, 8),
)
def test_whatever_is_asked_only_what_is_allowed_goes_out_once_and_best_first(
    words: Recommender, history, query: str, exclude, k: int
):
    if not history and not query:
        return
    found = words.recommend(history, query, k, exclude=exclude, explain=False)
    assert set(ids(found)) <= ALL - set(history) - exclude and len(set(ids(found))) == len(found) <= k
    assert [item.score for item in found] == sorted((item.score for item in found), reverse=True)
    if history:
        assert len(found) == min(k, len(ALL - set(history) - exclude))
    table = words.recommend_many([{"history": history, "query": query}], k, exclude=exclude)
    assert table["item_id"].to_list() == ids(found)


def test_what_a_query_likens_something_to_is_a_history(words: Recommender):
    found = words.recommend(query="films like Moon Landing", k=2)
    assert ids(found) == ids(words.recommend(["Moon Landing"], k=2)) and found.history == ("Moon Landing",)
    assert "Moon Landing" not in [item.title for item in found]
