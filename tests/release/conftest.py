"""A finished run in miniature, with figures that are known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rectune.core.figures import (
    BaseFigures,
    DataFigures,
    DpoFigures,
    EvalFigures,
    ExportFigures,
    FilterFigures,
    QueriesFigures,
    RationalesFigures,
    ReportFigures,
    SftFigures,
    TagFigures,
)
from rectune.core.figures.evaluation import EvalMetrics
from rectune.core.figures.record import StageRecord
from rectune.core.figures.served import ServedMetrics
from rectune.core.rows import write_rows
from rectune.core.types import Example, Preference, Prompt, Provenance, with_id
from tests.core.filled import record, write_stage

KEYS = {
    stage: f"{index:016x}"
    for index, stage in enumerate(
        ("base", "data", "queries", "rationales", "filter", "sft", "tag", "dpo", "export", "eval", "report"),
        1,
    )
}
TEACHER = "teacher@10.0.0.7:8000/v1"
MACHINE_PATH = "/home/somebody/secret-project/runs/base/1/checkpoint"

EXPORT: dict[str, Any] = {
    "merge": {
        "form": "dequantised",
        "trained_on": "dequantised",
        "forms": {"dequantised": {"mean_gap": 2e-7, "kl": 0.0}, "original": {"mean_gap": 0.07, "kl": 0.01}},
    },
    "files": [
        {
            "quantisation": "Q8_0",
            "file": "model.gguf",
            "bytes": 5004,
            "tensor_types": {"Q8_0": 211, "F32": 61},
            "mean_gap": 0.0123,
            "max_gap": 0.2,
            "kl": 0.001,
            "cases": 24,
            "hit": 0.25,
            "change": -0.125,
            "interval": [-0.3, 0.05],
        }
    ],
    "adapter": None,
    "parity": {"passed": True, "failed": [], "texts": 65, "vocabulary": 900, "differing_count": 0},
}

FIGURES: tuple[StageRecord, ...] = (
    record(BaseFigures, model="some-org/Base-7B@main", kind="hub"),
    record(
        DataFigures,
        datasets={
            "open": {
                "domain": "films",
                "licence": "CC-BY-4.0",
                "redistributable": True,
                "publisher": "A lab | of sorts",
                "home": "https://films.example",
                "cases": {"train": {"wanted": 8, "got": 6}},
            },
            "closed": {
                "domain": "shop",
                "licence": "research only",
                "cases": {"train": {"wanted": 2, "got": 2}},
            },
        },
    ),
    record(QueriesFigures),
    record(
        RationalesFigures, rows_in=12, rows_out=9, dropped={"no answer": 3}, teachers={"Teacher-9B@0af": 9}
    ),
    record(
        FilterFigures,
        rows_in=9,
        rows_out=5,
        dropped={"score": 3, "empty | <b>": 2},
        dropped_by_one_rule_alone={"score": 2},
    ),
    record(SftFigures),
    record(
        TagFigures,
        rows_in=3,
        rows_out=2,
        pairs=2,
        annotators=["simulated annotator"],
        rule="the longer answer",
    ),
    record(DpoFigures),
    record(ExportFigures, **EXPORT),
    record(EvalFigures),
    record(ReportFigures, verdict="With n = 24 no claim is made."),
)
METRICS: dict[str, Any] = {
    "protocol": "one target among the case's candidates",
    "intervals": "95 %: Wilson for hit@1",
    "candidates": 20,
    "chance": 0.05,
    "systems": {
        "random": {
            "n": 24,
            "hit@1": 0.0417,
            "interval": [0.01, 0.2],
            "domains": {"films": {"n": 24, "hit@1": 0.0417}},
        },
        "dpo": {
            "n": 24,
            "hit@1": 0.375,
            "interval": [0.2, 0.6],
            "hit@5": 0.5,
            "hit@5_interval": [0.3, 0.7],
            "mrr": 0.5,
            "mrr_interval": [0.4, 0.6],
            "ndcg@10": 0.25,
            "ndcg@10_interval": [0.1, 0.3],
            "domains": {"films": {"n": 24, "hit@1": 0.375, "interval": [0.2, 0.6]}},
        },
    },
}


def example(domain: str, number: int, known: str = "") -> Example:
    prompt = Prompt(
        "",
        domain,
        "passive",
        "direct",
        "en",
        "train",
        f"user-{number}",
        "s",
        "i",
        ("a",),
        (),
        "b",
        "",
        "t",
        known or domain,
        cutoff=1_700_000_000 + number,
    )
    return with_id(
        Example("", with_id(prompt), f"answer {number}", Provenance(TEACHER, "Q8_0", "{}", number, "e"))
    )


def preference(domain: str, number: int) -> Preference:
    row = example(domain, number)
    return with_id(Preference("", row.prompt, "chosen", f"rejected {number}", "simulated"))


@pytest.fixture()
def finished(tmp_path: Path) -> dict[str, Path]:
    """Stage name -> finished folder; 3 rows of `films` may be passed on, 2 of `shop` may not."""
    inputs = {stage: tmp_path / "runs" / stage / key for stage, key in KEYS.items()}
    for stage, folder in inputs.items():
        figures = next(one for one in FIGURES if one.stage == stage)
        write_stage(folder, figures, started=f"2026-03-01T10:00:{list(KEYS).index(stage):02}+00:00")
    (inputs["eval"] / EvalMetrics.file).write_text(record(EvalMetrics, **METRICS).to_json())
    (inputs["eval"] / ServedMetrics.file).write_text(record(ServedMetrics).to_json())
    (inputs["queries"] / "config.yaml").write_text("prompts:\n  locales: {en: 0.5, ko: 0.5}\n")
    (inputs["tag"] / "config.yaml").write_text("align:\n  annotator: simulated\n")
    (inputs["sft"] / "config.yaml").write_text("train:\n  learning_rate: 0.0002\n  zero_stage: 2\n")
    (inputs["dpo"] / "config.yaml").write_text("align:\n  learning_rate: 0.00005\n  beta: 0.1\n")
    rows = [
        example("films", 1),
        example("films", 2),
        example("films", 3),
        example("shop", 4),
        example("shop", 5),
    ]
    write_rows(inputs["filter"] / "kept.parquet", rows, Example)
    pairs = [preference("films", 1), preference("shop", 2)]
    write_rows(inputs["tag"] / "preferences.parquet", pairs, Preference)
    _models(inputs)
    (inputs["report"] / "figures").mkdir()
    (inputs["report"] / "figures" / "loss.png").write_bytes(b"\x89PNG plot")
    (inputs["report"] / "figures" / "filter_overlap.png").write_bytes(b"\x89PNG another")
    return inputs


def _models(inputs: dict[str, Path]) -> None:
    adapter, merged = inputs["dpo"] / "adapter", inputs["export"] / "merged"
    (adapter / "ref").mkdir(parents=True)
    merged.mkdir()
    (adapter / "adapter_config.json").write_text(
        json.dumps({"r": 8, "base_model_name_or_path": MACHINE_PATH})
    )
    (adapter / "adapter_model.safetensors").write_bytes(b"adapter weights" * 1000)
    (adapter / "ref" / "adapter_model.safetensors").write_bytes(b"the reference copy")
    (adapter / "README.md").write_text(f"base: {MACHINE_PATH}")
    (merged / "config.json").write_text(json.dumps({"hidden_size": 8, "_name_or_path": MACHINE_PATH}))
    (merged / "model.safetensors").write_bytes(b"merged weights" * 1000)
    (merged / "tokenizer.json").write_text("{}")
    (merged / "training.log").write_text(MACHINE_PATH)
    (inputs["export"] / "model.gguf").write_bytes(b"GGUF" + b"x" * 5000)
