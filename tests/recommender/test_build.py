"""What a recommender is made of: catalogues and interactions as files and frames, rankers, runs."""

from dataclasses import replace

import pandas as pd
import polars as pl
import pytest

from rectune.core.artifacts import MANIFEST, ArtifactStore
from rectune.core.errors import UserError
from rectune.core.types import Item
from rectune.models.reference import gguf_file
from rectune.rankers.base import fit_ranker
from rectune.rankers.domain_data import DomainData
from rectune.rankers.item_knn import ItemKnn
from rectune.recommender.load_ranker import load_ranker
from rectune.recommender.model_check import VERDICTS, ModelVerdict, keep_verdict
from rectune.recommender.recommender import Recommender
from rectune.recommender.tables import as_file, items_of, likes_of, read_catalogue, read_likes
from tests.rankers.world import items, write_world
from tests.recommender.shelf import FILMS, LIKES, OPTIONS, RETRIEVAL, by_words, films, ids
from tests.recommender.writer import Writer, from_facts

IDS = [item.item_id for item in films()]


def test_a_catalogue_is_the_same_from_a_file_a_frame_and_a_list(tmp_path):
    FILMS.write_csv(tmp_path / "films.csv")
    FILMS.write_parquet(tmp_path / "films.parquet")
    given = [tmp_path / "films.csv", str(tmp_path / "films.parquet"), FILMS, FILMS.to_pandas(), films()]
    assert all(items_of(one, OPTIONS) == films() for one in given)
    answers = [by_words(tmp_path / "index", one).recommend(["Moon Landing"]) for one in given]
    assert all(answer == answers[0] for answer in answers) and ids(answers[0])[0] == "12"


def test_what_was_read_as_what_and_what_was_left_out_is_told(capsys):
    nameless = pl.concat([FILMS, FILMS.head(1), pl.DataFrame({"movie_id": [9]})], how="diagonal")
    read = read_catalogue(nameless, OPTIONS)
    assert read.columns.taken["categories"] == "genres" and len(read.items) == 6
    assert read.drops.counts == {"item id seen before": 1, "item without a title": 1}
    items_of(nameless, OPTIONS)
    assert "genres as categories" in (said := capsys.readouterr().err) and "item without a title" in said


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("absent.csv", "no such file"),
        (3, "this is no table"),
        (pl.DataFrame({"x": [1]}), "the frame: no column looks like title"),
        (FILMS.head(0), "the frame: holds no rows"),
        ([{"title": "Moon"}], "other things than items"),
        (FILMS.lazy(), "this is no table"),
    ],
)
def test_what_is_no_catalogue_is_refused(given, said):
    with pytest.raises(UserError, match=said) as refused:
        items_of(given)
    assert refused.value.hint and "/rectune-" not in str(refused.value)


def test_a_frame_is_a_file_only_as_long_as_it_is_read(tmp_path):
    with as_file(FILMS.to_pandas()) as path:
        assert pl.read_parquet(path)["title"].to_list() == FILMS["title"].to_list()
    assert not path.exists()
    with as_file(tmp_path / "x.csv") as path:
        assert path == tmp_path / "x.csv"


def test_likes_are_told_from_other_interactions_oldest_first(capsys):
    rated = pl.DataFrame(
        {
            "customer": ["a", "a", "a", "b", None, "b"],
            "movie_id": [11, 12, 13, 14, 11, 99],
            "stars": [5.0, 2.0, 4.0, None, 5.0, 5.0],
            "timestamp": ["2024-01-03", "2024-01-01", "2024-01-02", "2024-01-01", "2024-01-01", "2024-01-01"],
        }
    )
    liked = read_likes(rated, IDS, positive_threshold=4)
    assert liked.drop("timestamp").rows() == [("a", "13"), ("a", "11")]
    assert liked["timestamp"].to_list() == [1_704_153_600_000, 1_704_240_000_000]
    said = capsys.readouterr().err
    assert "1  interaction without a user" in said and "1  interaction with an unknown item" in said
    with pytest.raises(UserError, match="values of interactions go from 2 to 5") as refused:
        read_likes(rated, IDS)
    assert "positive_threshold" in refused.value.hint
    assert read_likes(rated.drop("stars"), IDS).height == 4
    only_fives = rated.filter(pl.col("stars").is_null() | (pl.col("stars") == 5))
    assert read_likes(only_fives, IDS).drop("timestamp").rows() == [
        ("a", "11")
    ]  # no value is no like, and no other value


class Shrunk(ItemKnn):
    """With an argument of its own, as the docstring of `load_ranker` says."""

    def __init__(self) -> None:
        super().__init__(shrinkage=10.0)


def test_a_ranker_is_given_arguments_by_a_class_of_ones_own(tmp_path):
    asked = [["11"]], [["12", "13"]]
    (plain,) = load_ranker("item_knn", films(), LIKES).score(*asked)
    likes = likes_of(read_likes(LIKES, IDS), IDS)
    data = DomainData("movies", films(), lambda: likes)
    (expected,) = fit_ranker("item_knn", data, {"shrinkage": 10.0}).score(*asked)
    assert (expected < plain).all()  # few users are less sure
    name = f"{__name__}:Shrunk"
    fitted = Recommender.fit(LIKES, FILMS, ranker=name, retrieval=RETRIEVAL, folder=tmp_path).ranker
    assert fitted is not None
    for ranker in (load_ranker(name, films(), LIKES), fitted):
        assert ranker.score(*asked)[0].tolist() == expected.tolist()


def test_a_ranker_that_is_not_fitted_ranks_nothing_and_is_refused(tmp_path):
    with pytest.raises(UserError, match="the ranker item_knn is not fitted"):
        Recommender.from_catalogue(films(), model=None, ranker=ItemKnn(last=0), folder=tmp_path)
    with pytest.raises(UserError, match="ranker is") as refused:
        Recommender.fit(LIKES, FILMS, ranker=ItemKnn(last=0), folder=tmp_path)
    assert "module:Class" in refused.value.hint


def test_columns_may_be_named():
    odd = LIKES.rename({"user": "who", "movie_id": "what"})
    columns = {"user_id": "who", "item_id": "what"}
    assert read_likes(odd, IDS, columns=columns).equals(read_likes(LIKES, IDS))
    with pytest.raises(UserError, match="those of the interactions, which have no title") as refused:
        read_likes(odd, IDS, columns=columns | {"title": "name"})
    assert "options=CatalogueOptions(columns={'title': …})" in refused.value.hint
    with pytest.raises(UserError, match="the column map of the frame: unknown field user"):
        read_likes(odd, IDS, columns={"user": "who"})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (LIKES.head(0), "there are no interactions"),
        (pl.DataFrame({"x": [1]}), "the frame: no column looks like user_id"),
        (LIKES.with_columns(movie_id=pl.lit(99)), "no interaction counts as liked"),
        ({"user": ["a"]}, "this is no table"),
    ],
)
def test_what_holds_no_likes_is_refused(given, said):
    with pytest.raises(UserError, match=said):
        read_likes(given, IDS)


def test_a_ranker_alone_scores_and_is_the_same_when_it_comes_back(tmp_path):
    ranker = load_ranker("item_knn", films(), LIKES)
    (scores,) = ranker.score([["11"]], [["12", "13", "14"]])
    assert scores.tolist() == pytest.approx([2 / 6**0.5, 1.0, 0.0])
    assert ids(ranker.top([["11"]], 2)[0]) == ["13", "12"]
    ranker.save(tmp_path / "saved")
    again = load_ranker(tmp_path / "saved")
    assert again.score([["11"]], [["12", "13", "14"]])[0].tolist() == scores.tolist()
    assert again.top([["11"]], 2) == ranker.top([["11"]], 2)


def test_a_ranker_by_words_takes_files_and_frames(tmp_path):
    FILMS.write_csv(tmp_path / "films.csv")
    tops = [load_ranker("bm25", one).top([["14"]], 1)[0] for one in (FILMS, tmp_path / "films.csv", films())]
    assert tops[0] == tops[1] == tops[2] and ids(tops[0]) == ["15"]


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("bm52", films(), "there is no ranker bm52"),
        ("item_knn", films(), "the ranker item_knn needs interactions"),
        ("popularity", films(), "the ranker popularity needs interactions"),
        ("bm25", None, "bm25 is fitted on items, and none are given"),
        ("absent", None, "holds no saved ranker"),
        ("pathlib:Path", films(), "is no ranker"),
        ("no_such_module:Mine", films(), "cannot be imported"),
    ],
)
def test_a_ranker_that_cannot_be_is_refused(name, given, said):
    with pytest.raises(UserError, match=said) as refused:
        load_ranker(name, given)
    assert refused.value.hint


@pytest.fixture
def runs(tmp_path):
    """A store whose recipe `tiny` has come as far as its data."""
    inputs = write_world(tmp_path / "made")
    store = ArtifactStore(tmp_path / "runs")
    folder = store.folder("data", "0123")
    folder.parent.mkdir(parents=True)
    inputs["data"].rename(folder)
    (folder / MANIFEST).write_text('{"files": {}}')
    store.link("tiny", "data", "0123")
    return tmp_path / "runs"


def test_a_run_gives_its_items_and_the_histories_of_its_users(runs):
    found = Recommender.from_run(
        "tiny", "movies", ranker="item_knn", model=None, runs=runs, retrieval=RETRIEVAL
    )
    assert list(found.items.values()) == items("movies") and found.domain == "movies"
    assert sorted(found.users) == ["test0", "test1", "train0", "train1", "train2"]
    # train0 liked the five first films of the space; what goes with them is the fifth, for whoever lacks it.
    assert ids(found.recommend(["m0"], k=1, explain=False)) == ["m1"]
    assert ids(found.recommend(user="train1", k=3, explain=False))
    assert "m7" not in ids(found.recommend(user="train1", k=12, explain=False))
    # 8 was disliked by one and never rated by the other, so it is in no history.
    assert "m8" in ids(found.recommend(user="train2", k=12, explain=False))


@pytest.mark.parametrize(
    ("recipe", "more", "said"),
    [
        ("tiny", {"model": None}, "which catalogue"),
        ("tiny", {"domain": "music", "model": None}, "no domain 'music'"),
        ("demo", {"model": None}, "the recipe demo has no finished data"),
        ("tiny", {"domain": "movies"}, "the recipe tiny has no finished export"),
    ],
)
def test_a_run_that_has_not_come_that_far_is_refused(runs, recipe, more, said):
    with pytest.raises(UserError, match=said) as refused:
        Recommender.from_run(recipe, runs=runs, retrieval=RETRIEVAL, **more)
    assert refused.value.hint


def test_pandas_is_read_as_polars_is():
    likes = pd.DataFrame(LIKES.to_dict(as_series=False))
    assert read_likes(likes, IDS).equals(read_likes(LIKES, IDS))
    assert read_catalogue(FILMS.to_pandas()).items == read_catalogue(FILMS).items
    assert isinstance(read_catalogue(FILMS).items[0], Item)


@pytest.mark.parametrize(("passed", "by"), [(5, "model"), (3, "template")])
def test_a_recommender_knows_what_was_found_of_its_model(tmp_path, passed, by):
    model, asked = gguf_file("embedded"), {"en": 5, "ko": 5}
    verdict = ModelVerdict({"en": passed, "ko": 5}, asked)
    keep_verdict(tmp_path / VERDICTS, ArtifactStore(tmp_path).digest(model), verdict)
    given = {"model": model, "ranker": "bm25", "options": OPTIONS, "folder": tmp_path, "runs": tmp_path}
    made = [
        Recommender.from_catalogue(FILMS, retrieval=RETRIEVAL, **given),
        Recommender.fit(LIKES, FILMS, retrieval=RETRIEVAL, **given),
    ]
    for found in made:
        assert found.generative.untrusted == verdict.untrusted
        found.generative = replace(found.generative, generate=Writer("", from_facts))
        answer = found.recommend(["Moon Landing"], k=2)
        assert {item.reason_by for item in answer} == {by}
    chooses = RETRIEVAL.model_copy(update={"grounding": "retrieve"})
    found = Recommender.from_catalogue(FILMS, retrieval=chooses, **given)
    assert not found.generative.untrusted  # its answers are what is asked for
