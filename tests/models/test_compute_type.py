"""The type that training computes in."""

from __future__ import annotations

import pytest
import torch

from rectune.core.settings import ModelsConfig
from rectune.models.loading import compute_type


@pytest.mark.parametrize("has", ["avx512_bf16", "amx_bf16", ""])
def test_native_is_bfloat16_where_matrices_of_it_are_multiplied(
    has: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_f": True, has: True})
    assert compute_type(ModelsConfig(compute_dtype="native")) == (
        torch.bfloat16 if has == "amx_bf16" else torch.float32
    )
    assert compute_type(ModelsConfig(compute_dtype="auto")) == torch.float32
