"""A loss that is no number, or far above the usual, stops the run and names its examples."""

import json
from pathlib import Path

import pytest

from rectune.core.errors import UserError
from rectune.models.training.loss_spike_guard import LossSpikeGuard


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_stops_at_once(tmp_path: Path, loss: float) -> None:
    guard = LossSpikeGuard(0.0, [], tmp_path / "trouble.json")
    with pytest.raises(UserError, match=rf"the loss is {loss} at step 3; its examples: e1, e2"):
        guard.check(loss, 3, ["e1", "e2"])


def test_a_loss_far_above_the_median_stops(tmp_path: Path) -> None:
    guard = LossSpikeGuard(3.0, [], tmp_path / "trouble.json")
    for step in range(1, 9):
        guard.check(2.0, step, ["e"])
    guard.check(5.9, 9, ["e"])
    with pytest.raises(UserError, match=r"the loss is 6.2 at step 10, 3.1 times the median") as caught:
        guard.check(6.2, 10, ["bad"])
    assert "bad" in caught.value.message and "learning_rate" in caught.value.hint


def test_the_first_steps_and_a_ratio_of_0_let_any_number_pass(tmp_path: Path) -> None:
    for ratio, steps in ((3.0, 7), (0.0, 50)):
        guard = LossSpikeGuard(ratio, [], tmp_path / "trouble.json")
        for step in range(steps):
            guard.check(2.0, step, ["e"])
        guard.check(1e9, steps, ["e"])
    assert not (tmp_path / "trouble.json").exists()


def test_a_run_that_goes_on_remembers_what_was_usual(tmp_path: Path) -> None:
    guard = LossSpikeGuard(3.0, [2.0] * 8, tmp_path / "trouble.json")
    with pytest.raises(UserError, match="times the median"):
        guard.check(7.0, 9, ["e"])


def test_the_file_has_every_example(tmp_path: Path) -> None:
    ids = [f"e{n}" for n in range(20)]
    with pytest.raises(UserError, match="e7 and 12 more"):
        LossSpikeGuard(0.0, [], tmp_path / "trouble.json").check(float("nan"), 5, ids)
    note = json.loads((tmp_path / "trouble.json").read_text())
    assert note == {"step": 5, "loss": "nan", "examples": ids}
