"""What the report says, gathered from finished stage folders. What is missing is left out, never made up."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rectune.core.manifest import Flow, Manifest, annotators, flows, read_manifests, read_settings, simulated
from rectune.evaluation.pages.data import Data, read_data
from rectune.evaluation.pages.data_tables import Table, tables
from rectune.evaluation.pages.filtered import Filtered, read_filtered
from rectune.evaluation.pages.other_tables import grounding_tables, preference_table
from rectune.evaluation.pages.ranking_tables import ranking_tables
from rectune.evaluation.pages.results import Results, read_results
from rectune.models import metrics
from rectune.models.exported import Exported, exported


@dataclass(frozen=True)
class DomainScores:
    """The response scores of one domain or category: rows, rows kept, and the quartiles of the score."""

    domain: str
    rows: int
    kept: int
    low: float
    median: float
    high: float


@dataclass(frozen=True)
class Content:
    """Everything the templates print. `sft` and `dpo` are the training logs, an entry a step."""

    recipe: str
    data_root: str
    datasets: Mapping[str, Mapping[str, Any]]
    manifests: Mapping[str, Manifest]
    missing: tuple[str, ...]
    flows: tuple[Flow, ...]
    scores: tuple[DomainScores, ...]
    base: str
    sft: tuple[dict[str, Any], ...]
    dpo: tuple[dict[str, Any], ...]
    results: Results
    samples: tuple[Mapping[str, Any], ...]
    recommendations: tuple[Mapping[str, Any], ...]
    annotators: tuple[str, ...]
    simulated: bool
    rule: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    data: Data = field(default_factory=Data)
    filtered: Filtered = field(default_factory=Filtered)
    ranking: tuple[Table, ...] = ()
    pairs: tuple[Mapping[str, Any], ...] = ()
    grounding: tuple[Table, ...] = ()
    preferences: Table | None = None

    @property
    def data_tables(self) -> list[Table]:
        """The data's statistics as words."""
        return tables(self.data)

    @property
    def versions(self) -> dict[str, str]:
        """Package versions over all stages; where stages differ, all that were seen."""
        seen: dict[str, set[str]] = {}
        for manifest in self.manifests.values():
            for package, version in manifest.versions.items():
                seen.setdefault(package, set()).add(str(version))
        return {package: ", ".join(sorted(found)) for package, found in sorted(seen.items())}

    @property
    def exported(self) -> Exported | None:
        """What the stage `export` measured, in words."""
        return exported(self.manifests["export"].figures) if "export" in self.manifests else None

    @property
    def quantised_base(self) -> str:
        """The handicap that 4-bit training gives the tuned models against the base; empty where there is none."""
        if not self.settings.get("models", {}).get("load_in_4bit"):
            return ""
        return (
            "sft and dpo were trained on the base's 4-bit (NF4) form, while base is ranked as it was: "
            "part of the difference between them is that quantisation."
        )

    @property
    def adapter_gap(self) -> str:
        """How far the sampled GGUF is from the adapter it was merged from; empty where that was not measured."""
        figures = self.manifests["candidates"].figures if "candidates" in self.manifests else {}
        gap, gguf = figures.get("gap_to_adapter") or {}, figures.get("gguf") or {}
        if "nats_per_token" not in gap:
            return ""
        return (
            f"The SFT model that wrote the candidate answers is a {gguf.get('quantisation', 'GGUF')} file: the mean "
            f"log-probability of an answer's tokens lies {gap['nats_per_token']:.3f} nats from the adapter model's "
            f"(mean over {gap.get('answers', 0)} answers, {gap.get('tokens', 0)} tokens)."
        )

    @property
    def started(self) -> str:
        """When the earliest of the stages began, ISO time."""
        return min((m.started for m in self.manifests.values() if m.started), default="")

    @property
    def seconds(self) -> float:
        """Wall-clock time of all stages together."""
        return sum(m.seconds for m in self.manifests.values())

    @property
    def peak_memory(self) -> int:
        """The highest peak of any stage, bytes."""
        return max((m.peak_memory for m in self.manifests.values()), default=0)


def gather(inputs: Mapping[str, Path], samples: int) -> Content:
    """Read everything the report shows.

    Args:
        inputs: stage name -> finished folder.
        samples: at most how many sample answers to show.
    """
    manifests = read_manifests(inputs)
    tag, data = manifests.get("tag"), manifests.get("data")
    settings = _settings(inputs)
    found, measured = _json(inputs, "eval", "samples.json"), _json(inputs, "eval", "metrics.json")
    recipe = next((m.recipe for m in manifests.values() if m.recipe), "")
    return Content(
        recipe=recipe,
        data_root=str(settings.get("data", {}).get("root", "")),
        datasets=_datasets(data),
        manifests=manifests,
        missing=tuple(stage for stage in inputs if stage not in manifests),
        flows=tuple(flows(manifests)),
        scores=tuple(_scores(inputs)),
        base=str(manifests["base"].figures.get("model", "")) if "base" in manifests else "",
        sft=tuple(_log(inputs, "sft")),
        dpo=tuple(_log(inputs, "dpo")),
        results=read_results(measured),
        samples=tuple(_records(found, "samples")[:samples]),
        recommendations=tuple(
            _records(_json(inputs, "recommend", "recommendations.json"), "recommendations")
        ),
        annotators=tuple(annotators(manifests)),
        simulated=simulated(manifests),
        rule=str(tag.figures.get("rule", "")) if tag else "",
        settings=settings,
        data=read_data(inputs.get("data"), data),
        filtered=read_filtered(manifests.get("filter"), inputs.get("filter")),
        ranking=tuple(ranking_tables(measured, recipe)),
        pairs=tuple(_records(measured, "pairs")) if isinstance(measured, dict) else (),
        grounding=tuple(grounding_tables(_json(inputs, "recommend", "grounding.json"), recipe)),
        preferences=preference_table(_json(inputs, "tag", "health.json"), recipe),
    )


def _settings(inputs: Mapping[str, Path]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for folder in inputs.values():
        merged.update(read_settings(folder))
    return merged


def _datasets(data: Manifest | None) -> dict[str, dict[str, Any]]:
    found = data.figures.get("datasets") if data else None
    return (
        {str(name): entry for name, entry in found.items() if isinstance(entry, dict)}
        if isinstance(found, dict)
        else {}
    )


def _scores(inputs: Mapping[str, Path]) -> list[DomainScores]:
    """Quartiles of the response score by domain and by category, from verdicts.parquet."""
    path = inputs.get("filter", Path()) / "verdicts.parquet"
    if "filter" not in inputs or not path.is_file():
        return []
    import polars as pl

    score = pl.col("score")
    rows = pl.read_parquet(path, columns=["domain", "category", "score", "kept"])
    divided = rows.filter(pl.col("category") != "")
    divided = divided.with_columns(domain=pl.concat_str("domain", "category", separator="/"))
    table = (
        pl.concat([rows, divided])
        .group_by("domain")
        .agg(
            pl.len().alias("rows"),
            pl.col("kept").sum().alias("kept"),
            *(
                score.quantile(q, "linear").alias(name)
                for name, q in (("low", 0.25), ("median", 0.5), ("high", 0.75))
            ),
        )
    )
    nan = float("nan")
    return [
        DomainScores(d, n, k, *(nan if figure is None else figure for figure in quartiles))
        for d, n, k, *quartiles in table.sort("domain").iter_rows()
    ]


def _log(inputs: Mapping[str, Path], stage: str) -> list[dict[str, Any]]:
    """A training log, an entry a step; of a step that was logged twice the later figures count."""
    steps: dict[Any, dict[str, Any]] = {}
    for row in metrics.read(inputs[stage] / "metrics.jsonl") if stage in inputs else []:
        steps[row.get("step")] = {**steps.get(row.get("step"), {}), **row}
    return list(steps.values())


def _json(inputs: Mapping[str, Path], stage: str, name: str) -> Any:
    try:
        return _parsed((inputs[stage] / name).read_text(encoding="utf-8"))
    except (KeyError, OSError):
        return None


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _records(document: Any, name: str) -> list[dict[str, Any]]:
    """A list of objects, bare or under the key `name`."""
    found = document.get(name, []) if isinstance(document, dict) else document
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []
