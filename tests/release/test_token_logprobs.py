"""Every form of one model expects the same: checkpoint and GGUF, adapter model and adapter file; a broken
file does not.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from rectune.core.errors import RectuneError
from rectune.models.logprob_parity import divergence
from rectune.release.parity import F16_BOUND, compared
from rectune.release.parity_texts import CONVERSATIONS, Conversation
from rectune.release.token_logprobs import rows_of_adapter, rows_of_checkpoint, rows_of_gguf
from tests.models.tiny import tiny_checkpoint
from tests.release.small import adapter, adapter_gguf, exact_gguf

LONG = Conversation((("user", "tell me more " * 50),), "and more, and still more " * 30)  # over `ROWS` tokens


@pytest.mark.slow
def test_llama_cpp_computes_what_the_checkpoint_does() -> None:
    talked = [*CONVERSATIONS[:3], LONG]
    found = divergence(rows_of_checkpoint(tiny_checkpoint(), talked), rows_of_gguf(exact_gguf(), talked))
    assert found.tokens > 150 and found.max_gap < 2e-3 and found.kl < 1e-6


@pytest.mark.slow
def test_the_adapters_own_file_on_the_base_computes_what_the_adapter_model_does() -> None:
    talked = CONVERSATIONS[:3]
    trained = rows_of_adapter(tiny_checkpoint(), adapter(False), talked)
    together = rows_of_gguf(exact_gguf(), talked, adapter_gguf())
    alone = rows_of_gguf(exact_gguf(), talked)
    assert divergence(trained, together).max_gap < 2e-3
    assert divergence(trained, alone).mean_gap > 0.02  # the adapter matters


@pytest.mark.slow
def test_a_broken_adapter_file_is_an_error(tmp_path: Path) -> None:
    broken = tmp_path / "adapter.gguf"
    broken.write_bytes(adapter_gguf().read_bytes()[:2000])
    with pytest.raises(RectuneError, match="cannot put it onto"):
        rows_of_gguf(exact_gguf(), CONVERSATIONS[:1], broken)


@pytest.mark.parametrize("value", [3.0, np.nan])
def test_a_file_with_one_corrupted_tensor_is_told(tmp_path: Path, value: float) -> None:
    from gguf import GGUFReader

    broken = tmp_path / "model.gguf"
    shutil.copy(exact_gguf(), broken)
    tensors = {tensor.name: tensor for tensor in GGUFReader(broken, "r+").tensors}
    weight = tensors["blk.1.ffn_down.weight"].data
    weight[: len(weight) // 2, ::2] = value
    weight.base.flush() if hasattr(weight.base, "flush") else None
    talked = CONVERSATIONS[:3]
    gap = compared(rows_of_checkpoint(tiny_checkpoint(), talked), rows_of_gguf(broken, talked)).mean_gap
    assert gap is None if np.isnan(value) else gap > F16_BOUND
