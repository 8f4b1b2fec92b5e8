"""The stage `sft`, with a note from every rank of how much of the 4-bit weights it holds while it trains."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import rectune.train.sft
from rectune.core.figures import SftFigures
from rectune.core.figures.training import FitFigures
from rectune.core.recipe import Recipe


def run(config: Recipe, inputs: Mapping[str, Path], out: Path) -> SftFigures:
    """As `rectune.train.sft.run`; writes held-<rank>.json: bytes here and in all, before and after a step."""
    import torch
    from transformers import TrainerCallback

    class Note(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *arguments: Any, model: torch.nn.Module, **more: Any) -> None:
            four_bit = [p for n, p in model.named_parameters() if n.endswith("base_layer.weight")]
            assert four_bit and all(p.dtype == torch.uint8 for p in four_bit)
            here = sum(p.data.numel() + _shard(p) for p in four_bit)
            whole = sum(getattr(p, "ds_numel", p.numel()) for p in four_bit)
            file = out / f"held-{os.environ.get('RANK', '0')}.json"
            file.write_text(json.dumps({"here": here, "whole": whole}))

    real = rectune.train.sft.fit

    def fit(trainer: Any, *arguments: Any, **more: Any) -> FitFigures:
        trainer.add_callback(Note())
        return real(trainer, *arguments, **more)

    rectune.train.sft.fit = fit
    return rectune.train.sft.run(config, inputs, out)


def _shard(parameter: Any) -> int:
    """Elements of ZeRO-3's part of a parameter that are in this process; 0 where it is not cut up."""
    shard = getattr(parameter, "ds_tensor", None)
    return shard.untyped_storage().nbytes() if shard is not None else 0
