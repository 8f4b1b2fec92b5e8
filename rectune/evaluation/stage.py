"""The stage `eval`: models and baselines ranked side by side, and sample answers before and after tuning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from rectune.core.artifacts import generation_cache_path, write_atomically
from rectune.core.catalogue import load_catalogue
from rectune.core.extras import needs_extra
from rectune.core.figures import EvalFigures
from rectune.core.figures.evaluation import EvalMetrics, FusionFigures, Memorisation
from rectune.core.figures.grounding import SamplePrompt
from rectune.core.figures.record import listed_json
from rectune.core.progress import progress
from rectune.core.recipe import Recipe
from rectune.core.rows import read_rows, write_rows
from rectune.core.types import Case, Prompt, Ranking
from rectune.evaluation.answers import compare_answers
from rectune.evaluation.llm_ranking import model_cases, rank_models, score_cache
from rectune.evaluation.memorisation import probe
from rectune.evaluation.position_bias import position_bias
from rectune.evaluation.protocol import ranked, summarise
from rectune.evaluation.ranking_tasks import CandidateSampler, further_tasks, order_tasks, own_tasks
from rectune.evaluation.sample_answers import answer_samples, choose
from rectune.evaluation.served import measure_served
from rectune.evaluation.systems import (
    JOINT_ITEMS,
    EvalContext,
    models,
    rankers,
    scored,
    tasks_by_domain,
)
from rectune.evaluation.user_groups import by_history_length
from rectune.rankers.eval_cases import EvalCase, read_test_cases
from rectune.rankers.stage import choice_folder
from rectune.retrieval.grounding import Grounding
from rectune.retrieval.index import open_index


@needs_extra("the stage eval")
def run(config: Recipe, inputs: Mapping[str, Path], out: Path) -> EvalFigures:
    """Write rankings.parquet (Ranking: a row a case, system, protocol and draw), metrics.json, served.json,
    memorisation.json and samples.json.

    likelihoods.sqlite keeps what language models computed; an interrupted attempt goes on behind what is in
    it.
    """
    cases = read_rows(inputs["data"] / "cases.parquet", Case)
    return evaluate(EvalContext(config, inputs, load_catalogue(inputs["data"] / "items.parquet"), cases), out)


def evaluate(eval_context: EvalContext, out: Path) -> EvalFigures:
    """See `run`."""
    config, inputs, cases = eval_context.config, eval_context.inputs, eval_context.cases
    tests = read_test_cases(cases, inputs["queries"])
    measure_served(tests, eval_context, out)
    measured = measure(tests, eval_context, out)
    prompts = read_rows(inputs["queries"] / "prompts.parquet", Prompt)
    index = open_index(choice_folder(inputs) / "index")
    grounding = Grounding(list(eval_context.catalogue.items.values()), index)
    answers = compare_answers(prompts, eval_context, grounding, out)
    metrics = measured.model_copy(update={"answers": answers})
    write_atomically(out / EvalMetrics.file, metrics.to_json())
    shown = choose(prompts, config.evaluate.samples)
    samples = answer_samples(shown, eval_context, grounding, generation_cache_path(out))
    write_atomically(out / SamplePrompt.file, listed_json(samples))
    wanted = sum(case.split == "test" for case in cases)
    return EvalFigures(
        rows_in=wanted,
        rows_out=len(tests),
        dropped={"no passive direct prompt": wanted - len(tests)},
        hit_at_1={name: system.hit_at_1 for name, system in metrics.systems.items()},
        chance=metrics.chance,
        grounded_by=grounded_by(samples),
    )


def measure(tests: Sequence[EvalCase], eval_context: EvalContext, out: Path) -> EvalMetrics:
    """Rank every case by every ranker and `evaluate.model_cases` of them by language models, and write
    rankings.parquet and memorisation.json; no answers are compared yet.
    """
    config = eval_context.config.evaluate
    pools = CandidateSampler(eval_context.inputs["data"], tests, eval_context.likes)
    rankings = rank_baselines(tests, pools, eval_context)
    asked = model_cases(tests, config.model_cases)
    found, weights = rank_models(asked, pools, eval_context, out)
    rankings += found
    write_rows(out / "rankings.parquet", rankings, Ranking)
    ranking = summarise(tests, rankings, config, by_history_length(tests, pools, eval_context.likes))
    return EvalMetrics(
        **dict(ranking),
        weights={model: FusionFigures(**asdict(chosen)) for model, chosen in weights.items()},
        position=position_bias(order_tasks(asked, config.num_candidate_draws, config.seed), rankings, config),
        memorisation=_memorisation(asked, eval_context, out),
        answers=None,
    )


def rank_baselines(
    tests: Sequence[EvalCase], pools: CandidateSampler, eval_context: EvalContext
) -> list[Ranking]:
    """What every ranker makes of every trial; one through which a language model reads, of those of
    `evaluate.model_cases`.
    """
    config = eval_context.config.evaluate
    rankings: list[Ranking] = []
    names, read = rankers(config), eval_context.read_by_models
    few = {test.prompt.id for test in model_cases(tests, config.model_cases)} if read else set()
    with progress("ranking: baselines", 0, "trials") as advance:
        for batch in (own_tasks(tests), *further_tasks(tests, pools, config)):
            for domain, group in tasks_by_domain(batch).items():
                for name in dict.fromkeys((*names, *eval_context.added(domain))):
                    some = [task for task in group if name not in read or task.test.prompt.id in few]
                    pairs = scored(eval_context.ranker(name, domain), some)
                    rankings += [ranked(task, name, scores) for task, scores in pairs]
                advance(len(group))
    order = {name: at for at, name in enumerate(dict.fromkeys((*names, JOINT_ITEMS, *read)))}
    return sorted(rankings, key=lambda row: order[row.system])


def grounded_by(samples: Sequence[SamplePrompt]) -> dict[str, dict[str, float]]:
    """By model, the share of its sample answers that each step of grounding resolved."""
    found: dict[str, list[str]] = {}
    for sample in samples:
        for answer in sample.answers:
            found.setdefault(answer.system, []).append(answer.how or "nothing")
    return {
        system: {how: hows.count(how) / len(hows) for how in sorted(set(hows))}
        for system, hows in found.items()
    }


def _memorisation(tests: Sequence[EvalCase], eval_context: EvalContext, out: Path) -> Memorisation | None:
    """The base model's, where it is among the systems and asked for."""
    if "base" not in models(eval_context.config.evaluate) or not eval_context.config.evaluate.memorisation:
        return None
    with score_cache("base", eval_context.model("base"), eval_context, out) as scorer:
        found = probe(tests, eval_context, scorer, out)
    write_atomically(out / "memorisation.json", found.to_json())
    return found
