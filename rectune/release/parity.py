"""The gate: what the files of an export may differ by, and which of them differ by more."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rectune.core.errors import RectuneError
from rectune.core.figures.models import (
    AdapterFile,
    Divergence,
    ExportedFile,
    HitChange,
    MergeFigures,
    TokenParity,
)
from rectune.models.logprob_parity import AnswerLogprobs, divergence

# Nats a token, mean over the conversations. Measured with the embedded 135M model, which loses more than
# large ones do (docs/export.md): merge 6e-6, F16 0.005, Q8_0 0.13, Q6_K 0.23, Q5_K_M 0.49, Q4_K_M 0.55,
# Q3_K_M 0.92, Q2_K 2.1. Each bound is twice that or more. Q4_0 of that model is refused: at 2.1 (KL 1.5) it
# says other things than its checkpoint.
MERGE_BOUND = 0.01
F16_BOUND = 0.05
FINE_BOUND = 0.5
MEDIUM_BOUND = 1.7
COARSE_BOUND = 4.5
_BITS = re.compile(r"\d+")
LARGEST_LOSS = (
    0.05  # of Hit@1 that a quantisation may cost for certain, that is, at the interval's better end
)


def bound_of(quantisation: str) -> float:
    """How far (mean gap, nats a token) a file of this type may be from the merged checkpoint, by the bits in
    its name.
    """
    found = _BITS.search(quantisation)
    bits = int(found[0]) if found else 0
    for least, bound in ((16, F16_BOUND), (8, FINE_BOUND), (4, MEDIUM_BOUND)):
        if bits >= least:
            return bound
    return COARSE_BOUND


def compared(ours: AnswerLogprobs, theirs: AnswerLogprobs) -> Divergence:
    """`rectune.models.logprob_parity.divergence`, with None for all of it where tokens differ."""
    try:
        return divergence(ours, theirs)
    except RectuneError:
        return Divergence(tokens=0, mean_gap=None, max_gap=None, kl=None)


def failures(
    merge: MergeFigures, tokens: TokenParity, files: Sequence[ExportedFile], adapter: AdapterFile | None
) -> list[str]:
    """Everything that the gate refuses, a line each; empty if the export passes.

    Args:
        merge: what `rectune.release.merge_choice.merge_best` returned.
        tokens: what `rectune.release.token_parity.token_parity` returned.
        files: every GGUF file.
        adapter: the adapter's GGUF file, if one was made.
    """
    exact = merge.form == merge.trained_on
    found = [
        _gap(
            f"the merge ({merge.form})",
            merge.forms[merge.form],
            MERGE_BOUND if exact else COARSE_BOUND,
            "the adapter model",
        )
    ]
    found.append(_tokens(tokens))
    for file in files:
        name = f"{file.file or 'the file before quantisation'} ({file.quantisation})"
        found.append(_gap(name, file, bound_of(file.quantisation), "the merged checkpoint"))
        found.append(_hits(name, file))
    if adapter:
        name = f"{adapter.file} on the base's {adapter.base} file"
        bound = bound_of(adapter.base)
        found.append(_gap(name, adapter.to_original, bound, "the adapter on the original base"))
    return [line for line in found if line]


def _gap(name: str, figures: Divergence, bound: float, other: str) -> str:
    gap = figures.mean_gap
    if gap is None:
        return f"{name} splits answers into other tokens than {other}, or computes no numbers"
    if gap <= bound:
        return ""
    return f"{name} lies {gap:.3f} nats a token from {other}; the bound is {bound}"


def _tokens(tokens: TokenParity) -> str:
    if tokens.differing_count:
        first = tokens.differing[0][:60]
        return (
            f"{tokens.differing_count} texts are split into other tokens by the GGUF file, such as {first!r}"
        )
    if tokens.control:
        return f"{tokens.control} special tokens are not the same to the GGUF file"
    return ""


def _hits(name: str, file: HitChange) -> str:
    interval = file.interval
    if not interval or interval[1] >= -LARGEST_LOSS:
        return ""
    return f"{name} loses Hit@1: {file.change:+.3f} [{interval[0]:+.3f}, {interval[1]:+.3f}] against F16"
