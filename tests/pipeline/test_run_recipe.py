"""`run_recipe`: recipes from Python."""

from pathlib import Path

import pytest

from rectune.core.errors import UserError
from rectune.core.figures import DataFigures
from rectune.core.package_data import SAMPLES
from rectune.pipeline.run import run_recipe


@pytest.mark.parametrize(
    ("recipe", "more", "said"),
    [
        ("absent", {}, "absent"),
        ("tiny", {"overrides": {"train.learning_rat": 1}}, "did you mean learning_rate"),
        ("tiny", {"overrides": {"data.root": Path("absent")}, "until": "data"}, "absent"),
        ("tiny", {"until": "filtre"}, "filtre"),
        ("tiny", {"until": "data", "redo": "filter"}, "not on the way"),
    ],
)
def test_what_cannot_be_run_is_refused_before_anything_is_made(tmp_path: Path, recipe: str, more, said: str):
    with pytest.raises(UserError, match=said):
        run_recipe(recipe, runs=tmp_path / "runs", **more)
    assert not list((tmp_path / "runs").glob("data/*/manifest.json"))


@pytest.mark.slow
def test_figures_are_typed_and_what_is_finished_is_not_run_again(tmp_path: Path, capsys):
    changed = {"data.root": SAMPLES, "data.datasets": ["movielens"], "data.mixture_weights": {"movielens": 1}}
    made = run_recipe("tiny", changed, "data", runs=tmp_path / "runs")
    assert isinstance(made.figures["data"], DataFigures) and list(made.paths) == ["data"]
    assert (made.paths["data"] / "items.parquet").is_file()
    with pytest.raises(AttributeError):
        _ = made.figures["data"].no_such_figure
    capsys.readouterr()
    assert run_recipe("tiny", changed, "data", runs=tmp_path / "runs") == made
    assert "up to date" in capsys.readouterr().err
    again = run_recipe("tiny", changed, "data", redo="data", runs=tmp_path / "runs")
    assert again.paths == made.paths and "up to date" not in capsys.readouterr().err
