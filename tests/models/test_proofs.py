"""The proofs of training fail on the failures they are there for."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from models.proofs import base_digest, changed_share, check_base, check_saved, trainable_values
from rectune.errors import RectuneError

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
