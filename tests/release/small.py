"""The tiny model as GGUF and with an adapter that matters, made once a test process."""

from __future__ import annotations

import shutil
import tempfile
from atexit import register
from functools import lru_cache
from pathlib import Path

import torch

from rectune.core.settings import LoraSection, ModelsConfig
from rectune.models.gguf import convert, convert_adapter
from rectune.models.loading import add_lora, load_for_training, note_base
from tests.models.tiny import tiny_checkpoint


@lru_cache(maxsize=1)
def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="rectune-small-"))
    register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@lru_cache(maxsize=1)
def exact_gguf() -> Path:
    """The tiny model in float32, so that llama.cpp has nothing to round."""
    convert(tiny_checkpoint(), _folder() / "exact.gguf", "f32")
    return _folder() / "exact.gguf"


@lru_cache(maxsize=2)
def adapter(four_bit: bool) -> Path:
    """An adapter whose B is far from zero."""
    models, folder = (
        ModelsConfig(base="tiny", load_in_4bit=four_bit, compute_dtype="float32"),
        _folder() / f"a{four_bit}",
    )
    model = add_lora(
        load_for_training(tiny_checkpoint(), models), LoraSection(r=4, lora_alpha=8, lora_dropout=0.0), seed=1
    )
    torch.manual_seed(2)
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.1)
    model.save_pretrained(str(folder), save_embedding_layers=False)
    note_base(folder, models)
    return folder


@lru_cache(maxsize=1)
def adapter_gguf() -> Path:
    """The adapter on unquantised weights, for llama.cpp."""
    convert_adapter(tiny_checkpoint(), adapter(False), _folder() / "adapter.gguf")
    return _folder() / "adapter.gguf"
