"""Recommending by what was chosen on held-out users: on the spot, and from a run's stage `fit`."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from rectune.core.artifacts import MANIFEST, ArtifactStore
from rectune.core.errors import UserError
from rectune.core.recipe import load_recipe
from rectune.rankers import stage as fit_stage
from rectune.rankers.chosen import ChosenRanker
from rectune.recommender.answering import CatalogueAnswers
from rectune.recommender.options import RecommendOptions
from rectune.recommender.ranked_formatting import ranked_json, ranked_text
from rectune.recommender.recommender import Recommender
from rectune.recommender.requests import UserRequest
from rectune.recommender.tables import likes_of, read_likes
from tests.rankers.world import items, write_world
from tests.recommender.club import PEOPLE, RETRIEVAL, circle_of, likes, works
from tests.recommender.shelf import ids

LIKES = likes()


@pytest.fixture(scope="module")
def club(tmp_path_factory: pytest.TempPathFactory) -> Recommender:
    return Recommender.fit(LIKES, works(), retrieval=RETRIEVAL, folder=tmp_path_factory.mktemp("club"))


def test_times_of_likes_are_kept_in_the_order_of_each_user():
    names = [item.item_id for item in works()]
    shuffled = LIKES.sample(fraction=1.0, shuffle=True, seed=3)
    found = likes_of(read_likes(shuffled, names), names)
    assert found.times is not None and len(found.times) == LIKES.height
    for user in np.unique(found.users):
        assert np.all(np.diff(found.times[found.users == user]) > 0)
    untimed = likes_of(read_likes(LIKES.drop("timestamp"), names), names)
    assert untimed.times is None and len(untimed.users) == LIKES.height


def test_what_does_best_on_held_out_users_ranks(club: Recommender):
    assert isinstance(club.ranker, ChosenRanker) and club.ranker.choice.timed
    found = club.recommend(["1-0", "1-1"], k=6, explain=False)
    assert {circle_of(item) for item in ids(found)} == {"1"}
    (by,) = found.ranking.by
    assert (by.side, by.length, by.share) == ("history", "1-4", 1.0) and by.cases == PEOPLE
    # Of at most nine works of the circle that are left, one is the target: it is among the first ten.
    assert by.ndcg_at_10 > 0.3 and by.interval[0] <= by.ndcg_at_10 <= by.interval[1]
    assert found.ranking.parts == {}


def test_likes_of_people_who_were_never_seen_count_at_once(club: Recommender):
    known = club.recommend(user="p2", k=1, explain=False)
    assert circle_of(known[0].item_id) == "2" and len(known.history) == 8
    newer = [f"3-{n}" for n in range(7)]
    both = club.recommend(newer, user="p2", k=3, explain=False)
    assert "3" in {circle_of(item) for item in ids(both)}
    assert both.history == (*known.history, *(club.items[item].title for item in newer))
    table = club.recommend_many([{"user": "p2", "history": newer}], k=3)
    assert table["item_id"].to_list() == ids(both)


def test_evidence_is_counted_among_the_people(club: Recommender):
    best = club.recommend(["0-0"], k=1, explain=False)[0]
    sets = {item: set(LIKES.filter(pl.col("item_id") == item)["user"]) for item in ("0-0", best.item_id)}
    evidence = best.evidence
    assert evidence.kind == "likes" and evidence.item_ids == ("0-0",)
    assert (evidence.liked, evidence.both) == (len(sets["0-0"]), len(sets["0-0"] & sets[best.item_id]))
    title = club.items["0-0"].title
    assert evidence.text == f'{evidence.both} of {evidence.liked} people who liked "{title}" also liked it'


def test_words_are_looked_up_in_the_index_and_judged(club: Recommender, tmp_path: Path):
    found = club.recommend(query="Ada Dov", k=2)
    assert found.fits and found.nearness is not None and found.ranking.by[0].rankers == "index"
    assert found[0].evidence.kind == "query"
    strict = RETRIEVAL.model_copy(update={"min_similarity": 1.0})
    far = Recommender(works(), club.ranker, None, club._ground, None, None, strict)
    asked = far.recommend(query="a submarine", k=2)
    assert not asked.fits and asked.min_similarity == 1.0 and len(asked) == 2
    assert {item.reason_by for item in asked} == {None}
    unknown = far.recommend(["Submarine"], k=2)
    assert not unknown.fits and unknown.not_found == ("Submarine",)
    assert far.recommend(["0-0"], k=2).fits  # a history of known items always fits
    assert far.recommend(["Submarine"], history_domain="music", k=2).fits  # taste of another domain, too


def test_only_what_is_within_is_ranked(club: Recommender):
    some = ["1-5", "0-3", "2-2", "1-0"]
    found = club.recommend(["1-0", "1-1"], k=9, within=some, explain=False)
    assert ids(found)[0] == "1-5" and sorted(ids(found)) == ["0-3", "1-5", "2-2"]  # 1-0 is in the history
    asked = club.recommend(query="Ada", k=9, within=some, explain=False)
    assert set(ids(asked)) <= set(some) and len(asked) == 4
    both = {"within": some, "where": {"category": "space"}}
    allowed = {item for item in some if club.items[item].categories == ("space",)}
    assert set(ids(club.recommend(query="Ada", k=9, explain=False, **both))) == allowed
    with pytest.raises(UserError, match="the catalogue lacks x, y"):
        club.recommend(["1-0"], within=["x", "1-1", "y"])
    assert ids(club.recommend(["1-0"], within=[])) == [] == ids(club.recommend(query="Ada", within=[]))


def test_the_order_does_not_depend_on_what_else_is_asked(club: Recommender):
    whole = ids(club.recommend(["1-0"], k=39, explain=False))
    some = whole[1::2]
    assert ids(club.recommend(["1-0"], k=39, within=some, explain=False)) == some
    assert ids(club.recommend(["1-0"], k=5, explain=False)) == whole[:5]


def test_explored_items_are_unfamiliar_and_rank_high(club: Recommender):
    found = club.recommend(["1-0", "1-4"], k=4, explore=0.5, explain=False)
    assert found.explored == 2 and sum(item.explored for item in found) <= 2
    known = {"space", *club.items["1-0"].facts, *club.items["1-4"].facts}
    for item in found:
        if item.explored:
            one = club.items[item.item_id]
            assert circle_of(item.item_id) == "1" and known.isdisjoint({*one.categories, *one.facts})
    limited = club.recommend(["1-0"], k=9, at_most=1, per="category", explain=False)
    assert len({club.items[item].categories for item in ids(limited)}) == len(limited) == 4
    with pytest.raises(UserError, match="no item has a colour"):
        club.recommend(["1-0"], at_most=1, per="colour")


def test_how_it_was_ranked_is_told_and_adds_up(club: Recommender):
    found = club.recommend(["1-0", "1-1"], k=2, explain=False, explain_ranking=True)
    assert set(found.ranking.parts) == set(ids(found))
    parts = found.ranking.parts[found[0].item_id]
    if len(parts) > 1:
        assert sum(part.weight * part.standardised for part in parts) == pytest.approx(found[0].score)
    else:
        assert parts[0].score == pytest.approx(found[0].score)
    said = ranked_text(found, RecommendOptions(2, explain_ranking=True))
    by = found.ranking.by[0]
    assert f"Ranked for the history by {by.rankers}, chosen for histories of 1 to 4 items" in said
    assert f"NDCG@10 {by.ndcg_at_10:.3f}" in said and f"on {PEOPLE} users who were held out." in said
    assert f"{parts[0].ranker} {parts[0].weight:.2f} × {parts[0].standardised:+.2f}" in said
    told = ranked_json(UserRequest(["1-0"]), found)
    assert told["ranking"]["parts"][found[0].item_id][0] == asdict(parts[0])


def test_a_saved_choice_recommends_the_same(club: Recommender, tmp_path: Path):
    club.ranker.save(tmp_path / "saved")
    loaded = ChosenRanker.load(tmp_path / "saved")
    again = Recommender(works(), loaded, None, club._ground, club._histories, loaded.co_likes, RETRIEVAL)
    for asked in ({"user": "p1"}, {"query": "Ada"}, {"history": ["1-0"], "query": "Ada"}):
        assert again.recommend(**asked, explain_ranking=True) == club.recommend(**asked, explain_ranking=True)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store whose recipe `tiny` has come as far as the stage `fit`."""
    root = tmp_path_factory.mktemp("store")
    made = write_world(root / "made")
    store = ArtifactStore(root / "runs")
    inputs = {"queries": made["queries"], "data": store.folder("data", "0123")}
    inputs["data"].parent.mkdir(parents=True)
    made["data"].rename(inputs["data"])
    out = store.folder("fit", "4567")
    out.mkdir(parents=True)
    changed = ["fit.rankers=[popularity, bm25, item_knn]", "retrieval.embedder=letters"]
    fit_stage.run(load_recipe(Path("tiny"), changed), inputs, out)
    (inputs["data"] / MANIFEST).write_text('{"files": {}}')
    (out / MANIFEST).write_text('{"files": {}, "inputs": {"data": "0123"}}')
    store.link("tiny", "data", "0123")
    store.link("tiny", "fit", "4567")
    return store.root


def of_run(runs: Path, ranker: str | None = None) -> Recommender:
    return Recommender.from_run("tiny", "movies", ranker=ranker, model=None, runs=runs, retrieval=RETRIEVAL)


def test_the_choice_of_a_run_ranks(runs: Path):
    found = of_run(runs)
    folder = fit_stage.chosen_path(runs / "fit/4567", "movies")
    saved = ChosenRanker.load(folder)
    (expected,) = saved.top([["m0", "m1"]], 3)
    assert [(one.item_id, one.score) for one in found.recommend(["m0", "m1"], k=3)] == expected
    assert found.recommend(query="bread", k=1)[0].title == "Baking Bread"
    assert not (runs / "catalogues").exists()  # the index of the stage is searched
    assert list(found.items.values()) == items("movies")


def test_a_named_ranker_is_the_one_that_the_stage_tuned(runs: Path):
    found = of_run(runs, "item_knn")
    assert found.recommend(["m0"], k=1).ranking.by[0].rankers == "item_knn"
    assert ids(found.recommend(["m0"], k=1)) == ["m1"]
    other = of_run(runs, "embedding_best")  # not among those of the stage: fitted now
    assert len(other.recommend(["m0"], k=3)) == 3


def test_without_the_stage_it_is_said_that_nothing_was_chosen(runs: Path, tmp_path: Path, capsys):
    (runs / "fit/4567" / MANIFEST).write_text('{"files": {}, "inputs": {"data": "other"}}')
    found = of_run(runs, None)
    assert "the stage fit was not run on this data" in capsys.readouterr().err
    assert found.ranker.name == "hybrid"
    (runs / "fit/4567" / MANIFEST).write_text('{"files": {}, "inputs": {"data": "0123"}}')


def test_a_number_is_an_id_that_is_excluded_too(tmp_path: Path):
    numbered = [replace(item, item_id=str(at)) for at, item in enumerate(works())]
    few = Recommender.from_catalogue(
        numbered, ranker="bm25", model=None, retrieval=RETRIEVAL, folder=tmp_path
    )
    first = few.recommend(["0"], k=1, explain=False)[0].item_id
    assert first not in ids(few.recommend(["0"], k=len(numbered), exclude=[int(first)], explain=False))


def test_a_ranker_of_another_catalogue_is_refused_and_new_items_are_said(
    club: Recommender, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(UserError, match="fitted on 10 items that the catalogue lacks"):
        CatalogueAnswers(works()[:30], club.ranker)
    new = replace(works()[0], item_id="new")
    more = CatalogueAnswers([*works(), new], club.ranker)
    assert "not fitted on 1 of 41 items" in "".join(capsys.readouterr())
    assert len(more.items) == 41


def test_without_a_history_nothing_is_unfamiliar_and_that_is_said(club: Recommender):
    options = RecommendOptions(k=2, explore=0.5)
    found = club.recommend(query="space", k=2, explore=0.5, explain=False)
    assert "given: 0; without a history nothing is unfamiliar" in ranked_text(found, options)
