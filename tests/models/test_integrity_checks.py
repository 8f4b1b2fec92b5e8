"""The integrity checks of training fail on the failures they are for."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from rectune.core.errors import RectuneError
from rectune.core.settings import LoraSection, ModelsConfig
from rectune.models.integrity_checks import (
    base_digest,
    changed_share,
    check_base,
    check_reload,
    check_saved,
    trainable_values,
)
from rectune.models.loading import add_lora, load_for_training
from tests.models.tiny import tiny_checkpoint

A, B = "model.lora_A.default.weight", "model.lora_B.default.weight"


def adapter() -> dict[str, torch.Tensor]:
    return {A: torch.ones(2, 4), B: torch.full((4, 2), 0.5)}


def save(folder: Path, values: dict[str, torch.Tensor]) -> Path:
    save_file(
        {name.replace(".default.", "."): v for name, v in values.items()},
        folder / "adapter_model.safetensors",
    )
    return folder


def test_the_share_of_changed_elements_is_counted() -> None:
    after = adapter()
    after[B] = after[B].clone()
    after[B][0, 0] = 2.0
    assert changed_share(adapter(), after) == 1 / 16


def test_an_adapter_that_did_not_change_is_an_error() -> None:
    with pytest.raises(RectuneError, match="changed nothing"):
        changed_share(adapter(), adapter())


def test_an_adapter_that_is_no_number_is_an_error() -> None:
    with pytest.raises(RectuneError, match="no numbers"):
        changed_share(adapter(), adapter() | {B: torch.full((4, 2), torch.nan)})


def test_what_was_saved_must_be_what_was_trained(tmp_path: Path) -> None:
    check_saved(save(tmp_path, adapter()), adapter())
    with pytest.raises(RectuneError, match="not saved as it was trained"):
        check_saved(save(tmp_path, adapter() | {B: torch.ones(4, 2)}), adapter())
    with pytest.raises(RectuneError, match="other tensors"):
        check_saved(save(tmp_path, {A: adapter()[A]}), adapter())


def test_an_adapter_whose_b_is_zero_does_nothing(tmp_path: Path) -> None:
    empty = adapter() | {B: torch.zeros(4, 2)}
    with pytest.raises(RectuneError, match="does nothing"):
        check_saved(save(tmp_path, empty), empty)


def test_one_bit_of_the_base_is_noticed() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(4, 4, bias=False), torch.nn.Linear(4, 4, bias=False))
    before = base_digest(model)
    with torch.no_grad():
        model[1].weight[3, 3] += 1e-6
    with pytest.raises(RectuneError, match="changed weights of the base"):
        check_base(before, base_digest(model))


def test_values_are_copies_of_what_is_trained_and_of_nothing_else() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    model[0].requires_grad_(False)
    values = trainable_values(model)
    assert values.keys() == {"1.weight", "1.bias"}
    with torch.no_grad():
        model[1].bias += 1
    assert not values["1.bias"].equal(model[1].bias)


@pytest.fixture(scope="module")
def trained() -> Any:
    """The tiny model in 4 bits with an adapter that says something."""
    model = add_lora(
        load_for_training(tiny_checkpoint(), ModelsConfig(base="tiny")),
        LoraSection(r=4, lora_dropout=0.1),
        seed=1,
    )
    for name, value in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(value, std=0.1)
    return model


TOKENS = torch.arange(5, 25)[None]


def test_a_saved_adapter_loaded_afresh_gives_the_same_logits(tmp_path: Path, trained: Any) -> None:
    trained.save_pretrained(str(tmp_path))
    before = trainable_values(trained)
    check_reload(trained, tmp_path, TOKENS)
    after = trainable_values(trained)
    assert before.keys() == after.keys()
    assert all(after[name].equal(before[name]) for name in before)
    assert list(trained.peft_config) == ["default"]


def test_weights_or_settings_that_were_not_saved_are_noticed(tmp_path: Path, trained: Any) -> None:
    trained.save_pretrained(str(tmp_path / "weights"))
    weights = load_file(tmp_path / "weights" / "adapter_model.safetensors")
    weights[next(name for name in weights if "lora_B" in name)] *= 1.5
    save_file(weights, tmp_path / "weights" / "adapter_model.safetensors")
    trained.save_pretrained(str(tmp_path / "settings"))
    settings = json.loads((tmp_path / "settings" / "adapter_config.json").read_text())
    settings["lora_alpha"] *= 2
    (tmp_path / "settings" / "adapter_config.json").write_text(json.dumps(settings))
    for folder in ("weights", "settings"):
        with pytest.raises(RectuneError, match="other logits"):
            check_reload(trained, tmp_path / folder, TOKENS)
    assert list(trained.peft_config) == ["default"]
