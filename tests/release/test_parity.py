"""What the gate lets pass and what it refuses, each in a line."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rectune.core.figures.models import AdapterFile, Divergence, ExportedFile, MergeFigures, TokenParity
from rectune.models.logprob_parity import AnswerLogprobs
from rectune.release.parity import (
    COARSE_BOUND,
    F16_BOUND,
    FINE_BOUND,
    MEDIUM_BOUND,
    bound_of,
    compared,
    failures,
)
from tests.core.filled import record

MERGE: dict[str, Any] = {
    "form": "dequantised",
    "trained_on": "dequantised",
    "forms": {"dequantised": {"mean_gap": 1e-6}, "original": {"mean_gap": 0.2}},
}
FILE: dict[str, Any] = {"quantisation": "Q8_0", "file": "model.gguf", "mean_gap": 0.1}
ADAPTER: dict[str, Any] = {"file": "adapter.gguf", "base": "Q8_0", "to_original": {"mean_gap": 0.1}}


def refused(
    merge: dict[str, Any] = MERGE,
    tokens: dict[str, Any] | None = None,
    file: dict[str, Any] = FILE,
    adapter: dict[str, Any] | None = None,
) -> list[str]:
    return failures(
        record(MergeFigures, **merge),
        record(TokenParity, **(tokens or {})),
        [record(ExportedFile, **file)],
        record(AdapterFile, **adapter) if adapter else None,
    )


def test_what_is_within_all_bounds_passes() -> None:
    assert refused(adapter=ADAPTER) == [] == refused()


def test_bounds_grow_with_what_a_type_loses() -> None:
    assert {bound_of(name) for name in ("F16", "BF16", "F32")} == {F16_BOUND}
    assert bound_of("Q8_0") == FINE_BOUND > F16_BOUND
    assert {bound_of(name) for name in ("Q4_K_M", "Q6_K", "IQ4_XS", "MXFP4_MOE")} == {MEDIUM_BOUND}
    assert {bound_of(name) for name in ("IQ2_XS", "Q3_K_S", "TQ1_0")} == {COARSE_BOUND}
    assert FINE_BOUND < MEDIUM_BOUND < COARSE_BOUND


@pytest.mark.parametrize(
    ("merge", "tokens", "file", "said"),
    [
        ({"forms": {"dequantised": {"mean_gap": 0.02}}}, {}, {}, "the merge (dequantised) lies 0.020"),
        ({}, {"differing_count": 2, "differing": ["8 ½"]}, {}, "2 texts are split"),
        ({}, {"control": 1}, {}, "1 special tokens"),
        ({}, {}, {"mean_gap": FINE_BOUND * 1.01}, "model.gguf (Q8_0) lies 0.505 nats"),
        ({}, {}, {"mean_gap": None}, "computes no numbers"),
        ({}, {}, {"quantisation": "F16", "file": ""}, "the file before quantisation (F16) lies 0.100"),
        ({}, {}, {"change": -0.3, "interval": [-0.4, -0.06]}, "loses Hit@1: -0.300 [-0.400, -0.060]"),
    ],
)
def test_each_fault_is_one_line(
    merge: dict[str, Any], tokens: dict[str, Any], file: dict[str, Any], said: str
) -> None:
    found = refused(MERGE | merge, tokens, FILE | file)
    assert len(found) == 1 and said in found[0] and "\n" not in found[0]


def test_a_loss_that_may_be_chance_passes_and_a_form_not_trained_on_has_a_wider_bound() -> None:
    lost = FILE | {"change": -0.3, "interval": [-0.6, -0.04]}
    assert refused(MERGE | {"form": "original"}, file=lost) == []


def test_an_adapter_file_that_computes_something_else_is_refused() -> None:
    (line,) = refused(adapter=ADAPTER | {"to_original": {"mean_gap": 0.9}})
    assert "adapter.gguf on the base's Q8_0 file lies 0.900" in line


def test_what_cannot_be_compared_has_no_figures() -> None:
    one = AnswerLogprobs(np.array([0]), np.log(np.array([[0.5, 0.5]], np.float32)))
    none = Divergence(tokens=0, mean_gap=None, max_gap=None, kl=None)
    assert compared(one, AnswerLogprobs(np.array([1]), one.logs)) == none
    broken = compared(one, AnswerLogprobs(one.tokens, one.logs * np.nan))
    assert broken.tokens == 1 and broken.mean_gap is None
