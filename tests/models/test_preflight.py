"""What this machine has not is refused before anything is loaded, with the key and a way out."""

import sys
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import peft  # noqa: F401 - on import it looks for accelerators and packages, which tests feign later
import pytest
import torch

from rectune.core.errors import UserError
from rectune.core.settings import ModelsConfig, TrainConfig
from rectune.models.preflight import attention_of, check_packing, check_training_support


def settings(**changes: Any) -> TrainConfig:
    """Single rows and no tracker, unless asked for."""
    return TrainConfig(**({"packing": False, "report_to": []} | changes))


def refused(models: ModelsConfig | None = None, **train: Any) -> UserError:
    with pytest.raises(UserError) as caught:
        check_training_support(settings(**train), models or ModelsConfig())
    return caught.value


@pytest.fixture
def no_accelerator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.fixture
def accelerator(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """An accelerator with bfloat16; what is returned makes a package that can be found."""
    for name in ("flash_attn", "liger_kernel", "wandb"):
        monkeypatch.setitem(sys.modules, name, None)  # so they are absent, whatever is installed
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=False: True)

    def install(name: str) -> None:
        monkeypatch.setitem(sys.modules, name, ModuleType(name))

    return install


@pytest.mark.usefixtures("no_accelerator")
def test_without_an_accelerator_flash_attention_and_liger_are_refused() -> None:
    flash, liger = refused(attn_implementation="flash_attention_2"), refused(use_liger_kernel=True)
    assert flash.where == "train.attn_implementation" and "needs an accelerator" in flash.message
    assert liger.where == "train.use_liger_kernel" and "train.use_liger_kernel: false" in liger.hint
    assert attention_of(settings(), ModelsConfig()) == "sdpa"
    assert attention_of(settings(attn_implementation="eager"), ModelsConfig()) == "eager"


def test_with_an_accelerator_the_package_decides(accelerator: Callable[[str], None]) -> None:
    assert "flash-attn" in refused(attn_implementation="flash_attention_2").message
    assert "liger-kernel" in refused(use_liger_kernel=True).message
    assert attention_of(settings(), ModelsConfig()) == "sdpa"
    accelerator("flash_attn")
    accelerator("liger_kernel")
    assert attention_of(settings(), ModelsConfig()) == "flash_attention_2"
    check_training_support(
        settings(attn_implementation="flash_attention_2", use_liger_kernel=True), ModelsConfig()
    )


def test_flash_attention_wants_16_bits(accelerator: Callable[[str], None]) -> None:
    accelerator("flash_attn")
    problem = refused(ModelsConfig(compute_dtype="float32"), attn_implementation="flash_attention_2")
    assert "16 bits" in problem.message and "models.compute_dtype" in problem.hint
    assert attention_of(settings(), ModelsConfig(compute_dtype="float32")) == "sdpa"


def test_a_tracker_that_is_not_installed_is_refused(accelerator: Callable[[str], None]) -> None:
    problem = refused(report_to=["wandb"])
    assert "train.report_to: wandb" in problem.message and "pip install" in problem.hint
    accelerator("wandb")
    check_training_support(settings(report_to=["wandb"]), ModelsConfig())


def test_models_with_a_running_state_are_not_packed() -> None:
    def model(layers: list[str] | None, stateful: bool = False) -> Any:
        return SimpleNamespace(config=SimpleNamespace(layer_types=layers), _is_stateful=stateful)

    for blind in (None, ["full_attention", "sliding_attention"]):
        check_packing(model(blind))
    for seeing in (model(["full_attention", "linear_attention"]), model(None, stateful=True)):
        with pytest.raises(UserError, match="across packed examples") as caught:
            check_packing(seeing)
        assert caught.value.hint == "set train.packing: false"
