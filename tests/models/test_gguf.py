"""Checkpoint to GGUF and back into a model that answers; failures that say why."""

import json
from pathlib import Path
from typing import Any

import pytest

from rectune.core.errors import RectuneError, UserError
from rectune.models.gguf import (
    adapter_config,
    convert_adapter,
    parsed_once,
    quantisation_code,
    tensor_types,
    to_gguf,
)
from tests.models.tiny import tiny_checkpoint


@pytest.mark.slow
def test_a_checkpoint_becomes_a_gguf_that_llama_cpp_runs(tmp_path: Path) -> None:
    import llama_cpp

    out = tmp_path / "model.gguf"
    figures = to_gguf(tiny_checkpoint(), out, "Q8_0")
    assert figures.tensor_types["Q8_0"] == 15  # seven matrices a layer, and the embedding
    assert figures.tensor_types["F32"] == 5  # two norms a layer, and the last one
    assert figures.bytes == out.stat().st_size
    assert list(tmp_path.iterdir()) == [out]
    model = llama_cpp.Llama(str(out), n_ctx=128, n_threads=1, verbose=False)
    answer = model.create_chat_completion(
        [{"role": "user", "content": "Hello"}], max_tokens=4, temperature=0.0
    )
    assert answer["usage"]["completion_tokens"] >= 1


@pytest.mark.slow
def test_a_plain_type_is_written_by_the_converter_alone_and_only_once(tmp_path: Path) -> None:
    out = tmp_path / "model.gguf"
    to_gguf(tiny_checkpoint(), out, "F32")
    assert tensor_types(out) == {"F32": 20}
    made = out.stat().st_mtime_ns
    to_gguf(tiny_checkpoint(), out, "F32")
    assert out.stat().st_mtime_ns == made


def test_an_unknown_quantisation_lists_the_known_ones() -> None:
    assert quantisation_code("Q8_0") != quantisation_code("Q4_K_M")
    with pytest.raises(UserError) as refusal:
        quantisation_code("Q8")
    assert "Q8_0" in refusal.value.hint


def test_a_missing_converter_names_the_mend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.prefix", str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match=r"python -m rectune\.models\.fetch_converter"):
        to_gguf(tiny_checkpoint(), tmp_path / "model.gguf", "Q8_0")


def test_a_failed_conversion_shows_the_end_of_its_log_and_leaves_nothing(tmp_path: Path) -> None:
    broken = tmp_path / "checkpoint"
    broken.mkdir()
    (broken / "config.json").write_text('{"architectures": ["NoSuchModel"]}')
    with pytest.raises(RectuneError, match="NoSuchModel"):
        to_gguf(broken, tmp_path / "model.gguf", "Q8_0")
    assert list(tmp_path.iterdir()) == [broken]


@pytest.mark.parametrize(("rank_stabilised", "alpha"), [(False, 8), (True, 16.0)])
def test_an_adapters_scale_is_said_in_llama_cpps_way(
    tmp_path: Path, rank_stabilised: bool, alpha: float
) -> None:
    config = {"r": 4, "lora_alpha": 8, "use_rslora": rank_stabilised}
    (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    found = adapter_config(tmp_path / "adapter_config.json")
    assert found["lora_alpha"] == alpha  # scaled by alpha / r there, by alpha / sqrt(r) in training
    assert json.loads((tmp_path / "adapter_config.json").read_text()) == config


@pytest.mark.parametrize(
    "odd", [{"use_dora": True}, {"alpha_pattern": {"q_proj": 1}}, {"modules_to_save": ["norm"]}]
)
def test_an_adapter_that_llama_cpp_has_no_place_for_is_refused(tmp_path: Path, odd: dict[str, Any]) -> None:
    (tmp_path / "adapter_config.json").write_text(json.dumps({"r": 4, "lora_alpha": 8, **odd}))
    with pytest.raises(UserError, match=next(iter(odd))) as refusal:
        convert_adapter(tiny_checkpoint(), tmp_path, tmp_path / "adapter.gguf")
    assert "adapter_gguf=false" in refusal.value.hint
    assert [path.name for path in tmp_path.iterdir()] == ["adapter_config.json"]


def test_within_parsed_once_a_file_is_read_once_whoever_opens_it(tmp_path: Path) -> None:
    import gguf

    file = tmp_path / "model.gguf"
    writer = gguf.GGUFWriter(file, "llama")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with parsed_once():
        one = gguf.GGUFReader(str(file))
        assert gguf.GGUFReader(file) is one
        assert one.get_field("general.architecture").contents() == "llama"
    assert gguf.GGUFReader(file) is not one
