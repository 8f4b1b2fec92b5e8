"""The export in words: known figures, and dashes for what was not measured."""

from __future__ import annotations

from rectune.core.figures import ExportFigures
from rectune.models.export_summary import export_summary
from tests.core.filled import record

GAPS = {"mean_gap": 0.00412, "kl": 0.0001}


def test_a_file_is_a_row_and_what_was_not_measured_a_dash() -> None:
    known = {
        "quantisation": "Q8_0",
        "file": "model.gguf",
        "bytes": 144_000_000,
        "tensor_types": {"Q8_0": 211, "F32": 61},
        "mean_gap": 0.1234,
        "max_gap": None,
        "kl": 2e-7,
        "cases": 24,
        "hit": 0.25,
        "change": -0.125,
        "interval": [-0.3, 0.05],
    }
    figures = record(ExportFigures, files=[known, {"quantisation": "F16", "bytes": 100_000}])
    lines = export_summary(figures).splitlines()
    assert lines[2].startswith("| quantisation | file | MB | tensors by type |") and lines[6] == ""
    assert lines[4] == (
        "| Q8_0 | model.gguf | 144.0 | Q8_0 211, F32 61 | 0.123 | – | 2e-07 | 0.250 of 24 "
        "| -0.125 [-0.300, +0.050] |"
    )
    assert lines[5].split(" | ")[0] == "| F16" and lines[5].count("–") == 5


def test_merge_adapter_tokens_and_faults_are_sentences() -> None:
    figures = {
        "files": [{"quantisation": "F16"}],
        "merge": {
            "form": "original",
            "forms": {"dequantised": {"mean_gap": 1e-6, "kl": 0.0}, "original": GAPS},
        },
        "adapter": {"file": "adapter.gguf", "base": "Q8_0", "to_original": GAPS, "to_adapter_model": GAPS},
        "parity": {"texts": 65, "vocabulary": 900, "differing_count": 2, "failed": ["one", "two <b>"]},
    }
    *_, first, second, merge, adapter, tokens = export_summary(record(ExportFigures, **figures)).split("\n\n")
    assert first == "**Not equal:** one" and second == "**Not equal:** two &lt;b&gt;"
    assert "into the original base" in merge and "original: 0.00412 and KL 0.0001" in merge
    assert "base's Q8_0 file lies 0.00412" in adapter
    assert "Of 65 hard texts" in tokens and "2 are split" in tokens
