"""Copies of weights for processors: when one is made, what it is called, and that it says the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rectune.core.errors import UserError
from rectune.core.settings import EngineConfig
from rectune.inference.llamacpp import LlamaEngine
from rectune.inference.weights import copy_type, fast_weights
from tests.models.gguf_files import part, write_gguf

GIB = 2**30


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "rectune" / "weights"


@pytest.mark.parametrize("kind", ["Q8_0", "Q4_0", "Q4_K - Medium", "F16", "unknown"])
def test_types_with_batched_kernels_are_left_alone(model: Path, cache: Path, kind: str) -> None:
    assert fast_weights(model, kind, 64 * GIB) == model
    assert not cache.exists()


def test_a_copy_takes_at_most_a_quarter_of_the_memory() -> None:
    weights = 160e6  # 300 MiB in 16 bits, 160 MiB in 8
    kinds = [
        copy_type(weights, memory, brain_floats=True) for memory in (64 * GIB, GIB // 2 + GIB // 4, GIB // 16)
    ]
    assert kinds == ["BF16", "Q8_0", ""]


def test_without_brain_floats_the_copy_is_of_8_bits() -> None:
    assert copy_type(160e6, 64 * GIB, brain_floats=False) == "Q8_0"


def test_the_copy_is_made_once_and_says_the_same(model: Path, cache: Path) -> None:
    copy = fast_weights(model, "Q4_1", 64 * GIB)
    made = copy.stat().st_mtime_ns
    assert fast_weights(model, "Q4_1", 64 * GIB) == copy
    assert [path.name for path in cache.iterdir()] == [copy.name]
    assert copy.stat().st_mtime_ns == made

    text = "The film is about a family that moves to the sea."
    found = []
    for path in (model, copy):
        with LlamaEngine(path, EngineConfig(context=64, max_num_seqs=1, threads=1, weights="file")) as engine:
            found.append(np.array(engine.loglikelihood([("user", "Write.")], [text])[0]))
    assert np.abs(found[0] - found[1]).mean() < 0.1  # as much as another shape of batch moves them


def test_where_no_copy_can_be_kept_the_file_itself_serves(
    model: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cache.parent.mkdir(parents=True)
    cache.write_text("in the way")
    assert fast_weights(model, "Q4_1", 64 * GIB) == model
    assert "no " in capsys.readouterr().err


@pytest.mark.parametrize("template", ["", "{{ raise_exception('never') }}"])
def test_a_model_that_is_refused_leaves_no_copy(tmp_path: Path, cache: Path, template: str) -> None:
    path = write_gguf(tmp_path / "model.gguf", template, kind="Q4_1")
    with (
        pytest.raises(UserError, match=r"model\.gguf"),
        LlamaEngine(path, EngineConfig(context=64, max_num_seqs=1)),
    ):
        pass
    assert not list(cache.parent.rglob("*"))


def test_a_model_without_a_tensor_leaves_no_copy(tmp_path: Path, cache: Path) -> None:
    path = part(write_gguf(tmp_path / "model.gguf", parts=2, kind="Q4_1"), 1, 2)
    alone = path.rename(tmp_path / "alone.gguf")
    with (
        pytest.raises(UserError, match=r"alone\.gguf"),
        LlamaEngine(alone, EngineConfig(context=64, max_num_seqs=1)),
    ):
        pass
    assert not [file for file in cache.parent.rglob("*") if file.is_file()]


def test_a_model_in_parts_is_copied_and_run_as_a_whole(tmp_path: Path, cache: Path) -> None:
    path = part(write_gguf(tmp_path / "model.gguf", parts=3, kind="Q4_1"), 1, 3)
    with LlamaEngine(path, EngineConfig(context=64, max_num_seqs=1, threads=1)) as engine:
        assert engine.weights.parent == cache
        assert len(engine.loglikelihood([("user", "a")], ["b"])[0]) == 1
