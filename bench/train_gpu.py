"""A random model with the dimensions of a 7B one: speed of tuning on an accelerator, against a bare trl."""

from __future__ import annotations

import tempfile
from pathlib import Path

from bench.model_dims import Shape
from bench.train import Result, Setting, compare, demo_examples, table

_LENGTH = 2048  # tokens a row
_EXAMPLES = 256  # of the demo's; about 40 packed rows
_OPERATIONS = 4  # a token and weight: 2 forward, 2 backward through frozen weights


def measure_gpu(rounds: int) -> str:
    """All systems on the accelerator, with the share of its peak that each uses.

    Raises:
        SystemExit: there is no accelerator here.
    """
    import torch

    from rectune.core.rows import write_rows
    from rectune.core.types import Example

    if not torch.cuda.is_available():
        raise SystemExit("no accelerator: PyTorch sees none here")
    with tempfile.TemporaryDirectory() as folder:
        checkpoint, source = Path(folder) / "checkpoint", Path(folder) / "kept.parquet"
        weights = write_checkpoint(checkpoint, Shape())
        write_rows(source, demo_examples(_EXAMPLES), Example)
        setting = Setting(
            str(checkpoint), str(source), 8, 4, _LENGTH, compute="bfloat16", checkpointing=True, r=64
        )
        results = compare(setting, rounds)
    return "\n".join([*table(results), "", *(f"{run.name}: {_mfu(run, weights)}" for run in results)])


def write_checkpoint(folder: Path, shape: Shape) -> int:
    """Write a bfloat16 model of that shape and the embedded tokenizer; returns how many weights multiply."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from rectune.models.loading import gguf_tokenizer
    from rectune.models.reference import gguf_file

    tokenizer = gguf_tokenizer(gguf_file("embedded"))
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=shape.width,
        intermediate_size=shape.inner,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.key_heads,
        max_position_embeddings=8192,
    )
    torch.manual_seed(0)
    with torch.device("cuda"):
        model = LlamaForCausalLM(config).to(torch.bfloat16)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    embedded: int = model.get_input_embeddings().weight.numel()
    return sum(int(weight.numel()) for weight in model.parameters()) - embedded


def _mfu(run: Result, weights: int) -> str:
    import torch
    from trl.trainer.utils import get_peak_flops

    peak = get_peak_flops(torch.cuda.get_device_name(), "bfloat16")
    if not peak:
        return "the accelerator's peak is not known"
    return f"MFU {_OPERATIONS * weights * run.rate / peak:.1%}"
