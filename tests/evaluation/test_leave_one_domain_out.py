"""Leave one domain out: who is tested, what the folds' recipes say, and the table of a fold whose answer is
known.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from rectune.core.artifacts import ArtifactStore
from rectune.core.catalogue import load_catalogue
from rectune.core.errors import UserError
from rectune.core.figures.evaluation import FoldMetrics
from rectune.core.figures.read_records import read_record
from rectune.core.recipe import load_recipe
from rectune.core.rows import read_rows
from rectune.core.settings import EvaluateConfig
from rectune.core.types import Case, Example, Item, Provenance, Ranking
from rectune.evaluation.leave_one_domain_out import (
    METRICS,
    RANKINGS,
    SHOWN,
    DomainFold,
    fold_config,
    latest_cases,
    leave_one_domain_out_table,
    measure_fold,
)
from rectune.evaluation.systems import EvalContext
from rectune.inference.requests import GenerationRequest, GenerationResult
from rectune.pipeline.leave_one_domain_out import (
    ROWS,
    DomainFoldOptions,
    _data_overrides,
    _only,
    _trained,
    _without,
    run_leave_one_domain_out,
)
from rectune.rankers.base import INTERACTION_FREE
from tests.evaluation.test_stage import Engine
from tests.rankers.world import case, prompt, write_world

DEMO = Path(__file__).parents[2] / "recipes" / "demo.yaml"


def test_every_user_is_tested_once_on_the_latest_target_and_no_trained_one():
    latest = [case("movies", f"u{n}", "train", n % 2) for n in range(5)]
    earlier = [replace(one, id=f"earlier {one.user}", target="m5") for one in latest]
    found = latest_cases([*latest, *earlier], frozenset({"u3"}), 0)
    assert {(c.user, c.target) for c in found} == {(c.user, c.target) for c in latest if c.user != "u3"}
    assert latest_cases(latest, frozenset(), 2) == sorted(latest, key=lambda c: c.id)[:2]


def test_the_folds_are_ordinary_recipes_that_share_rows_and_leave_one_out(tmp_path: Path):
    recipe, wanted = load_recipe(DEMO), DomainFoldOptions(DEMO)
    made = {name: load_recipe(_without(name, recipe, wanted, tmp_path)) for name in recipe.data.datasets}
    for name, fold in made.items():
        assert set(fold.data.datasets) == set(recipe.data.datasets) - {name}
        assert fold.data.train <= ROWS and fold.data.train % len(fold.data.datasets) == 0
        assert (fold.train, fold.models, fold.generate) == (recipe.train, recipe.models, recipe.generate)
    assert (
        len({fold.data.train for fold in made.values()}) == 1
    )  # so that each dataset gives the same cases to each
    only = load_recipe(_only("books", recipe, wanted, tmp_path))
    assert only.data.datasets == ["books"] and only.data.train_time_quantile == 1.0
    assert (tmp_path / "demo-without-books.yaml").is_file()


def test_users_of_a_shared_id_space_who_were_trained_on_are_known():
    recipe = load_recipe(DEMO)
    cases = [case("music", "a", "train", 0), case("music", "b", "test", 0), case("movies", "c", "train", 0)]
    cases.append(case("music", "d", "preference", 0))  # an aligned model is tuned on these
    assert _trained("amazon", recipe, cases) == {"a", "d"}
    assert _trained("movielens", recipe, cases) == frozenset()
    shown = [prompt(case(domain, user, "train", 0)) for domain, user in (("music", "e"), ("movies", "f"))]
    lists = [Example("", one, "", Provenance("template", "", "{}", 0, "rectune")) for one in shown]
    assert _trained("amazon", recipe, cases, lists) == {"a", "d", "e"}


def test_only_datasets_that_are_there_are_taken_from_another_folder(tmp_path: Path):
    samples = DEMO.parents[1] / "samples"
    (tmp_path / "books").symlink_to(samples / "books")
    (tmp_path / "anime").symlink_to(samples / "anime")
    assert _data_overrides(DomainFoldOptions(DEMO, data=tmp_path))[1] == "data.datasets=[anime, books]"
    with pytest.raises(UserError, match="no dataset"):
        _data_overrides(DomainFoldOptions(DEMO, data=tmp_path / "nowhere"))
    with pytest.raises(UserError, match="no such fold: film"):
        run_leave_one_domain_out(DomainFoldOptions(DEMO, folds=["film"]), ArtifactStore(tmp_path / "runs"))


def test_a_fold_whose_model_knows_gets_its_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Engine, "scored", [])
    inputs = {**write_world(tmp_path), "base": tmp_path / "base", "candidates": tmp_path / "export"}
    cases = [c for c in read_rows(inputs["data"] / "cases.parquet", Case) if c.domain == "movies"]
    config = fold_config(load_recipe(DEMO, ["evaluate.bootstrap=50", "evaluate.answers=2"]))
    said = {"base": "My recommendation: Nowhere At All", "export": 'As in "Salt and Iron", so see it.'}

    def write(model: Path, requests: Sequence[GenerationRequest], *_: object) -> list[GenerationResult]:
        return [GenerationResult(one.id, said[model.parent.name], "stop", 1, 1) for one in requests]

    catalogue = load_catalogue(inputs["data"] / "items.parquet")
    eval_context = EvalContext(config, inputs, catalogue, cases, generate=write, open_engine=Engine)
    out = tmp_path / "runs" / "fold" / "key"
    out.mkdir(parents=True)
    tuned_on = [Item("books", "b", "Salt and Iron")]
    found = measure_fold(latest_cases(cases, frozenset(), 0), "en", eval_context, out, tuned_on)
    drafts = found.drafts
    shares = {name: (one.n, one.invented.share, one.other_domain.share) for name, one in drafts.items()}
    assert shares == {"base": (2, 1.0, 0.0), "sft": (2, 0.0, 1.0)}
    assert read_record(FoldMetrics, "fold", out / METRICS) == found and found.cases == 3
    assert found.systems["sft"].hit_at_1 == 1.0 and found.systems["base"].hit_at_1 == 0.0
    best = found.best
    assert best.name in INTERACTION_FREE[1:]
    assert {row.protocol for row in read_rows(out / RANKINGS, Ranking)} == {"own"}
    table = leave_one_domain_out_table(
        [DomainFold("movielens", "movies", "movielens", found, read_rows(out / RANKINGS, Ranking))],
        "rectune leave-one-domain-out x",
        config.evaluate,
    )
    head, _, row, drafts, _, free = [line for line in table.splitlines() if line.startswith("|")]
    assert "base: invented" in drafts and "sft: leaked" in drafts and "dpo" not in drafts
    assert free.startswith("| movies | 2 | 1.000 [")
    assert head.count("|") == row.count("|") and all(name in head for name in SHOWN)
    assert "| 1.000 [" in row and "Made by: rectune leave-one-domain-out x" in table
    assert "Over all domains" not in table
    rows = read_rows(out / RANKINGS, Ranking)
    other = [replace(one, user=one.user.replace("movies/", "music/")) for one in rows]
    folds = [DomainFold("movielens", "movies", "shared", found, rows)]
    folds.append(DomainFold("amazon", "music", "shared", found, other))
    pooled = leave_one_domain_out_table(folds, "x", config.evaluate)
    assert "over the 3 users of all these domains" in pooled  # each has a case in both
    assert "| sft | base | +1.000 [+1.000, +1.000] | 0.031 |" in pooled  # 6 cases won: 2 / 2 ** 6
    apart = [replace(fold, people=fold.dataset) for fold in folds]
    assert "over the 6 users" in leave_one_domain_out_table(apart, "x", config.evaluate)


def test_a_fold_looks_at_no_interactions_and_chooses_nothing():
    changed = fold_config(load_recipe(DEMO)).evaluate
    assert not {"popularity", "item_knn"} & set(changed.systems) and changed.tuning == 0
    assert isinstance(changed, EvaluateConfig) and changed.bootstrap == load_recipe(DEMO).evaluate.bootstrap
