"""The export: its files and figures, what stops it, what it keeps of an earlier attempt, and (slow) all of it
in earnest.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rectune.core.errors import UserError
from rectune.core.figures import ExportFigures
from rectune.core.figures.models import MergeFigures, TokenParity
from rectune.core.figures.read_records import read_record
from rectune.core.figures.record import GgufFile
from rectune.core.recipe import Recipe, parse_recipe
from rectune.models.logprob_parity import AnswerLogprobs
from rectune.release import export, merge_choice
from rectune.release.export import file_names, run
from tests.rankers.world import write_world
from tests.release.small import adapter

LOGS = np.log(np.array([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3]], np.float32))
TOKENS = TokenParity(texts=65, vocabulary=900, differing=(), differing_count=0, control=0)


def recipe(**release: Any) -> Recipe:
    plain = {"parity_cases": 4, "quantisations": ["Q8_0"]}
    return parse_recipe({"models": {"base": "tiny"}, "release": plain | release})


def rows(away: float = 0.0) -> AnswerLogprobs:
    """The same two tokens in every form, the second form `away` nats from the first."""
    return AnswerLogprobs(np.array([0, 1]), LOGS - np.float32(away))


class Machinery:
    """Everything heavy replaced by small files and known figures; `away` is each form's distance in nats."""

    def __init__(self) -> None:
        self.merges: list[str] = []
        self.conversions: list[str] = []
        self.away = {"dequantised": 0.0, "original": 0.2, "F16.gguf": 0.001, "model.gguf": 0.1}
        self.tokens = TOKENS

    def merge(self, checkpoint: Path, adapter: Path, out: Path, form: str) -> None:
        out.mkdir()
        (out / "model.safetensors").write_bytes(form.encode())
        self.merges.append(form)

    def convert(self, checkpoint: Path, out: Path, kind: str) -> None:
        out.write_bytes(b"GGUF")
        self.conversions.append(out.name)

    def quantise(self, plain: Path, out: Path, quantisation: str) -> None:
        if not out.exists():
            self.convert(plain, out, quantisation)

    def rows_of_gguf(self, model: Path, conversations: Any, adapter: Path | None = None) -> AnswerLogprobs:
        return rows(0.25 if adapter else self.away.get(model.name, 0.0))

    def hits(self, model: Path, count: int) -> list[bool]:
        """The 16-bit file misses none, every other the first."""
        return [model.name == "F16.gguf" or place > 0 for place in range(count)]

    def install(self, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(merge_choice, "merge_adapter", self.merge)
        patch.setattr(merge_choice, "rows_of_adapter", lambda *_: rows())
        patch.setattr(
            merge_choice,
            "rows_of_checkpoint",
            lambda folder, _: rows(self.away[(folder / "model.safetensors").read_text()]),
        )
        patch.setattr(export, "convert", self.convert)
        patch.setattr(export, "to_quantised", self.quantise)
        patch.setattr(export, "convert_adapter", lambda base, adapter, out: self.convert(base, out, "f32"))
        patch.setattr(
            export,
            "gguf_figures",
            lambda file, name: GgufFile(quantisation=name, bytes=4, tensor_types={name: 1}),
        )
        patch.setattr(export, "rows_of_gguf", self.rows_of_gguf)
        patch.setattr(export, "hits_of", lambda model, cases, items: self.hits(model, len(cases)))
        patch.setattr(export, "token_parity", lambda *_: self.tokens)


@pytest.fixture
def machinery(monkeypatch: pytest.MonkeyPatch) -> Machinery:
    found = Machinery()
    found.install(monkeypatch)
    return found


@pytest.fixture
def inputs(tmp_path: Path) -> dict[str, Path]:
    """A world to rank in, and an adapter that was trained in 4 bits."""
    dpo = tmp_path / "dpo"
    (dpo / "adapter").mkdir(parents=True)
    (dpo / "adapter" / "base.json").write_text('{"load_in_4bit": true}')
    (dpo / "adapter" / "adapter_config.json").write_text('{"r": 4, "lora_alpha": 8}')
    return {**write_world(tmp_path / "world"), "base": tmp_path / "base", "dpo": dpo}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "export.partial"
    folder.mkdir()
    return folder


def test_files_are_named_by_their_type_and_the_first_is_the_main_one() -> None:
    assert file_names(["Q4_K_M", "F16"]) == {"Q4_K_M": "model.gguf", "F16": "model.F16.gguf"}


def test_both_merges_are_measured_and_the_closer_one_is_kept(
    machinery: Machinery, inputs: dict[str, Path], out: Path
) -> None:
    merge = run(recipe(), inputs, out).merge
    assert (merge.form, merge.trained_on) == ("dequantised", "dequantised")
    assert merge.forms["original"].mean_gap == pytest.approx(0.2)
    assert machinery.merges == ["dequantised", "original"]
    assert (out / "merged" / "model.safetensors").read_text() == "dequantised"
    assert read_record(MergeFigures, "export", out / "merge.json") == merge


@pytest.mark.parametrize(
    ("wanted", "away", "kept"), [("original", 0.2, "original"), ("auto", -1.0, "original")]
)
def test_the_form_is_the_one_asked_for_or_the_closer_one(
    machinery: Machinery, inputs: dict[str, Path], out: Path, wanted: str, away: float, kept: str
) -> None:
    machinery.away |= {"original": max(away, 0.0), "dequantised": 0.004 if away < 0 else 0.0}
    machinery.away |= {"F16.gguf": machinery.away[kept], "model.gguf": machinery.away[kept]}
    merge = run(recipe(merge=wanted, adapter_gguf=False), inputs, out).merge
    assert merge.form == kept
    assert list(merge.forms) == (["dequantised", "original"] if wanted == "auto" else [wanted])
    assert machinery.merges == list(merge.forms)


def test_without_4_bits_there_is_one_merge(machinery: Machinery, inputs: dict[str, Path], out: Path) -> None:
    (inputs["dpo"] / "adapter" / "base.json").unlink()
    machinery.away["original"] = 0.0
    merge = run(recipe(merge="dequantised"), inputs, out).merge
    assert machinery.merges == ["original"] and merge.form == merge.trained_on == "original"


def test_every_file_is_made_from_one_of_16_bits_and_compared_with_it(
    machinery: Machinery, inputs: dict[str, Path], out: Path
) -> None:
    stats = run(recipe(quantisations=["Q8_0", "Q4_K_M"]), inputs, out)
    assert machinery.conversions == ["F16.gguf", "model.gguf", "model.Q4_K_M.gguf", "adapter.gguf"]
    f16, main, other = stats.files
    assert (f16.quantisation, f16.file, f16.hit, f16.change) == ("F16", "", 1.0, 0.0)
    assert (main.file, main.cases, main.hit, main.change) == ("model.gguf", 4, 0.75, -0.25)
    assert main.mean_gap == pytest.approx(0.1, abs=1e-4) and other.mean_gap == 0.0
    assert main.interval[0] < -0.25 < 0 < main.interval[1] and stats.adapter is not None
    assert stats.adapter.to_original.mean_gap == pytest.approx(0.05)
    assert {path.name for path in out.iterdir()} == {
        "merged",
        "merge.json",
        "parity.json",
        *("model.gguf", "model.Q4_K_M.gguf", "adapter.gguf"),
    }


def test_a_16_bit_file_that_is_asked_for_is_kept(
    machinery: Machinery, inputs: dict[str, Path], out: Path
) -> None:
    machinery.away["model.gguf"] = 0.001
    stats = run(recipe(quantisations=["F16"], adapter_gguf=False, parity_cases=0), inputs, out)
    assert [file.file for file in stats.files] == ["model.gguf"] and stats.adapter is None
    assert stats.files[0].hit is None and machinery.conversions == ["model.gguf"]


def test_a_failed_check_writes_its_figures_says_why_and_stops(
    machinery: Machinery, inputs: dict[str, Path], out: Path
) -> None:
    machinery.tokens = TOKENS.model_copy(update={"differing": ("8 ½",), "differing_count": 1})
    with pytest.raises(UserError, match=r"1 texts are split .*8 ½") as refusal:
        run(recipe(), inputs, out)
    assert "allow_failed_parity" in refusal.value.hint
    figures = read_record(ExportFigures, "export", out / "parity.json")
    assert figures.parity.passed is False and figures.files[1].hit == 0.75
    merges = len(machinery.merges)
    stats = run(recipe(allow_failed_parity=True), inputs, out)
    assert stats.parity.passed is False and len(machinery.merges) == merges


def test_what_was_finished_is_not_made_again(
    machinery: Machinery, inputs: dict[str, Path], out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(export, "convert_adapter", killed)
        with pytest.raises(KeyboardInterrupt):
            run(recipe(), inputs, out)
    stats = run(recipe(), inputs, out)
    assert machinery.merges == ["dequantised", "original"] and stats.parity.passed
    assert machinery.conversions == ["F16.gguf", "model.gguf", "adapter.gguf"]


def test_an_unknown_type_is_told_before_any_work(
    machinery: Machinery, inputs: dict[str, Path], out: Path
) -> None:
    with pytest.raises(UserError, match="Q9_9"):
        run(recipe(quantisations=["Q8_0", "Q9_9"]), inputs, out)
    assert machinery.merges == []


def test_an_adapter_that_llama_cpp_cannot_take_is_told_before_any_work(
    machinery: Machinery, inputs: dict[str, Path], out: Path
) -> None:
    (inputs["dpo"] / "adapter" / "adapter_config.json").write_text('{"use_dora": true}')
    with pytest.raises(UserError, match="use_dora"):
        run(recipe(), inputs, out)
    assert machinery.merges == []
    assert run(recipe(adapter_gguf=False), inputs, out).adapter is None


@pytest.mark.slow
def test_the_real_export_of_a_tiny_model(tmp_path: Path) -> None:
    from rectune.models import prepare

    base, dpo, out = (tmp_path / "runs" / stage / "key" for stage in ("base", "dpo", "export"))
    for folder in (base, out, dpo):
        folder.mkdir(parents=True)
    prepare.run(recipe(), {}, base)
    (dpo / "adapter").symlink_to(adapter(True))
    inputs = {**write_world(tmp_path / "world"), "base": base, "dpo": dpo}
    stats = run(recipe(quantisations=["Q8_0", "Q4_K_M"]), inputs, out)
    f16, main, small = stats.files
    assert main.tensor_types == {"Q8_0": 15, "F32": 5} and small.tensor_types["Q5_0"] == 12
    assert stats.merge.form == "dequantised" and stats.merge.forms["dequantised"].max_gap < 1e-4
    assert f16.mean_gap < 0.001 < main.mean_gap < small.mean_gap < 0.1
    assert stats.adapter.to_original.mean_gap < 0.01
    assert stats.parity.passed and stats.parity.texts > 60
