"""A random model with the dimensions of a 7B one, and the engine's speed with it on an accelerator."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rectune.core.settings import EngineConfig, SamplingConfig


@dataclass(frozen=True, slots=True)
class Shape:
    """A Llama-like model: widths in numbers, heads of queries and of keys."""

    layers: int = 32
    width: int = 4096
    inner: int = 14336
    heads: int = 32
    key_heads: int = 8


def measure_slots(slots: Sequence[int]) -> str:
    """Tokens a second at each number of slots, with prompts of the query stage and 64 tokens written to each.

    Raises:
        SystemExit: llama.cpp sees no accelerator here.
    """
    from rectune.inference.context_size import device_memory

    if not device_memory():
        raise SystemExit("no accelerator: this llama-cpp-python was built without one, or none is in sight")
    lines = [
        f"{'slots':>5}{'requests':>10}{'seconds':>9}{'prompt tok/s':>14}{'written tok/s':>15}{'overhead':>10}"
    ]
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "random-7b.gguf"
        write(model, Shape())
        lines += [_measure(model, count) for count in slots]
    return "\n".join(lines)


def _measure(model: Path, slots: int) -> str:
    from dataclasses import replace

    from bench.generation import Watched, ours, work

    sampling = SamplingConfig(max_tokens=64, temperature=0.7)
    count = max(8, 2 * slots)
    requests = [replace(request, sampling=sampling, stop=()) for request in work(count, 0).queries]
    with Watched(model, EngineConfig(context=1024, max_num_seqs=slots, gpu_layers=-1)) as engine:
        ours(engine, requests[:1])  # warm
        run = ours(engine, requests)
    rates = f"{run.prompt / run.seconds:>14.0f}{run.written / run.seconds:>15.1f}"
    return f"{slots:>5}{count:>10}{run.seconds:>9.1f}{rates}{run.overhead:>10.1%}"


def write(path: Path, shape: Shape) -> None:
    """Write a GGUF file of that shape: random Q4_0 weights, the embedded model's vocabulary and template."""
    import numpy as np
    from gguf import GGUFReader, GGUFWriter

    from rectune.models.reference import gguf_file

    reader = GGUFReader(gguf_file("embedded"))
    writer = GGUFWriter(path, "llama")
    _describe(writer, shape)
    for name, field in reader.fields.items():
        if name.startswith("tokenizer."):
            kind, *inner = field.types
            writer.add_key_value(name, field.contents(), kind, inner[0] if inner else None)
    words = len(reader.fields["tokenizer.ggml.tokens"].data)
    rng = np.random.default_rng(0)
    kinds = _weights(shape)
    layer = {
        name: _random(rng, *size) for name, size in kinds.items()
    }  # all layers are equal; the text does not matter
    _add(writer, "token_embd", _random(rng, words, shape.width))
    _add(writer, "output", _random(rng, words, shape.width))
    ones = np.ones(shape.width, np.float32)
    writer.add_tensor("output_norm.weight", ones)
    for number in range(shape.layers):
        for name, data in layer.items():
            _add(writer, f"blk.{number}.{name}", data)
        for name in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"blk.{number}.{name}.weight", ones)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _describe(writer: Any, shape: Shape) -> None:
    from gguf import LlamaFileType

    writer.add_file_type(LlamaFileType.MOSTLY_Q4_0)
    writer.add_name("random")
    writer.add_context_length(8192)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.inner)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.key_heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(shape.width // shape.heads)


def _weights(shape: Shape) -> dict[str, tuple[int, int]]:
    keys = shape.width // shape.heads * shape.key_heads
    return {
        "attn_q": (shape.width, shape.width),
        "attn_k": (keys, shape.width),
        "attn_v": (keys, shape.width),
        "attn_output": (shape.width, shape.width),
        "ffn_gate": (shape.inner, shape.width),
        "ffn_up": (shape.inner, shape.width),
        "ffn_down": (shape.width, shape.inner),
    }


def _random(rng: Any, rows: int, columns: int) -> Any:
    """Q4_0 blocks of 32 weights: a 16-bit scale and 16 bytes of halves; shape (rows, bytes)."""
    import numpy as np

    blocks = rng.integers(0, 256, (rows, columns // 32, 18), dtype=np.uint8)
    scale = np.array([columns**-0.5 / 4], np.float16).view(np.uint8)  # halves run from -8 to 7
    blocks[..., :2] = scale
    return blocks.reshape(rows, -1)


def _add(writer: Any, name: str, data: Any) -> None:
    from gguf import GGMLQuantizationType

    writer.add_tensor(f"{name}.weight", data, raw_dtype=GGMLQuantizationType.Q4_0)
