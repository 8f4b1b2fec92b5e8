"""The export: what it refuses, what it keeps of an earlier attempt, and (slow) a real conversion."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from rectune.errors import RectuneError
from rectune.recipe import Recipe, parse_recipe
from rectune.settings import Lora, Models
from release.export import run


def recipe() -> Recipe:
    return parse_recipe({"models": {"base": "tiny"}, "release": {"quantisation": "Q8_0"}})


@pytest.fixture()
def merges(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Merging and converting replaced by writing small files; lists the merges that were made."""
    made: list[Path] = []

    def merge(checkpoint: Path, adapter: Path, out: Path) -> None:
        out.mkdir()
        (out / "model.safetensors").write_bytes(b"12345")
        made.append(out)

    def convert(checkpoint: Path, out: Path, quantisation: str) -> dict[str, Any]:
        out.write_bytes(b"GGUF")
        return {"quantisation": quantisation, "bytes": 4, "tensor_types": {quantisation: 1}}

    monkeypatch.setattr("models.merge.merge_adapter", merge)
    monkeypatch.setattr("models.gguf.to_gguf", convert)
    return made


def compared(monkeypatch: pytest.MonkeyPatch, gap: float, differing: list[str]) -> None:
    monkeypatch.setattr("release.parity.token_parity", lambda *_: {"texts": 9, "differing": differing})
    gaps = {"tokens": 30, "mean_gap": gap, "max_gap": gap}
    monkeypatch.setattr("release.parity.logprob_parity", lambda *_: gaps)


@pytest.mark.parametrize("gap", [0.51, math.nan])
def test_an_absurd_gap_is_an_error(
    merges: list[Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, gap: float
) -> None:
    compared(monkeypatch, gap, [])
    with pytest.raises(RectuneError, match="broken conversion"):
        run(recipe(), {"base": tmp_path, "dpo": tmp_path}, tmp_path)


def test_other_tokens_are_recorded(
    merges: list[Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    compared(monkeypatch, 0.002, ["8 ½"])
    stats = run(recipe(), {"base": tmp_path, "dpo": tmp_path}, tmp_path)
    assert stats["parity"]["passed"] is False and stats["parity"]["differing"] == ["8 ½"]
    assert stats["merged_bytes"] == 5 and stats["gguf"]["tensor_types"] == {"Q8_0": 1}


def test_a_finished_merge_is_not_made_again(
    merges: list[Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    compared(monkeypatch, 0.002, [])
    inputs = {"base": tmp_path, "dpo": tmp_path}
    first = run(recipe(), inputs, tmp_path)
    assert run(recipe(), inputs, tmp_path) == first and len(merges) == 1 and first["parity"]["passed"]


@pytest.mark.slow
def test_the_real_conversion_of_a_tiny_model(tmp_path: Path) -> None:
    import torch

    from models import prepare
    from models.loading import add_lora, load_for_training, note_base

    base, dpo, out = (tmp_path / "runs" / stage / "key" for stage in ("base", "dpo", "export"))
    for folder in (base, dpo, out):
        folder.mkdir(parents=True)
    prepare.run(recipe(), {}, base)
    settings = Models(base="tiny")
    model = add_lora(load_for_training(base / "checkpoint", settings), Lora(), seed=0)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.normal_(0.0, 0.02)
    model.save_pretrained(dpo / "adapter")
    note_base(dpo / "adapter", settings)
    stats = run(recipe(), {"base": base, "dpo": dpo}, out)
    assert stats["gguf"]["tensor_types"] == {"Q8_0": 15, "F32": 5}
    assert stats["parity"]["mean_gap"] < 0.05 and stats["parity"]["tokens"] > 20
