"""All rankers: random, popularity, BM25, embeddings, item-kNN, and those of the user by name."""

from pathlib import Path

import lancedb
import numpy as np
import pytest
from lancedb.index import FTS

from rectune.core.errors import UserError
from rectune.core.rows import read_rows
from rectune.core.settings import EvaluateConfig
from rectune.core.settings.ranking import RANKER_NAMES
from rectune.core.settings.serving import SYSTEMS, TUNED
from rectune.core.types import Case, Item
from rectune.rankers.base import INTERACTION_FREE, RANKERS, Ranker, fit_ranker, ranker_class
from rectune.rankers.baselines import Bm25, EmbeddingBest, EmbeddingMean, Random, words_of
from rectune.rankers.domain_data import DomainData, TrainLikes, train_likes
from rectune.rankers.item_knn import ItemKnn
from rectune.rankers.popularity import Popularity
from rectune.retrieval.bm25 import K1
from rectune.retrieval.embedding import register
from tests.rankers.world import case, items, write_world

CASES = [case("movies", f"u{taste}", "test", taste) for taste in (0, 1)]
HISTORIES = [c.history for c in CASES]
CANDIDATES = [CASES[0].candidates, CASES[1].candidates[:3]]


def likes(*pairs: tuple[int, int]) -> TrainLikes:
    users, liked = (np.array(column, np.int64) for column in zip(*pairs, strict=True))
    return TrainLikes(tuple(item.item_id for item in items()), users, liked)


MOVIES = DomainData("movies", items(), lambda: likes((0, 0), (0, 4), (1, 1), (1, 4), (2, 6), (2, 7)))


NEED_A_MODEL = ("likelihood", "tallrec", "llmsrec", "mlp_llm", "allmrec", "allmrec_list")
SELF_SUFFICIENT = tuple(name for name in RANKERS if name not in NEED_A_MODEL)


@pytest.mark.parametrize("name", SELF_SUFFICIENT)
def test_every_ranker_scores_each_candidate_and_no_case_touches_another(name: str):
    ranker = fit_ranker(name, MOVIES)
    assert ranker.name == name
    together = ranker.score(HISTORIES, CANDIDATES)
    assert [scores.shape for scores in together] == [(5,), (3,)]
    assert all(np.isfinite(scores).all() for scores in together)
    alone = ranker.score(HISTORIES[1:], CANDIDATES[1:])
    np.testing.assert_allclose(together[1], alone[0], rtol=1e-5, atol=1e-6)  # networks are in float32
    assert ranker.score([], []) == []
    assert ranker.score([()], [("m1", "m2")])[0].shape == (2,)


@pytest.mark.parametrize("name", ["bm25", "embedding_mean", "embedding_best", "hybrid"])
def test_what_looks_at_titles_finds_the_only_candidate_of_the_users_taste(name: str):
    assert name in INTERACTION_FREE
    for row, one in zip(
        fit_ranker(name, MOVIES).score(HISTORIES, [c.candidates for c in CASES]), CASES, strict=True
    ):
        assert one.candidates[int(row.argmax())] == one.target


def test_recipes_may_name_exactly_what_there_is():
    assert set(SYSTEMS) == {*SELF_SUFFICIENT, *TUNED}
    assert tuple(name for name in RANKERS if name in RANKER_NAMES) == RANKER_NAMES
    with pytest.raises(ValueError, match="did you mean popularity"):
        EvaluateConfig(systems=["popularty"])
    assert EvaluateConfig(systems=["mine:Own"]).systems == ["mine:Own"]


def test_a_ranker_of_ones_own_is_opened_by_its_place_and_a_wrong_one_refused():
    assert isinstance(fit_ranker("rectune.rankers.baselines:Random", MOVIES), Random)
    for name, said in (
        ("popularty", "mean popularity"),
        ("os:nothing", "cannot be imported"),
        ("no.such:Thing", "cannot be imported"),
        ("pathlib:Path", "is no ranker"),
    ):
        with pytest.raises(UserError) as refused:
            fit_ranker(name, MOVIES)
        assert said in f"{refused.value}"


def test_random_follows_its_seed():
    first, again, other = (Random(seed).fit(MOVIES).score(HISTORIES, CANDIDATES) for seed in (1, 1, 2))
    assert first[0].tolist() == again[0].tolist() != other[0].tolist()


def test_bm25_is_what_lancedb_scores(tmp_path: Path):
    """LanceDB's full-text index has k1 = 1.2 and b = 0.75 too, and keeps the factor k1 + 1 of every word."""
    titles = (
        "red apple",
        "red red car",
        "blue sky over sea",
        "apple car red boat long title",
        "Car, red!",
        "sea",
    )
    shelf = [Item("d", str(n), title) for n, title in enumerate(titles)]
    rows = [{"id": item.item_id, "text": item.title} for item in shelf]
    table = lancedb.connect(tmp_path).create_table("shelf", data=rows)
    table.create_index("text", config=FTS(stem=False, remove_stop_words=False))
    ids = tuple(item.item_id for item in shelf)
    ranker = Bm25().fit(DomainData("d", shelf))
    for item in shelf:
        asked = " ".join(dict.fromkeys(words_of(item.title)))  # LanceDB counts what stands there twice twice
        found = {row["id"]: row["_score"] for row in table.search(asked, query_type="fts").to_list()}
        scores = ranker.score([(item.item_id,)], [ids])[0]
        np.testing.assert_allclose(scores * (K1 + 1), [found.get(name, 0.0) for name in ids], rtol=1e-5)


def test_a_word_that_the_history_has_twice_counts_twice():
    shelf = [Item("d", "a", "red apple"), Item("d", "b", "red red car"), Item("d", "c", "blue sky over sea")]
    ranker = Bm25().fit(DomainData("d", shelf))
    once, twice = ranker.score([("a",), ("a", "a")], [("b", "c")] * 2)
    np.testing.assert_allclose(twice, 2 * once)
    assert once[0] > once[1] == 0.0


def test_the_mean_and_the_best_match_part_where_tastes_are_mixed():
    axes = np.eye(3, dtype=np.float32)
    points = {"p": axes[0], "q": axes[1], "r": axes[0], "x": np.array([0.8, 0.6, 0], np.float32)}
    register("points", 3, lambda texts: np.stack([points[text] for text in texts]))
    domain_data = DomainData("d", [Item("d", name, name) for name in "pqrx"], embedder="points")
    history, shown = [("p", "q")], [("r", "x")]
    mean, best = (
        EmbeddingMean().fit(domain_data).score(history, shown)[0],
        EmbeddingBest().fit(domain_data).score(history, shown)[0],
    )
    np.testing.assert_allclose(mean, [0.5, 0.7], rtol=1e-6)  # between both tastes
    np.testing.assert_allclose(best, [1.0, 0.8], rtol=1e-6)  # exactly one of them


def test_hybrid_follows_the_words_where_the_embedding_is_blind_and_the_other_way_round():
    shelf = [
        Item("d", name, title)
        for name, title in zip("pqxyz", ("red", "oak", "red", "elm", "sea"), strict=True)
    ]
    axes = np.eye(3, dtype=np.float32)
    points = {"red": axes[0], "oak": axes[1], "elm": axes[1], "sea": axes[2]}
    register("kinds", 3, lambda texts: np.stack([points[text] for text in texts]))
    domain_data = DomainData("d", shelf, embedder="kinds")
    words, meaning = fit_ranker("hybrid", domain_data).score([("p",), ("q",)], [("y", "x", "z")] * 2)
    assert words.argmax() == 1 and meaning.argmax() == 0
    parts = [fit_ranker(name, domain_data).score_all([("p",)])[0] for name in ("bm25", "embedding_best")]
    whole = sum((part - part.mean()) / part.std() / 2 for part in parts)
    np.testing.assert_allclose(words, whole[[3, 2, 4]])  # the places of y, x and z in the catalogue


def test_item_knn_is_the_cosine_of_likes_and_agrees_with_the_dense_product():
    rng = np.random.default_rng(3)
    table = rng.random((40, 12)) < 0.3
    users, liked = np.nonzero(table)
    ids = tuple(item.item_id for item in items())
    ranker = ItemKnn().fit(DomainData("movies", items(), lambda: TrainLikes(ids, users, liked)))
    norms = np.sqrt(np.maximum(table.sum(0), 1))
    cosines = (table.T.astype(float) @ table) / np.outer(norms, norms)
    scores = ranker.score([("m1", "m5")], [("m0", "m2", "m11")])[0]
    np.testing.assert_allclose(scores, (cosines[1] + cosines[5])[[0, 2, 11]], rtol=1e-6)
    assert ranker.score([("m1",)], [("unheard of",)])[0].tolist() == [0.0]


def test_train_likes_hold_what_train_users_liked_and_nothing_of_test_users(tmp_path: Path):
    inputs = write_world(tmp_path)
    cases = read_rows(inputs["data"] / "cases.parquet", Case)
    # One train user likes items 0 to 4, two like item 7; what the test users like is not counted.
    for domain in ("movies", "books"):
        found = train_likes(inputs["data"], cases, domain)
        assert found.counts.tolist() == [1, 1, 1, 1, 1, 0, 0, 2, 0, 0, 0, 0]
        assert found.item_ids[7] == f"{domain[0]}7"
    movies = DomainData("movies", items(), lambda: train_likes(inputs["data"], cases, "movies"))
    np.testing.assert_array_equal(Popularity().fit(movies).score([()], [("m7", "m0", "m8")])[0], [2, 1, 0])


@pytest.mark.parametrize("name", SELF_SUFFICIENT)
def test_what_is_saved_and_loaded_scores_the_same(name: str, tmp_path: Path):
    ranker = fit_ranker(name, MOVIES)
    ranker.save(tmp_path / name)
    again = ranker_class(name).load(tmp_path / name)
    assert (again.name, list(again.item_ids)) == (name, list(ranker.item_ids))
    for before, after in zip(
        ranker.score(HISTORIES, CANDIDATES), again.score(HISTORIES, CANDIDATES), strict=True
    ):
        np.testing.assert_array_equal(before, after)
    assert again.top(HISTORIES, 3) == ranker.top(HISTORIES, 3)


def test_a_saved_ranker_that_is_damaged_or_another_is_refused(tmp_path: Path):
    with pytest.raises(UserError, match="no saved ranker"):
        Bm25.load(tmp_path / "nowhere")
    fit_ranker("popularity", MOVIES).save(tmp_path)
    with pytest.raises(UserError, match="holds the ranker popularity, not bm25"):
        Bm25.load(tmp_path)
    (tmp_path / "arrays.safetensors").write_bytes(b"no tensors")
    with pytest.raises(UserError, match="damaged"):
        Popularity.load(tmp_path)


@pytest.mark.parametrize("name", SELF_SUFFICIENT)
def test_the_top_is_the_catalogue_in_the_order_of_the_scores(name: str):
    ranker = fit_ranker(name, MOVIES)
    ids = list(ranker.item_ids)
    (best,) = ranker.top([HISTORIES[0]], 99)
    left = [item for item in ids if item not in HISTORIES[0]]
    (scores,) = ranker.score([HISTORIES[0]], [left])
    if name.startswith("embedding"):  # which multiply other shapes, and round otherwise
        scores = scores.round(6)
    order = sorted(range(len(left)), key=lambda at: (-scores[at], at))
    assert [one.item_id for one in best] == [left[at] for at in order]
    np.testing.assert_allclose([one.score for one in best], scores[order], rtol=1e-5)
    (some,) = ranker.top([HISTORIES[0]], 2, exclude=[{"m1"}], within={"m0", "m1", "m7"})
    assert {item for item, _ in some} == {"m0", "m7"}
    assert ranker.top([], 5) == [] and ranker.top([()], 0) == [[]]


@pytest.mark.parametrize("name", [name for name in SELF_SUFFICIENT if name != "random"])
def test_unknown_ids_add_nothing_to_a_history_and_score_nothing(name: str):
    ranker = fit_ranker(name, MOVIES)
    known, strange = ranker.score([("m0",), ("m0", "never seen")], [("m1", "m7")] * 2)
    np.testing.assert_allclose(known, strange, rtol=1e-6, atol=1e-6)
    assert ranker.score([("m0",)], [("m1", "never seen")])[0][1] == 0.0


@pytest.mark.parametrize("name", SELF_SUFFICIENT)
@pytest.mark.parametrize("shelf", [[], items()[:1]], ids=["no items", "one item"])
def test_the_smallest_catalogues_are_ranked(name: str, shelf: list[Item], tmp_path: Path):
    ranker = fit_ranker(name, DomainData("movies", shelf))
    assert [len(best) for best in ranker.top([(), ("m0",)], 3)] == [len(shelf), 0]
    ranker.save(tmp_path)
    assert type(ranker).load(tmp_path).top([()], 3) == ranker.top([()], 3)


class Own(Ranker):
    """A ranker that somebody else wrote: the shortest title first."""

    name = "shortest"

    def fit(self, data: DomainData):
        self.item_ids, self._titles = tuple(data.items), data.titles
        return self

    def score(self, histories, candidates):
        return [-np.array([len(self._titles[item]) for item in case], np.float64) for case in candidates]

    def save(self, folder: Path) -> None:
        raise NotImplementedError

    @classmethod
    def load(cls, folder: Path):
        raise NotImplementedError


def test_a_ranker_of_ones_own_only_has_to_score():
    ranker = fit_ranker(f"{__name__}:Own", MOVIES)
    titles = [MOVIES.titles[item] for item, _ in ranker.top([()], 12)[0]]
    assert len(titles) == 12 and titles == sorted(titles, key=len)


def test_words_of_a_query_find_items_before_and_after_saving(tmp_path: Path):
    ranker = Bm25().fit(MOVIES)
    found = ranker.top_for_text("a movie about SPACE", 5)
    assert [item for item, _ in found] == ["m4"] and found[0].score > 0
    assert ranker.top_for_text("space", 5, exclude={"m4"}) == ranker.top_for_text("zzz", 5) == []
    assert {item for item, _ in ranker.top_for_text("cooking", 9, within={"m0", "m6", "m7"})} == {"m6", "m7"}
    ranker.save(tmp_path)
    assert Bm25.load(tmp_path).top_for_text("space", 5) == found
