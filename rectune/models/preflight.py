"""Checks, before anything is loaded, whether this machine supports what a recipe's training asks for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rectune.core.errors import MissingExtra, UserError
from rectune.core.extras import extra_of, is_installed
from rectune.core.settings import ModelsConfig, TrainConfig
from rectune.models.attention import BLOCKS
from rectune.models.loading import compute_type
from rectune.models.lora import lora_config

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

# Kinds of layers that a mask keeps from looking at other examples of a row.
_BLIND = {"full_attention", "sliding_attention", "chunked_attention"}


def check_training_support(settings: TrainConfig, models: ModelsConfig) -> None:
    """Refuse what is not available here: trackers, attention, kernels, arguments of the adapter.

    Raises:
        UserError: names the key, what is missing, and what to do.
    """
    check_trackers(settings.report_to, "train.report_to")
    attention_of(settings, models)
    check_liger(settings)
    lora_config(settings.lora)


def check_trackers(names: Sequence[str], where: str) -> None:
    """Refuse trackers whose package (of the same name) is not installed."""
    for name in names:
        if not is_installed(name):
            raise _absent(name, f"{where}: {name}")


def _absent(package: str, needed_for: str) -> UserError:
    """What is said of a package that is not installed; most of what a recipe may name is in no extra."""
    if extra := extra_of(package):
        return MissingExtra(extra, needed_for)
    says = f"{needed_for} needs the package {package}, which is not installed"
    return UserError(says, hint=f"pip install {package}")


def attention_of(settings: TrainConfig, models: ModelsConfig) -> str:
    """The attention implementation, by transformers' name.

    `auto` is flash_attention_2 where there is an accelerator, the package, and 16-bit arithmetic; `blocks`
    for packed rows on a processor; sdpa elsewhere.
    """
    import torch

    if settings.attn_implementation == "auto":
        if not _why_no_flash(models):
            return "flash_attention_2"
        return BLOCKS if settings.packing and not torch.cuda.is_available() else "sdpa"
    if settings.attn_implementation == "flash_attention_2" and (problem := _why_no_flash(models)):
        raise problem
    return settings.attn_implementation


def _why_no_flash(models: ModelsConfig) -> UserError | None:
    import torch

    where, hint = "train.attn_implementation", "set train.attn_implementation: auto"
    if not torch.cuda.is_available():
        return UserError(
            "flash_attention_2 needs an accelerator, and there is none here", where=where, hint=hint
        )
    if compute_type(models) == torch.float32:
        hint = "set models.compute_dtype: bfloat16, or train.attn_implementation: sdpa"
        return UserError(
            "flash_attention_2 computes in 16 bits, models.compute_dtype is float32", where=where, hint=hint
        )
    if not is_installed("flash_attn"):
        return _absent("flash-attn", f"{where}: flash_attention_2")
    return None


def check_liger(settings: TrainConfig) -> None:
    """Refuse Liger's kernels where they cannot run."""
    import torch

    if not settings.use_liger_kernel:
        return
    if not torch.cuda.is_available():
        hint = "set train.use_liger_kernel: false"
        raise UserError(
            "Liger's kernels need an accelerator, and there is none here",
            where="train.use_liger_kernel",
            hint=hint,
        )
    if not is_installed("liger_kernel"):
        raise _absent("liger-kernel", "train.use_liger_kernel")


def check_packing(model: PreTrainedModel) -> None:
    """Refuse packing for models whose layers carry a state from token to token, across examples."""
    kinds = set(getattr(model.config, "layer_types", None) or ()) - _BLIND
    if kinds or getattr(model, "_is_stateful", False):
        layers = ", ".join(sorted(kinds)) or "recurrent"
        found = f"this model's layers ({layers}) would see across packed examples"
        raise UserError(found, where="train.packing", hint="set train.packing: false")


def check_targets(model: PeftModel) -> None:
    """Refuse an adapter on the output layer: trl's loss uses the base weights and would ignore it."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    if isinstance(model.get_output_embeddings(), BaseTunerLayer):
        hint = "leave lm_head out, or name it in train.lora.extra.modules_to_save"
        raise UserError(
            "an adapter on lm_head would never be trained", where="train.lora.target_modules", hint=hint
        )
