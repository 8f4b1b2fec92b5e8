"""Small GGUF files that llama.cpp reads: two random layers under the first words of the embedded model's
tokenizer.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import gguf
import numpy as np

from rectune.models.reference import gguf_file

WIDTH, INNER, HEADS, LAYERS, WORDS = 64, 128, 4, 2, 1000
TENSORS = 2 + 9 * LAYERS


def write_gguf(path: Path, template: str | None = None, parts: int = 1, kind: str = "F32") -> Path:
    """A file, or `parts` of one under llama.cpp's names; returns the path that was given, without number.

    Args:
        template: the chat template; the embedded model's unless given, and none where empty.
        kind: of the matrices, `F32` or `Q4_1`.
    """
    writer = gguf.GGUFWriter(path, "llama", split_max_tensors=-(-TENSORS // parts) if parts > 1 else 0)
    sizes = {
        "block_count": LAYERS,
        "context_length": 4096,
        "embedding_length": WIDTH,
        "feed_forward_length": INNER,
        "head_count": HEADS,
        "head_count_kv": HEADS,
    }
    for name, value in sizes.items():
        getattr(writer, f"add_{name}")(value)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_file_type(3 if kind == "Q4_1" else 0)
    for name, (value, kinds) in _vocabulary().items():
        if name == "tokenizer.chat_template" and template is not None:
            value = template
        if value:
            writer.add_key_value(name, value, kinds[0], sub_type=kinds[1] if len(kinds) > 1 else None)
    for name, tensor in _tensors(len(_vocabulary()["tokenizer.ggml.tokens"][0])).items():
        if kind == "Q4_1" and tensor.ndim == 2:
            wanted = gguf.GGMLQuantizationType.Q4_1
            writer.add_tensor(name, gguf.quants.quantize(tensor, wanted), raw_dtype=wanted)
        else:
            writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def part(path: Path, number: int, count: int) -> Path:
    """The name of a part."""
    return path.with_name(f"{path.stem}-{number:05d}-of-{count:05d}.gguf")


@lru_cache(maxsize=1)
def _vocabulary() -> Mapping[str, tuple[Any, list[Any]]]:
    fields = gguf.GGUFReader(gguf_file("embedded")).fields
    found = {n: (f.contents(), f.types) for n, f in fields.items() if n.startswith("tokenizer.")}
    cut = {"tokenizer.ggml.tokens": found["tokenizer.ggml.tokens"][0][:WORDS]}
    cut["tokenizer.ggml.token_type"] = found["tokenizer.ggml.token_type"][0][:WORDS]
    known = set(cut["tokenizer.ggml.tokens"])
    merges = (merge.split(" ") for merge in found["tokenizer.ggml.merges"][0])
    cut["tokenizer.ggml.merges"] = [" ".join(m) for m in merges if {*m, "".join(m)} <= known]
    return {name: (cut.get(name, value), kinds) for name, (value, kinds) in found.items()}


@lru_cache(maxsize=1)
def _tensors(words: int) -> Mapping[str, np.ndarray]:
    shapes = {
        "attn_q": (WIDTH, WIDTH),
        "attn_k": (WIDTH, WIDTH),
        "attn_v": (WIDTH, WIDTH),
        "attn_output": (WIDTH, WIDTH),
        "ffn_gate": (INNER, WIDTH),
        "ffn_up": (INNER, WIDTH),
        "ffn_down": (WIDTH, INNER),
    }
    draw = np.random.default_rng(0).standard_normal
    found = {"token_embd.weight": 0.02 * draw((words, WIDTH)), "output_norm.weight": np.ones(WIDTH)}
    for layer in range(LAYERS):
        found |= {f"blk.{layer}.{name}.weight": 0.02 * draw(shape) for name, shape in shapes.items()}
        found |= {f"blk.{layer}.{name}.weight": np.ones(WIDTH) for name in ("attn_norm", "ffn_norm")}
    return {name: tensor.astype(np.float32) for name, tensor in found.items()}
