"""Where `bench.preferences` keeps what it measured: apart for other users, stages and settings."""

from __future__ import annotations

from pathlib import Path

from bench.preferences import STAGES, folder_of
from rectune.core.recipe import load_recipe


def test_what_was_measured_of_other_held_out_users_stages_or_settings_is_kept_apart():
    recipe, other = (load_recipe(Path("demo"), [f"align.beta={beta}"]) for beta in (0.1, 0.2))
    inputs = {name: Path("runs") / name / "1" for name in STAGES}
    new = inputs | {"candidates": Path("runs/candidates/2")}
    given = [(recipe, inputs, 0.5), (recipe, inputs, 0.4), (recipe, new, 0.5), (other, inputs, 0.5)]
    found = [folder_of(Path("out"), *one) for one in given]
    assert len(set(found)) == len(given) and folder_of(Path("out"), *given[0]) == found[0]
    assert all(one.parent == Path("out") for one in found)
