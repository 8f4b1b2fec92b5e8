"""What the command line makes of a push, and which keys it touches."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from rectune.cli.main import app
from rectune.core.errors import UserError
from rectune.core.recipe import Recipe, load_recipe
from rectune.core.runs import RunStore
from rectune.pipeline.outside import push_order
from rectune.pipeline.pushing import Wanted

RECIPE = Path(__file__).parents[2] / "recipes/tiny.yaml"
SET = Wanted("user/name", "gguf, dataset", private=False, dry_run=False)


def recipe(wanted: Wanted) -> Recipe:
    return load_recipe(RECIPE, wanted.overrides())


def test_options_become_settings() -> None:
    release = recipe(SET).release
    assert (release.repo, release.what) == ("user/name", ["gguf", "dataset"])
    assert not release.private and not release.dry_run


def test_without_options_the_recipe_counts_and_is_dry() -> None:
    assert Wanted().overrides() == []
    assert recipe(Wanted()).release.dry_run and recipe(Wanted()).release.private


@pytest.mark.parametrize("what", ["model", "gguf,weights", ","])
def test_an_unknown_kind_is_refused_with_those_that_there_are(what: str) -> None:
    with pytest.raises(UserError, match="adapter, merged, gguf, dataset, preferences"):
        Wanted(what=what).overrides()


def test_where_a_push_goes_makes_no_export_again_and_every_other_push(tmp_path: Path) -> None:
    one, other = recipe(Wanted()), recipe(SET)
    assert one.result_fields(("release",)) == other.result_fields(("release",))
    store = RunStore(tmp_path)
    assert push_order(one, store, {}) != push_order(other, store, {})


def test_the_command_knows_its_options() -> None:
    said = CliRunner().invoke(app, ["push", "--help"], env={"COLUMNS": "200"}).output
    for option in ("--to", "--what", "--private", "--public", "--dry-run", "--no-dry-run"):
        assert option in said
