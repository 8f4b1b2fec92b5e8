"""The stage `fit` on a small world, and how much a model counts beside what it chose."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from rectune.core.errors import UserError
from rectune.core.figures.fit import DomainChoice
from rectune.core.figures.read_records import read_figures
from rectune.core.recipe import Recipe, load_recipe
from rectune.rankers.chosen import ChosenRanker
from rectune.rankers.stage import asked_users, chosen_path, run
from rectune.recommender.rerank_stage import (
    RankedCases,
    drawn,
    fresh_cases,
    weight_of_drafts,
    weight_of_likelihood,
)
from rectune.retrieval.index import open_index
from tests.rankers.world import case, prompt, write_world

RANKERS = "[popularity, bm25, item_knn]"


def recipe(*changed: str) -> Recipe:
    return load_recipe(Path("tiny"), [f"fit.rankers={RANKERS}", *changed])


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_world(tmp_path_factory.mktemp("world"))


def test_every_domain_has_its_choice_its_rankers_and_the_index(inputs: dict[str, Path], tmp_path: Path):
    out = tmp_path / "fit" / "key"
    out.mkdir(parents=True)
    figures = run(recipe(), inputs, out)
    assert sorted(figures.domains) == ["books", "movies"]
    assert open_index(out / "index").items == 24
    for domain, short in figures.domains.items():
        ranker = ChosenRanker.load(chosen_path(out, domain))
        assert ranker.choice == read_figures(DomainChoice, chosen_path(out, domain))
        assert list(ranker.rankers) == ["popularity", "bm25", "item_knn"]
        assert len(ranker.item_ids) == ranker.choice.items == 12
        # Of three train users two have the one like of item 7, and one has five; nothing of test users.
        assert (short.users, short.likes) == (3, 7) == (ranker.choice.users, ranker.choice.likes)
        assert ranker.likes.tolist() == [1, 1, 1, 1, 1, 0, 0, 2, 0, 0, 0, 0]
        assert short.queries == {"index": 1.0}
    made = figures.made
    again = run(recipe("retrieval.top=3"), inputs, _beside(out))
    assert again.reused == made and again.made == 0


def _beside(out: Path) -> Path:
    other = out.with_name("other")
    other.mkdir()
    return other


def test_a_domain_that_nobody_liked_is_ranked_by_texts(inputs: dict[str, Path], tmp_path: Path):
    bare = tmp_path / "data"
    bare.mkdir()
    for name in ("items", "users", "cases", "interactions"):
        (bare / f"{name}.parquet").write_bytes((inputs["data"] / f"{name}.parquet").read_bytes())
    events = pl.read_parquet(bare / "interactions.parquet").with_columns(liked=pl.lit(False))
    events.write_parquet(bare / "interactions.parquet")
    out = tmp_path / "fit" / "key"
    out.mkdir(parents=True)
    figures = run(recipe("fit.rankers=[popularity, bm25]"), {**inputs, "data": bare}, out)
    assert figures.domains["movies"].chosen["5+"] == {"bm25": 1.0}
    # Items 4 and 5 are the only other science fiction.
    (best,) = ChosenRanker.load(chosen_path(out, "movies")).top([("m0", "m1", "m2", "m3")], 2)
    assert {one.item_id for one in best} == {"m4", "m5"}


def test_users_who_asked_are_those_of_the_preference_split_each_once():
    cases = [case("movies", f"u{n}", "preference", n % 2) for n in range(2)]
    rows = [prompt(one, scenario) for one in cases for scenario in ("passive", "active", "active")]
    rows.append(prompt(case("movies", "other", "test", 0), "active"))
    found = asked_users(cases, rows)
    assert [(one.history, one.query, one.target) for one in found["movies"]] == [
        (one.history, "something to watch", one.target) for one in cases
    ]


def test_a_damaged_choice_is_refused(inputs: dict[str, Path], tmp_path: Path):
    out = tmp_path / "fit" / "key"
    out.mkdir(parents=True)
    run(recipe("fit.rankers=[bm25]"), inputs, out)
    folder = chosen_path(out, "movies")
    (folder / "choice.json").write_text("{}")
    with pytest.raises(UserError, match="is missing"):
        ChosenRanker.load(folder)


# How much a model counts beside it


def users(inputs: dict[str, Path], tmp_path: Path, count: int) -> RankedCases:
    out = tmp_path / "fit" / "key"
    out.mkdir(parents=True)
    run(recipe("fit.rankers=[popularity, bm25]"), inputs, out)
    cases = [case("movies", f"p{n}", "preference", n % 2) for n in range(count)]
    return RankedCases.of(ChosenRanker.load(chosen_path(out, "movies")), cases)


def test_a_model_that_knows_the_target_counts_and_one_that_knows_nothing_does_not(
    inputs: dict[str, Path], tmp_path: Path
):
    some = users(inputs, tmp_path, 60)
    targets = [some.chosen.item_ids[at] for at in some.targets]

    def oracle(histories, candidates):
        return [
            np.array([float(item == target) for item in shown])
            for shown, target in zip(candidates, targets, strict=True)
        ]

    def opposite(histories, candidates):
        return [-scores for scores in oracle(histories, candidates)]

    assert weight_of_likelihood(some, oracle, candidates=8).weight > 0
    assert weight_of_likelihood(some, opposite, candidates=8).weight == 0
    drafts = np.zeros((60, 12))
    drafts[np.arange(60), some.targets] = 1.0
    assert weight_of_drafts(some, drafts).weight > 0
    assert weight_of_drafts(some, -drafts).weight == 0
    heads = some.first(99)
    assert all(
        len(head) == 8 and not set(head) & set(gone) for head, gone in zip(heads, some.absent, strict=True)
    )


def test_only_users_whom_the_model_was_not_aligned_on_are_taken():
    cases = [
        case("movies", f"u{n}", split, 0) for n, split in enumerate(("preference", "preference", "test"))
    ]
    rows = [prompt(one) for one in cases]
    assert fresh_cases(cases, rows, {rows[0].id}) == {"movies": [cases[1]]}
    assert fresh_cases(cases, rows, {row.id for row in rows}) == {}
    assert len(drawn(cases, 2, 1)) == 2 and drawn(cases, 2, 1) == drawn(cases, 2, 1)
    assert not drawn(cases, 0, 1)
