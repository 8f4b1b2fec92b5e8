"""What the command line makes of a push, and which keys it touches."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from rectune.cli.main import app
from rectune.core.artifacts import ArtifactStore
from rectune.core.errors import UserError
from rectune.core.recipe import Recipe, load_recipe
from rectune.pipeline.external_inputs import push_settings
from rectune.pipeline.push_command import PushOptions

RECIPE = Path(__file__).parents[2] / "recipes/tiny.yaml"
SET = PushOptions("user/name", "gguf, dataset", private=False, dry_run=False)


def recipe(wanted: PushOptions) -> Recipe:
    return load_recipe(RECIPE, wanted.overrides())


def test_options_become_settings() -> None:
    release = recipe(SET).release
    assert (release.repo, release.artifacts) == ("user/name", ["gguf", "dataset"])
    assert not release.private and not release.dry_run


def test_without_options_the_recipe_counts_and_is_dry() -> None:
    assert PushOptions().overrides() == []
    assert recipe(PushOptions()).release.dry_run and recipe(PushOptions()).release.private


@pytest.mark.parametrize("artifacts", ["model", "gguf,weights", ","])
def test_an_unknown_kind_is_refused_with_those_that_there_are(artifacts: str) -> None:
    with pytest.raises(UserError, match="adapter, merged, gguf, dataset, preferences"):
        PushOptions(artifacts=artifacts).overrides()


def test_where_a_push_goes_makes_no_export_again_and_every_other_push(tmp_path: Path) -> None:
    one, other = recipe(PushOptions()), recipe(SET)
    assert one.result_fields(("release",)) == other.result_fields(("release",))
    store = ArtifactStore(tmp_path)
    assert push_settings(one, store, {}) != push_settings(other, store, {})


def test_the_command_knows_its_options() -> None:
    said = CliRunner().invoke(app, ["push", "--help"], env={"COLUMNS": "200"}).output
    for option in ("--to", "--artifacts", "--private", "--public", "--dry-run", "--no-dry-run"):
        assert option in said
