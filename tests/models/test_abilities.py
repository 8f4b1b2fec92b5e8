"""What this machine has not is refused before anything is loaded, with the key and a way out."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from rectune.core.errors import UserError
from rectune.core.settings import Models, Train
from rectune.models import abilities
from rectune.models.abilities import attention_of, check_abilities, check_packing


def settings(**changes: Any) -> Train:
    """Single rows and no tracker, unless asked for."""
    return Train(**({"packing": False, "report_to": []} | changes))


def refused(models: Models | None = None, **train: Any) -> UserError:
    with pytest.raises(UserError) as caught:
        check_abilities(settings(**train), models or Models())
    return caught.value


@pytest.fixture
def no_accelerator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.fixture
def accelerator(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """An accelerator with bfloat16, and the packages that a test puts in."""
    packages = set[str]()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=False: True)
    monkeypatch.setattr(abilities, "find_spec", lambda name: name if name in packages else None)
    return packages


@pytest.mark.usefixtures("no_accelerator")
def test_without_an_accelerator_flash_attention_and_liger_are_refused() -> None:
    flash, liger = refused(attention="flash_attention_2"), refused(liger=True)
    assert flash.where == "train.attention" and "needs an accelerator" in flash.found
    assert liger.where == "train.liger" and "train.liger: false" in liger.mend
    assert attention_of(settings(), Models()) == "sdpa"
    assert attention_of(settings(attention="eager"), Models()) == "eager"


def test_with_an_accelerator_the_package_decides(accelerator: set[str]) -> None:
    assert "flash-attn" in refused(attention="flash_attention_2").found
    assert "liger-kernel" in refused(liger=True).found
    assert attention_of(settings(), Models()) == "sdpa"
    accelerator |= {"flash_attn", "liger_kernel"}
    assert attention_of(settings(), Models()) == "flash_attention_2"
    check_abilities(settings(attention="flash_attention_2", liger=True), Models())


def test_flash_attention_wants_16_bits(accelerator: set[str]) -> None:
    accelerator.add("flash_attn")
    problem = refused(Models(compute="float32"), attention="flash_attention_2")
    assert "16 bits" in problem.found and "models.compute" in problem.mend
    assert attention_of(settings(), Models(compute="float32")) == "sdpa"


def test_a_tracker_that_is_not_installed_is_refused(accelerator: set[str]) -> None:
    problem = refused(report_to=["wandb"])
    assert "train.report_to: wandb" in problem.found and "pip install" in problem.mend
    accelerator.add("wandb")
    check_abilities(settings(report_to=["wandb"]), Models())


def test_models_with_a_running_state_are_not_packed() -> None:
    def model(layers: list[str] | None, stateful: bool = False) -> Any:
        return SimpleNamespace(config=SimpleNamespace(layer_types=layers), _is_stateful=stateful)

    for blind in (None, ["full_attention", "sliding_attention"]):
        check_packing(model(blind))
    for seeing in (model(["full_attention", "linear_attention"]), model(None, stateful=True)):
        with pytest.raises(UserError, match="across packed examples") as caught:
            check_packing(seeing)
        assert caught.value.mend == "set train.packing: false"
