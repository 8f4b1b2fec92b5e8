"""An adapter merged into its base: one ordinary checkpoint again."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from models.loading import load_for_training, open_adapter, read_base_note
from rectune.errors import RectuneError
from rectune.settings import Models

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_WEIGHTS = ("*.safetensors", "*.safetensors.index.json", "config.json", "generation_config.json")


def merge_adapter(checkpoint: Path, adapter: Path, out: Path) -> None:
    """Write the checkpoint with W + (alpha / r) B A for every adapted W (Hu et al. 2021, section 4.1).

    An adapter that was trained on 4-bit weights corrects those very weights, rounding errors included. So the
    base is quantised as in training, dequantised to float32, and only then added to: the merged model
    computes what the adapter model did. `out` appears whole or not at all.

    Raises:
        RectuneError: the merge left the weights as they were.
    """
    partial = out.with_name(out.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    four_bit = bool(read_base_note(adapter).get("load_in_4bit"))
    base = load_for_training(checkpoint, Models(load_in_4bit=four_bit, compute="float32"))
    model = open_adapter(dequantised(base) if four_bit else base, adapter, trainable=False)
    merged: PreTrainedModel = model.merge_and_unload(safe_merge=True)
    if any("lora_" in name for name, _ in merged.named_parameters()):
        raise RectuneError(f"{adapter}: peft left adapter weights unmerged")
    merged.config.use_cache = True  # off for training only
    merged.float().save_pretrained(partial)
    _copy_tokenizer(checkpoint, partial)
    shutil.rmtree(out, ignore_errors=True)
    partial.rename(out)


def dequantised(model: PreTrainedModel) -> PreTrainedModel:
    """A 4-bit model with ordinary float32 linear layers that hold the values its 4-bit weights stand for."""
    import torch

    plain: PreTrainedModel = model.dequantize(dtype=torch.float32)
    return plain.float()


def _copy_tokenizer(checkpoint: Path, into: Path) -> None:
    """Everything of the checkpoint but its weights and config, byte for byte."""
    made = {file for pattern in _WEIGHTS for file in checkpoint.glob(pattern)}
    for file in checkpoint.iterdir():
        if file.is_file() and file not in made:
            shutil.copy(file, into / file.name)
