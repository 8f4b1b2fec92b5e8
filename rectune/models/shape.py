"""The widths of a decoder-only model, from its config.json: enough to count weights, activations and arithmetic."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rectune.core.errors import UserError
from rectune.models.reference import TINY, locate

# Open models that the shipped recipes name, for machines without the Hub: the figures of their config.json.
_KNOWN: dict[str, dict[str, Any]] = {
    "Qwen/Qwen2.5-7B-Instruct": {
        "model_type": "qwen2",
        "hidden_size": 3584,
        "intermediate_size": 18944,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
        "vocab_size": 152064,
        "tie_word_embeddings": False,
    },
}
_NEEDED = (
    "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "vocab_size",
)  # fmt: skip
_SPARSE = ("num_experts", "num_local_experts", "n_routed_experts")  # these count experts, whose widths differ


@dataclass(frozen=True)
class Shape:
    """A Llama-like model: gated feed-forward, grouped keys and values. Widths are elements, `vocabulary` tokens."""

    hidden: int
    inner: int
    layers: int
    heads: int
    key_heads: int
    head_size: int
    vocabulary: int
    tied: bool

    @property
    def queries(self) -> int:
        """Width of all query heads together."""
        return self.heads * self.head_size

    @property
    def keys(self) -> int:
        """Width of all key heads together; the values' is the same."""
        return self.key_heads * self.head_size

    @property
    def linears(self) -> dict[str, tuple[int, int]]:
        """Inputs and outputs of the linear layers of one block, by the names that most models give them."""
        return {
            "q_proj": (self.hidden, self.queries),
            "k_proj": (self.hidden, self.keys),
            "v_proj": (self.hidden, self.keys),
            "o_proj": (self.queries, self.hidden),
            "gate_proj": (self.hidden, self.inner),
            "up_proj": (self.hidden, self.inner),
            "down_proj": (self.inner, self.hidden),
        }

    @property
    def linear_parameters(self) -> int:
        """Weights of the linear layers of all blocks: what is held in 4 bits."""
        return self.layers * sum(inputs * outputs for inputs, outputs in self.linears.values())

    @property
    def other_parameters(self) -> int:
        """Embeddings, the head where it is not the embeddings, norms: what is not held in 4 bits. Biases are left out."""
        tables = 1 if self.tied else 2
        return tables * self.vocabulary * self.hidden + (2 * self.layers + 1) * self.hidden

    @property
    def parameters(self) -> int:
        """All weights."""
        return self.linear_parameters + self.other_parameters


def read_shape(config: Mapping[str, Any], where: str) -> Shape:
    """The shape that a config.json describes.

    Raises:
        UserError: it is no dense decoder with the usual names.
    """
    config = config.get("text_config", config)
    absent = [name for name in _NEEDED if not isinstance(config.get(name), int)]
    sparse = [name for name in _SPARSE if (config.get(name) or 0) > 1]
    if absent or sparse:
        reason = f"its config.json lacks {', '.join(absent)}" if absent else "it is a mixture of experts"
        raise UserError(
            f"memory cannot be estimated: {reason}",
            where=where,
            mend="the plan itself works without --estimate",
        )
    heads = config["num_attention_heads"]
    return Shape(
        hidden=config["hidden_size"],
        inner=config["intermediate_size"],
        layers=config["num_hidden_layers"],
        heads=heads,
        key_heads=config.get("num_key_value_heads") or heads,
        head_size=config.get("head_dim") or config["hidden_size"] // heads,
        vocabulary=config["vocab_size"],
        tied=bool(config.get("tie_word_embeddings", True)),
    )


def shape_of(reference: str, checkpoint: Path | None) -> tuple[Shape, str]:
    """The shape of the model that a recipe names, and where it was read.

    Args:
        reference: `models.base`.
        checkpoint: the base stage's checkpoint folder, where it is finished.

    Raises:
        UserError: nothing here describes the model, and the Hub does not give its config.json.
    """
    if checkpoint and (checkpoint / "config.json").is_file():
        return _from_file(checkpoint / "config.json"), "its checkpoint"
    found = locate(reference)
    if found.kind == "tiny":
        return read_shape({**TINY, "vocab_size": 49152}, "tiny"), "its definition"
    if found.path and found.kind == "folder":
        return _from_file(found.path / "config.json"), "its config.json"
    if found.path:
        return read_shape(_gguf_config(found.path), str(found.path)), "its GGUF file"
    name, _, revision = reference.partition("@")
    if name in _KNOWN:
        return read_shape(_KNOWN[name], name), "a table of known models"
    return _from_file(_hub_config(name, revision)), "the Hub"


def _from_file(path: Path) -> Shape:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise UserError(f"cannot be read as JSON ({problem})", where=str(path)) from None
    return read_shape(config, str(path))


def _hub_config(name: str, revision: str) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

    from rectune.models.reference import hub_error

    try:
        return Path(hf_hub_download(name, "config.json", revision=revision or None))
    except (HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled, OSError) as problem:
        raise hub_error(name, problem) from None


def _gguf_config(path: Path) -> dict[str, Any]:
    """The names of config.json for what a GGUF file says."""
    from gguf import GGUFReader

    reader = GGUFReader(path)
    fields = reader.fields
    kind = fields["general.architecture"].contents()

    def number(name: str) -> int:
        field = fields.get(f"{kind}.{name}")
        return int(field.contents()) if field else 0

    tensors = {tensor.name for tensor in reader.tensors}
    return {
        "hidden_size": number("embedding_length"),
        "intermediate_size": number("feed_forward_length"),
        "num_hidden_layers": number("block_count"),
        "num_attention_heads": number("attention.head_count"),
        "num_key_value_heads": number("attention.head_count_kv"),
        "vocab_size": len(fields["tokenizer.ggml.tokens"].data),
        "tie_word_embeddings": "output.weight" not in tensors,
        "num_experts": number("expert_count"),
    }
