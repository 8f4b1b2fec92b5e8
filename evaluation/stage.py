"""The stage `eval`: models and baselines ranked side by side, and sample answers before and after tuning."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evaluation.protocol import ranked, summarise
from evaluation.samples import answer_samples, choose
from evaluation.systems import MODELS, Material, opened
from recommenders.cases import TestCase, by_domain, read_test_cases
from recommenders.claims import claim_reader
from rectune.catalogue import load_catalogue
from rectune.progress import progress
from rectune.recipe import Recipe
from rectune.rows import read_rows, write_rows
from rectune.runs import ledger_path, write_atomically
from rectune.types import Case, Prompt, Ranking
from retrieval.grounding import Grounding
from retrieval.index import open_index


def run(config: Recipe, inputs: Mapping[str, Path], out: Path) -> dict[str, Any]:
    """Write rankings.parquet (Ranking, a row a case and system), metrics.json and samples.json.

    rankings.parquet grows by a domain and system at a time; an interrupted attempt goes on behind what is in
    it.
    """
    cases = read_rows(inputs["data"] / "cases.parquet", Case)
    test = read_test_cases(cases, inputs["queries"])
    material = Material(config, inputs, load_catalogue(inputs["data"] / "items.parquet"), cases)
    rankings = rank_all(test, material, out / "rankings.parquet")
    figures = summarise(test, rankings, config.evaluate)
    _write_json(out / "metrics.json", figures)
    prompts = choose(read_rows(inputs["queries"] / "prompts.parquet", Prompt), config.evaluate.samples)
    index = open_index(inputs["recommend"] / "index")
    grounding = Grounding(list(material.catalogue.items.values()), index, claim_reader)
    samples = answer_samples(prompts, material, grounding, ledger_path(out))
    _write_json(out / "samples.json", samples)
    wanted = sum(case.split == "test" for case in cases)
    return {
        "rows_in": wanted,
        "rows_out": len(test),
        "dropped": {"no passive direct prompt": wanted - len(test)},
        "hit@1": {name: system["hit@1"] for name, system in figures["systems"].items()},
        "chance": figures["chance"],
        "grounded_by": grounded_by(samples),
    }


def rank_all(cases: Sequence[TestCase], material: Material, path: Path) -> list[Ranking]:
    """The ranking of every case by every system; `path` keeps what is finished."""
    wanted = {test.prompt.id for test in cases}
    systems = material.config.evaluate.systems
    found = [r for r in _begun(path) if r.prompt_id in wanted and r.system in systems]
    for system in systems:
        done = {ranking.prompt_id for ranking in found if ranking.system == system}
        left = [test for test in cases if test.prompt.id not in done]
        if left:
            _rank(system, left, material, found, path)
    return found


def _rank(
    system: str, left: Sequence[TestCase], material: Material, found: list[Ranking], path: Path
) -> None:
    """Rank the cases that are left, a domain at a time, adding to `found` and writing it."""
    counts_itself = system in MODELS
    with (
        progress(f"ranking: {system}", len(left), "cases") as advance,
        opened(system, material, advance) as open_for,
    ):
        for domain, group in by_domain(left).items():
            histories = [test.case.history for test in group]
            scores = open_for(domain, group).rank(histories, [test.case.candidates for test in group])
            found += [ranked(test, system, row) for test, row in zip(group, scores, strict=True)]
            write_rows(path, found, Ranking)
            advance(0 if counts_itself else len(group))


def grounded_by(samples: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """By model, the share of its sample answers that each step of grounding resolved."""
    found: dict[str, list[str]] = {}
    for sample in samples:
        for answer in sample["answers"]:
            found.setdefault(answer["system"], []).append(answer["how"] or "nothing")
    return {
        system: {how: hows.count(how) / len(hows) for how in sorted(set(hows))}
        for system, hows in found.items()
    }


def _begun(path: Path) -> list[Ranking]:
    return read_rows(path, Ranking) if path.is_file() else []


def _write_json(path: Path, document: Any) -> None:
    write_atomically(path, json.dumps(document, ensure_ascii=False, indent=1))
