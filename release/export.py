"""Stage `export`: the aligned model as an ordinary checkpoint and a GGUF file, checked against each other."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rectune.errors import RectuneError
from rectune.progress import say
from rectune.recipe import Recipe

# Nats per token, mean over a few answers. Measured with the embedded 135M model: 0.004 for F16, 0.13 for Q8_0
# (whose arithmetic rounds activations to 8 bits too), 0.6 for Q4_K_M, 1.5 for Q2_K.
ABSURD_GAP = 0.5
COARSE_GAP = 3.0  # for fewer than 8 bits
_FINE = ("F32", "F16", "BF16", "Q8_0")


def run(config: Recipe, inputs: Mapping[str, Path], out: Path) -> dict[str, Any]:
    """Merge the aligned adapter into the base, convert the result to GGUF, and compare the two.

    Args:
        config: sections `models` and `release`.
        inputs: the folders of `base` and `dpo`.
        out: receives `merged/` (Hugging Face folder) and `model.gguf`; finished ones stay.

    Returns:
        Sizes in bytes, the tensor types that were really written, and the parity figures; their `passed` is
        False where hard texts are split into different tokens.

    Raises:
        RectuneError: the log-probabilities lie absurdly far apart, or ordinary sentences
            are split into different numbers of tokens.
    """
    from models.gguf import to_gguf
    from models.merge import merge_adapter

    merged, gguf = out / "merged", out / "model.gguf"
    if not merged.exists():  # both files appear whole or not at all, so what is there is finished
        merge_adapter(inputs["base"] / "checkpoint", inputs["dpo"] / "adapter", merged)
    written = to_gguf(merged, gguf, config.release.quantisation)
    parity = _checked(merged, gguf, config.release.quantisation)
    return {
        "quantisation": config.release.quantisation,
        "gguf": written,
        "merged_bytes": sum(file.stat().st_size for file in merged.rglob("*") if file.is_file()),
        "parity": parity,
    }


def _checked(merged: Path, gguf: Path, quantisation: str) -> dict[str, Any]:
    """Parity figures. Texts that the two split differently are told, and stop a push only."""
    from release.parity import logprob_parity, token_parity

    tokens = token_parity(merged, gguf)
    gaps = logprob_parity(merged, gguf)
    bound = ABSURD_GAP if quantisation in _FINE else COARSE_GAP
    if not gaps["mean_gap"] <= bound:  # also true of NaN
        raise RectuneError(
            f"{gguf.name} ({quantisation}) is {gaps['mean_gap']:.2f} nats a token away from the merged "
            f"checkpoint; anything over {bound} means a broken conversion"
        )
    say(f"  {gguf.name} is within {gaps['mean_gap']:.4f} nats a token of the merged checkpoint")
    for text in tokens["differing"]:
        say(f"  {gguf.name} splits {text!r} into other tokens than the checkpoint")
    return {**tokens, **gaps, "passed": not tokens["differing"]}
