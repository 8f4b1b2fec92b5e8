"""DeepSpeed's configuration follows from the recipe, with nothing left open."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rectune.core import progress
from rectune.core.errors import UserError
from rectune.core.settings import TrainingConfig
from rectune.models.deepspeed_config import announce, deepspeed_config


def test_zero_0_is_no_deepspeed() -> None:
    assert deepspeed_config(TrainingConfig(zero_stage=0), "float32", False) is None


@given(st.integers(1, 64), st.integers(1, 64), st.sampled_from([1, 2, 3]))
def test_batches_are_those_of_the_recipe_and_nothing_is_auto(rows: int, steps: int, zero: int) -> None:
    settings = TrainingConfig.model_validate(
        {"per_device_train_batch_size": rows, "gradient_accumulation_steps": steps, "zero_stage": zero}
    )
    config = deepspeed_config(settings, "float32", False)
    assert config is not None
    assert config["train_micro_batch_size_per_gpu"] == rows
    assert config["gradient_accumulation_steps"] == steps
    assert config["zero_optimization"]["stage"] == zero
    assert "auto" not in json.dumps(config)


@pytest.mark.parametrize(("precision", "bf16", "fp16"), [("bfloat16", True, False), ("float16", False, True)])
def test_the_precision_is_that_of_the_model(precision: str, bf16: bool, fp16: bool) -> None:
    config = deepspeed_config(TrainingConfig(zero_stage=2), precision, True)
    assert config is not None
    assert (config["bf16"]["enabled"], config["fp16"]["enabled"]) == (bf16, fp16)


def test_offload_moves_what_it_names() -> None:
    config = deepspeed_config(TrainingConfig(zero_stage=3, offload="parameters"), "float32", False)
    assert config is not None
    assert {"offload_optimizer", "offload_param"} <= config["zero_optimization"].keys()
    assert config["optimizer"]["type"] == "AdamW"


@pytest.mark.parametrize(("zero", "offload"), [(0, "optimizer"), (1, "optimizer"), (2, "parameters")])
def test_an_offload_that_the_stage_does_not_have_is_refused(zero: int, offload: str) -> None:
    settings = TrainingConfig.model_validate({"zero_stage": zero, "offload": offload})
    with pytest.raises(UserError, match="needs ZeRO"):
        deepspeed_config(settings, "float32", False)


def test_the_terminal_is_told_the_stage_and_the_log_everything(capsys: pytest.CaptureFixture[str]) -> None:
    config, terminal = deepspeed_config(TrainingConfig(zero_stage=3), "float32", False), io.StringIO()
    assert config is not None
    progress.set_stream(terminal)
    try:
        announce(config)
    finally:
        progress.set_stream(None)
    assert terminal.getvalue() == "DeepSpeed ZeRO-3\n"
    assert capsys.readouterr().err == f"DeepSpeed: {json.dumps(config)}\n"
