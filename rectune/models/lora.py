"""peft's configuration of an adapter from a recipe, with further peft arguments under `extra`."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from rectune.core.errors import UserError
from rectune.core.extras import needs_extra
from rectune.core.settings import LoraSection

if TYPE_CHECKING:
    from peft import LoraConfig

# Arguments that the recipe has words of its own for, and those that would train more than an adapter.
_ELSEWHERE = {
    "r": "set train.lora.r",
    "lora_alpha": "set train.lora.lora_alpha",
    "lora_dropout": "set train.lora.lora_dropout",
    "target_modules": "set train.lora.target_modules",
    "base_model_name_or_path": "set models.base",
}
_NOT_HERE = {
    "task_type",
    "peft_type",
    "peft_version",
    "inference_mode",
    "revision",
    "auto_mapping",
    "runtime_config",
    "bias",
}
# Others change the base's weights or want data before training; the adapter would then be of another base.
_INITS = (True, "gaussian", "orthogonal")
_HINT = "see peft's LoraConfig for what it takes"


@needs_extra("training")
def lora_config(lora: LoraSection) -> LoraConfig:
    """peft's configuration of an adapter, `extra` included.

    Raises:
        UserError: peft does not know an argument, it is set elsewhere in the recipe, or peft refuses its
            value.
    """
    from dataclasses import fields

    from peft import LoraConfig

    known = {field.name for field in fields(LoraConfig)} - _NOT_HERE
    for name, value in lora.extra.items():
        _check(name, value, known)
    given: dict[str, Any] = {
        "r": lora.r,
        "lora_alpha": lora.lora_alpha,
        "lora_dropout": lora.lora_dropout,
        "target_modules": lora.target_modules,
        "task_type": "CAUSAL_LM",
    }
    try:
        return LoraConfig(**given, **lora.extra)
    except (TypeError, ValueError, ImportError) as problem:
        raise UserError(f"peft refuses it: {problem}", where="train.lora.extra", hint=_HINT) from None


def _check(name: str, value: Any, known: set[str]) -> None:
    where = f"train.lora.extra.{name}"
    if name in _ELSEWHERE:
        raise UserError("has a key of its own", where=where, hint=_ELSEWHERE[name])
    if name in _NOT_HERE:
        raise UserError("is not for a recipe to set", where=where, hint="leave it out")
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}?" if near else _HINT
        raise UserError("peft's LoraConfig has no such argument", where=where, hint=hint)
    if name == "init_lora_weights" and value not in _INITS:
        found = f"{value!r} changes the base's weights, or needs data before training"
        raise UserError(found, where=where, hint=f"use one of: {', '.join(map(str, _INITS))}")
