"""An adapter as the recipe says, with whatever else peft takes, and nothing that would change the base."""

from typing import Any

import pytest

from rectune.core.errors import UserError
from rectune.core.settings import LoraSection
from rectune.models.lora import lora_config


def refused(**extra: Any) -> UserError:
    with pytest.raises(UserError) as caught:
        lora_config(LoraSection(extra=extra))
    return caught.value


def test_the_recipes_words_and_pefts_arrive() -> None:
    lora = LoraSection(
        r=4,
        lora_alpha=12,
        lora_dropout=0.2,
        target_modules=["q_proj"],
        extra={"use_rslora": True, "modules_to_save": ["lm_head"]},
    )
    made = lora_config(lora)
    assert (made.r, made.lora_alpha, made.lora_dropout, made.target_modules) == (4, 12, 0.2, {"q_proj"})
    assert (made.use_rslora, made.modules_to_save, made.task_type) == (True, ["lm_head"], "CAUSAL_LM")


def test_an_unknown_argument_is_refused_with_the_nearest_one() -> None:
    problem = refused(use_rs_lora=True)
    assert (problem.where, problem.hint) == ("train.lora.extra.use_rs_lora", "did you mean use_rslora?")
    assert "LoraConfig" in refused(colour="red").hint


@pytest.mark.parametrize(
    ("name", "hint"), [("r", "train.lora.r"), ("target_modules", "train.lora.target_modules")]
)
def test_what_has_a_key_of_its_own_is_refused(name: str, hint: str) -> None:
    assert hint in refused(**{name: 8}).hint


@pytest.mark.parametrize("extra", [{"bias": "all"}, {"inference_mode": True}])
def test_what_would_train_more_than_an_adapter_is_refused(extra: dict[str, Any]) -> None:
    assert refused(**extra).hint == "leave it out"


@pytest.mark.parametrize("init", ["pissa", "eva", "loftq", False])
def test_starts_that_change_the_base_are_refused(init: Any) -> None:
    assert "gaussian" in refused(init_lora_weights=init).hint
    assert lora_config(LoraSection(extra={"init_lora_weights": "gaussian"})).init_lora_weights == "gaussian"


def test_a_value_that_peft_refuses_is_told_in_its_words() -> None:
    assert "peft refuses it: `layers_pattern`" in refused(layers_pattern="x").message
