"""The config of the model that a recipe names, from wherever it can be read, without weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rectune.core.errors import UserError, first_line
from rectune.models.reference import TINY, hub_error, locate

if TYPE_CHECKING:
    from transformers import PretrainedConfig

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
_TINY_WORDS = 49152  # of the embedded model's vocabulary, which `tiny` has too


def find_config(reference: str, checkpoint: Path | None) -> tuple[PretrainedConfig, str]:
    """The config of the model that a recipe names, and where it was read.

    Args:
        reference: `models.base`.
        checkpoint: the base stage's checkpoint folder, where it is finished.

    Raises:
        UserError: nothing here describes the model, and the Hub does not give its config.json.
    """
    from transformers import AutoConfig

    if checkpoint and (checkpoint / "config.json").is_file():
        return _read_config(str(checkpoint), local_files_only=True), "its checkpoint"
    found = locate(reference)
    name, _, revision = reference.partition("@")
    if found.kind == "tiny":
        widths = {key: value for key, value in TINY.items() if key != "seed"}
        return AutoConfig.for_model("llama", vocab_size=_TINY_WORDS, **widths), "its definition"
    if found.path and found.kind == "folder":
        return _read_config(str(found.path), local_files_only=True), "its config.json"
    if found.path:
        folder, file = str(found.path.parent), found.path.name
        return _read_config(folder, gguf_file=file, local_files_only=True), "its GGUF file"
    if name in _KNOWN:
        return AutoConfig.for_model(**_KNOWN[name]), "a table of known models"
    return _read_config(name, revision=revision or None), "the Hub"


def _read_config(place: str, **options: Any) -> PretrainedConfig:
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(place, trust_remote_code=False, **options)
    except OSError as problem:
        if "local_files_only" not in options:
            raise hub_error(place, problem) from None
        raise cannot_estimate(place, problem) from None
    except Exception as problem:  # values that no config may have fail in many ways
        raise cannot_estimate(place, problem) from problem


def cannot_estimate(where: str, problem: Exception) -> UserError:
    """The error for a model that cannot be built, adapted or traced without its weights."""
    hint = "the plan itself works without --estimate"
    return UserError(f"memory cannot be estimated: {first_line(problem)}", where=where, hint=hint)
