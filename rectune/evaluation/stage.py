"""The stage `eval`: models and baselines ranked side by side, and sample answers before and after tuning."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rectune.core.artifacts import generation_cache_path, write_atomically
from rectune.core.catalogue import load_catalogue
from rectune.core.extras import needs_extra
from rectune.core.progress import progress
from rectune.core.recipe import Recipe
from rectune.core.rows import read_rows, write_rows
from rectune.core.types import Case, Prompt, Ranking
from rectune.evaluation.answers import compare_answers
from rectune.evaluation.llm_ranking import rank_models, score_cache
from rectune.evaluation.memorisation import probe
from rectune.evaluation.position_bias import position_bias
from rectune.evaluation.protocol import ranked, summarise
from rectune.evaluation.ranking_tasks import CandidateSampler, further_tasks, order_tasks, own_tasks
from rectune.evaluation.sample_answers import answer_samples, choose
from rectune.evaluation.systems import EvalContext, models, rankers, scored, tasks_by_domain
from rectune.evaluation.user_groups import by_history_length
from rectune.rankers.eval_cases import EvalCase, read_test_cases
from rectune.retrieval.grounding import Grounding
from rectune.retrieval.index import open_index


@needs_extra("the stage eval")
def run(config: Recipe, inputs: Mapping[str, Path], out: Path) -> dict[str, Any]:
    """Write rankings.parquet (Ranking: a row a case, system, protocol and draw), metrics.json,
    memorisation.json and samples.json.

    likelihoods.sqlite keeps what language models computed; an interrupted attempt goes on behind what is in
    it.
    """
    cases = read_rows(inputs["data"] / "cases.parquet", Case)
    tests = read_test_cases(cases, inputs["queries"])
    eval_context = EvalContext(config, inputs, load_catalogue(inputs["data"] / "items.parquet"), cases)
    figures = measure(tests, eval_context, out)
    prompts = read_rows(inputs["queries"] / "prompts.parquet", Prompt)
    index = open_index(inputs["recommend"] / "index")
    grounding = Grounding(list(eval_context.catalogue.items.values()), index)
    figures["answers"] = compare_answers(prompts, eval_context, grounding, out)
    _write_json(out / "metrics.json", figures)
    shown = choose(prompts, config.evaluate.samples)
    samples = answer_samples(shown, eval_context, grounding, generation_cache_path(out))
    _write_json(out / "samples.json", samples)
    wanted = sum(case.split == "test" for case in cases)
    return {
        "rows_in": wanted,
        "rows_out": len(tests),
        "dropped": {"no passive direct prompt": wanted - len(tests)},
        "hit@1": {name: system["hit@1"] for name, system in figures["systems"].items()},
        "chance": figures["chance"],
        "grounded_by": grounded_by(samples),
    }


def measure(tests: Sequence[EvalCase], eval_context: EvalContext, out: Path) -> dict[str, Any]:
    """Rank every case by every system, write rankings.parquet and memorisation.json, and return what
    metrics.json holds.
    """
    config = eval_context.config.evaluate
    pools = CandidateSampler(eval_context.inputs["data"], tests, eval_context.likes)
    rankings = rank_baselines(tests, pools, eval_context)
    found, weights = rank_models(tests, pools, eval_context, out)
    rankings += found
    write_rows(out / "rankings.parquet", rankings, Ranking)
    figures = summarise(tests, rankings, config, by_history_length(tests, pools, eval_context.likes))
    figures["weights"] = {model: asdict(chosen) for model, chosen in weights.items()}
    figures["position"] = position_bias(order_tasks(tests, config.num_candidate_draws, config.seed), rankings)
    figures["memorisation"] = _memorisation(tests, eval_context, out)
    return figures


def rank_baselines(
    tests: Sequence[EvalCase], pools: CandidateSampler, eval_context: EvalContext
) -> list[Ranking]:
    """What every system that is no language model makes of every trial."""
    config = eval_context.config.evaluate
    rankings: list[Ranking] = []
    names = rankers(config)
    with progress("ranking: baselines", 0, "trials") as advance:
        for batch in (own_tasks(tests), *further_tasks(tests, pools, config)):
            for domain, group in tasks_by_domain(batch).items():
                for name in names:
                    pairs = scored(eval_context.ranker(name, domain), group)
                    rankings += [ranked(task, name, scores) for task, scores in pairs]
                advance(len(group))
    order = {name: place for place, name in enumerate(names)}
    return sorted(rankings, key=lambda row: order[row.system])


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


def _memorisation(tests: Sequence[EvalCase], eval_context: EvalContext, out: Path) -> dict[str, Any]:
    """The base model's, where it is among the systems and asked for."""
    if "base" not in models(eval_context.config.evaluate) or not eval_context.config.evaluate.memorisation:
        return {}
    with score_cache("base", eval_context.model("base"), eval_context, out) as scorer:
        found = probe(tests, eval_context, scorer, out)
    _write_json(out / "memorisation.json", found)
    return found


def _write_json(path: Path, document: Any) -> None:
    write_atomically(path, json.dumps(document, ensure_ascii=False, indent=1))
