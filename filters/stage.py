"""Stage `filter`: every rule looks at every response; kept rows, dropped rows, verdicts and histograms are written."""

from __future__ import annotations

import collections
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from filters.plots import histogram_png
from filters.rules import RULES, measure
from filters.tokenizing import encode_batches
from models.loading import load_tokenizer
from rectune import settings
from rectune.recipe import Recipe
from rectune.rows import read_rows, write_rows
from rectune.types import Example, Verdict, grouped


def run(config: Recipe, inputs: Mapping[str, Path], out: Path) -> dict[str, Any]:
    """Judge the teachers' responses by their tokens in the base model's tokenizer."""
    examples = read_rows(inputs["rationales"] / "examples.parquet", Example)
    tokenizer = load_tokenizer(inputs["base"] / "checkpoint")
    verdicts = judge(examples, tokenizer, config.filter)
    kept = [example for example, verdict in zip(examples, verdicts, strict=True) if verdict.kept]
    dropped = [example for example, verdict in zip(examples, verdicts, strict=True) if not verdict.kept]
    write_rows(out / "kept.parquet", kept, Example)
    write_rows(out / "dropped.parquet", dropped, Example)
    write_rows(out / "verdicts.parquet", verdicts, Verdict)
    _draw(verdicts, config.filter.threshold, out / "histograms")
    return _stats(verdicts, config.filter, config.models.base)


def judge(examples: Sequence[Example], tokenizer: Any, config: settings.Filter) -> list[Verdict]:
    """One verdict an example, in their order; a row is dropped for every reason that holds, not only the first."""
    responses = [example.response for example in examples]
    ids = [row for batch in encode_batches(tokenizer, responses) for row in batch]
    batch = measure(responses, ids)
    results = {name: rule(batch, config) for name, rule in RULES.items()}
    verdicts = []
    for place, example in enumerate(examples):
        reasons = tuple(name for name, (_, drops) in results.items() if drops[place])
        figures = {name: _figure(float(values[place])) for name, (values, _) in results.items()}
        verdicts.append(
            Verdict(
                id=example.id,
                domain=example.prompt.domain,
                category=example.prompt.category,
                score=_figure(float(batch.score[place])),
                tokens=int(batch.tokens[place]),
                distinct=int(batch.distinct[place]),
                kept=not reasons,
                reasons=reasons,
                figures=json.dumps(figures),
            )
        )
    return verdicts


def _figure(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _draw(verdicts: Sequence[Verdict], threshold: float, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for group, members in _by_group(verdicts).items():
        scores = [verdict.score for verdict in members if verdict.score is not None]
        if scores:
            path = folder / f"{group.replace('/', ' ')}.png"
            histogram_png(scores, threshold, f"{group}: {len(scores)} responses", path)


def _by_group(verdicts: Sequence[Verdict]) -> dict[str, list[Verdict]]:
    return grouped(verdicts, lambda verdict: (verdict.domain, verdict.category))


def _stats(verdicts: Sequence[Verdict], config: settings.Filter, tokenizer: str) -> dict[str, Any]:
    reasons = collections.Counter(reason for verdict in verdicts for reason in verdict.reasons)
    alone = collections.Counter(verdict.reasons[0] for verdict in verdicts if len(verdict.reasons) == 1)
    domains = {
        group: {"in": len(members), "kept": sum(verdict.kept for verdict in members)}
        for group, members in _by_group(verdicts).items()
    }
    return {
        "rows_in": len(verdicts),
        "rows_out": sum(verdict.kept for verdict in verdicts),
        "dropped": dict(reasons),
        "dropped_by_one_rule_alone": dict(alone),
        "threshold": config.threshold,
        "tokenizer": tokenizer,
        "domains": domains,
    }
