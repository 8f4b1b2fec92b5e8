"""Held-out users: an exact loss on them, the best adapter kept, early stopping, and answers."""

import time
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from rectune.core.recipe import Recipe, parse_recipe
from rectune.models import metrics
from rectune.models.eval_users import _place
from rectune.train.sft import run
from tests.train.runs import SINGLE, finish, losses, make_example, make_inputs, start
from tests.train.test_processes import kill_tree, last_complete_of
from tests.train.test_sft import LORA, loss_by_hand

ROWS = 10
JOB: dict[str, Any] = SINGLE | {
    "zero_stage": 0,
    "per_device_train_batch_size": 2,
    "warmup_ratio": 0.0,
    "eval_user_fraction": 0.45,
    "eval_steps": 1,
    "learning_rate": 5e-3,
    "packing": True,
    "max_length": 150,
    "lora": LORA,
}


def recipe(**changes: Any) -> Recipe:
    return parse_recipe({"models": {"base": "tiny"}, "train": JOB | changes})


def held_out() -> list[int]:
    """The numbers of the examples whose user falls below the share."""
    return [number for number in range(ROWS) if _place(f"u{number}") < 0.45]


def evaluations(out: Path) -> dict[int, float]:
    return {
        row["step"]: row["eval_loss"] for row in metrics.read(out / "metrics.jsonl") if "eval_loss" in row
    }


def test_the_held_out_loss_is_the_mean_over_all_their_labels(tmp_path: Path) -> None:
    assert 1 < len(held_out()) < ROWS
    figures = run(recipe(learning_rate=1e-7), make_inputs(tmp_path, ROWS), tmp_path / "out")
    assert figures.held_out == len(held_out())
    assert figures.first_eval_loss == pytest.approx(loss_by_hand(held_out()), abs=1e-4)
    assert figures.tokens_seen < figures.tokens  # those of the held-out are not trained on


def test_the_last_step_is_evaluated_whatever_its_number(tmp_path: Path) -> None:
    figures = run(recipe(eval_steps=1000), make_inputs(tmp_path, ROWS), tmp_path / "out")
    assert list(evaluations(tmp_path / "out")) == [figures.steps]


def test_evaluating_does_not_disturb_training(tmp_path: Path) -> None:
    inputs, job = make_inputs(tmp_path, ROWS), {"lora": LORA | {"lora_dropout": 0.3}, "num_train_epochs": 2}
    run(recipe(**job), inputs, tmp_path / "often")
    run(recipe(**job, eval_steps=1000), inputs, tmp_path / "once")
    assert losses(tmp_path / "often") == losses(tmp_path / "once")


def test_the_best_adapter_is_kept_and_training_ends_without_gain(tmp_path: Path) -> None:
    """What is learnt from the others makes the held-out answers less likely, from the first steps on."""
    inputs = make_inputs(tmp_path, ROWS, odd=held_out())
    job = {"learning_rate": 0.15, "lr_scheduler_type": "constant", "num_train_epochs": 20}
    figures = run(recipe(**job, early_stopping_patience=3), inputs, tmp_path / "out")
    found = evaluations(tmp_path / "out")
    best = min(found, key=lambda step: found[step])
    assert (figures.best_step, figures.best_eval_loss) == (best, found[best])
    assert figures.steps == max(found) == best + 3 < 20
    assert not (tmp_path / "out" / "best").exists()
    again = run(recipe(**job, early_stopping_patience=2), inputs, tmp_path / "again")
    assert (again.steps, again.best_step) == (best + 2, best)
    kept, same = (
        load_file(tmp_path / name / "adapter" / "adapter_model.safetensors") for name in ("out", "again")
    )
    assert all(kept[name].equal(same[name]) for name in kept)


def test_five_held_out_prompts_are_answered_at_every_evaluation(tmp_path: Path) -> None:
    figures = run(recipe(eval_steps=2, num_train_epochs=2), make_inputs(tmp_path, ROWS), tmp_path / "out")
    rows = metrics.read(tmp_path / "out" / "generations.jsonl")
    ids = sorted(make_example(number).id for number in held_out())[:5]
    steps = sorted(evaluations(tmp_path / "out"))
    assert [(row["step"], row["example"]) for row in rows] == [(step, id_) for step in steps for id_ in ids]
    assert [one.document() for one in figures.generations] == rows[-len(ids) :]
    wanted = {make_example(number).id: make_example(number).response for number in held_out()}
    assert all(row["wanted"] == wanted[row["example"]] and "What next?" in row["prompt"] for row in rows)


@pytest.mark.slow
@pytest.mark.parametrize(("zero", "processes"), [(2, 2), (3, 2)])
def test_two_processes_find_the_same_held_out_loss_and_answers(
    tmp_path: Path, zero: int, processes: int
) -> None:
    inputs = make_inputs(tmp_path, ROWS)
    job = JOB | {"packing": False, "zero_stage": zero}
    finish(tmp_path / "two", inputs, job | {"per_device_train_batch_size": 1}, processes)
    finish(tmp_path / "one", inputs, job | {"zero_stage": 0})
    two, one = evaluations(tmp_path / "two"), evaluations(tmp_path / "one")
    assert list(two) == list(one)
    assert list(two.values()) == pytest.approx(list(one.values()), abs=1e-3)
    answers = [metrics.read(tmp_path / name / "generations.jsonl") for name in ("two", "one")]
    assert len(answers[0]) == len(answers[1]) > 0


@pytest.mark.slow
def test_the_best_so_far_survives_a_kill(tmp_path: Path) -> None:
    """The best step is an early one: a run that forgot it would keep a later, worse adapter."""
    inputs, out = make_inputs(tmp_path, ROWS, odd=held_out()), tmp_path / "killed"
    job = JOB | {
        "learning_rate": 0.15,
        "lr_scheduler_type": "constant",
        "num_train_epochs": 12,
        "save_steps": 2,
    }
    process = start(out, inputs, job)
    while process.poll() is None and (last_complete_of(out, 1) or 0) < 12:
        time.sleep(0.05)
    assert process.poll() is None, out.with_suffix(".log").read_text(errors="replace")[-3000:]
    kill_tree(process.pid)
    process.wait()
    figures, whole = finish(out, inputs, job), finish(tmp_path / "whole", inputs, job)
    assert "going on from step" in out.with_suffix(".log").read_text(errors="replace")
    assert whole.best_step < 12
    assert figures.best_step == whole.best_step
    assert evaluations(out) == pytest.approx(evaluations(tmp_path / "whole"), abs=1e-4)
    one, two = (load_file(f / "adapter" / "adapter_model.safetensors") for f in (out, tmp_path / "whole"))
    assert all(one[name].equal(two[name]) for name in one)
    assert len(metrics.read(out / "generations.jsonl")) == len(
        metrics.read(tmp_path / "whole" / "generations.jsonl")
    )
