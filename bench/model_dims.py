"""A random model with the dimensions of a 7B one, or of none, as a GGUF file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Shape:
    """A Llama-like model: widths in numbers, heads of queries and of keys."""

    layers: int = 32
    width: int = 4096
    inner: int = 14336
    heads: int = 32
    key_heads: int = 8


TINY = Shape(2, 64, 128, 4, 2)


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
