"""Supervised fine-tuning in one process: what is trained on, what changes, and what does not."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from rectune.core.errors import UserError
from rectune.core.recipe import Recipe, parse_recipe
from rectune.core.settings import ModelsConfig
from rectune.models import metrics
from rectune.models.chat_tokenization import prompt_ids, response_ids
from rectune.models.checkpoints import last_complete, step_of
from rectune.models.loading import load_for_training, load_tokenizer, open_adapter, read_base_note
from rectune.models.reference import content_digest
from rectune.train.sft import run
from tests.models.tiny import tiny_checkpoint
from tests.train.runs import SINGLE, losses, make_example, make_inputs

LORA = {"r": 4, "lora_alpha": 8, "lora_dropout": 0.0}
TRAIN = SINGLE | {
    "zero_stage": 0,
    "per_device_train_batch_size": 4,
    "warmup_ratio": 0.0,
    "eval_user_fraction": 0.0,
    "lora": LORA,
}


def recipe(**changes: Any) -> Recipe:
    return parse_recipe({"models": {"base": "tiny"}, "train": TRAIN | changes})


def test_no_row_within_the_length_is_an_error_with_a_mend(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"train\.max_length"):
        run(recipe(max_length=3), make_inputs(tmp_path, 2), tmp_path / "out")


def loss_by_hand(numbers: Sequence[int]) -> float:
    """The mean over response tokens of all rows, from the untuned 4-bit model's own loss."""
    tokenizer = load_tokenizer(tiny_checkpoint())
    model = load_for_training(tiny_checkpoint(), ModelsConfig(base="tiny"))
    total, tokens = 0.0, 0
    for example in map(make_example, numbers):
        prompt, response = prompt_ids(tokenizer, example.prompt), response_ids(tokenizer, example.response)
        labels = torch.tensor([[-100] * len(prompt) + response])
        with torch.no_grad():
            loss = model(torch.tensor([prompt + response]), labels=labels).loss
        total, tokens = total + float(loss) * len(response), tokens + len(response)
    return total / tokens


def test_a_run_trains_the_adapter_and_nothing_else(tmp_path: Path) -> None:
    inputs, out = make_inputs(tmp_path, 4), tmp_path / "out"
    before = content_digest(inputs["base"])
    figures = run(recipe(num_train_epochs=12, learning_rate=5e-3, save_steps=5), inputs, out)
    assert content_digest(inputs["base"]) == before
    assert {path.name for path in out.iterdir()} == {"adapter", "metrics.jsonl", "loss.png"}
    assert figures.first_loss == pytest.approx(loss_by_hand(range(4)), abs=1e-3)
    assert losses(out)[-1] < figures.first_loss - 0.3
    assert (figures.steps, figures.rows_out, figures.processes) == (12, 4, 1)
    assert (figures.attention, figures.packed_rows, figures.held_out) == ("sdpa", 4, 0)
    assert figures.tokens_seen == 12 * figures.tokens and figures.tokens_per_second > 0
    assert figures.adapter_changed > 0.5
    assert read_base_note(out / "adapter")["load_in_4bit"] is True
    model = open_adapter(
        load_for_training(tiny_checkpoint(), ModelsConfig(base="tiny")), out / "adapter", trainable=False
    )
    weights = {name: value for name, value in model.named_parameters() if "lora_B" in name}
    assert len(weights) == 14  # seven linear layers in each of two blocks
    assert all(value.dtype == torch.float32 and bool(value.any()) for value in weights.values())


def test_a_second_call_on_a_finished_folder_ends_with_the_same_rows(tmp_path: Path) -> None:
    inputs, out = make_inputs(tmp_path, 4), tmp_path / "out"
    first = run(recipe(num_train_epochs=2), inputs, out)
    second = run(recipe(num_train_epochs=2), inputs, out)
    assert len(losses(out)) == 2
    assert second.last_loss == pytest.approx(first.last_loss, abs=1e-6)


def test_a_loss_that_is_no_number_stops_the_run_and_names_the_examples(tmp_path: Path) -> None:
    changes = {"num_train_epochs": 4, "learning_rate": 1e30, "max_grad_norm": 1e30, "save_steps": 1}
    with pytest.raises(UserError, match=r"the loss is (nan|inf) at step \d") as caught:
        run(recipe(**changes), make_inputs(tmp_path, 4), tmp_path / "out")
    rows = metrics.read(tmp_path / "out" / "metrics.jsonl")
    note = json.loads((tmp_path / "out" / "trouble.json").read_text())
    assert all(row["loss"] == row["loss"] for row in rows)
    assert note["step"] == len(rows) + 1
    assert set(note["examples"]) == {make_example(number).id for number in range(4)}
    assert all(example in caught.value.message for example in note["examples"])
    kept = last_complete(tmp_path / "out" / "checkpoints")
    assert kept is not None and step_of(kept) == len(rows)  # nothing was saved after the loss had gone


def test_a_loss_far_above_the_usual_stops_the_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="times the median of the steps before"):
        run(
            recipe(num_train_epochs=30, learning_rate=1e-5, max_loss_ratio=0.5),  # half the usual is too much
            make_inputs(tmp_path, 4),
            tmp_path / "out",
        )


def test_packed_rows_train_as_single_rows_do(tmp_path: Path) -> None:
    inputs, job = (
        make_inputs(tmp_path, 6),
        {"per_device_train_batch_size": 6, "num_train_epochs": 4, "learning_rate": 5e-3},
    )
    run(recipe(**job), inputs, tmp_path / "single")
    figures = run(recipe(**job, packing=True, max_length=150), inputs, tmp_path / "packed")
    assert figures.packed_rows < figures.rows_out == 6
    assert figures.tokens_seen == 4 * figures.tokens  # padding is not counted
    assert losses(tmp_path / "packed") == pytest.approx(losses(tmp_path / "single"), abs=1e-4)


def test_the_same_seed_gives_the_same_adapter_to_the_byte(tmp_path: Path) -> None:
    inputs, job = (
        make_inputs(tmp_path, 6),
        {"per_device_train_batch_size": 2, "lora": LORA | {"lora_dropout": 0.2}},
    )
    files = []
    for name in ("one", "two"):
        run(recipe(**job), inputs, tmp_path / name)
        files.append((tmp_path / name / "adapter" / "adapter_model.safetensors").read_bytes())
    assert files[0] == files[1]


@pytest.mark.parametrize(
    "extra",
    [
        {"use_rslora": True},
        {"use_dora": True},
        {"modules_to_save": ["norm"]},
        {"init_lora_weights": "gaussian"},
    ],
)
def test_other_adapters_are_trained_saved_and_proved(tmp_path: Path, extra: dict[str, Any]) -> None:
    figures = run(recipe(lora=LORA | {"extra": extra}), make_inputs(tmp_path, 4), tmp_path / "out")
    saved = json.loads((tmp_path / "out" / "adapter" / "adapter_config.json").read_text())
    assert figures.adapter_changed > 0
    assert all(saved[name] == value for name, value in extra.items())


def test_what_cannot_be_had_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    inputs = make_inputs(tmp_path, 2)
    for changes in ({"lora": LORA | {"extra": {"use_rs_lora": True}}}, {"use_liger_kernel": True}):
        with pytest.raises(UserError):
            run(recipe(**changes), inputs, tmp_path / "out")
        assert not (tmp_path / "out").exists()


def test_an_adapter_that_would_never_be_trained_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="lm_head") as caught:
        run(
            recipe(lora=LORA | {"target_modules": ["q_proj", "lm_head"]}),
            make_inputs(tmp_path, 2),
            tmp_path / "out",
        )
    assert "modules_to_save" in caught.value.hint


def test_tensorboard_has_the_losses(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run(recipe(num_train_epochs=2, report_to=["tensorboard"]), make_inputs(tmp_path, 4), tmp_path / "out")
    events = EventAccumulator(str(tmp_path / "out" / "tensorboard"))
    events.Reload()
    noted = [event.value for event in events.Scalars("train/loss")]
    assert noted == pytest.approx(losses(tmp_path / "out"), abs=1e-4)
