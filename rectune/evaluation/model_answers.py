"""What the models write: answers to the test prompts, and candidates put in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from rectune.core.artifacts import generation_cache_path
from rectune.core.settings import SamplingConfig
from rectune.core.types import Prompt, content_id
from rectune.evaluation.ranking_tasks import RankingTask
from rectune.evaluation.systems import EvalContext
from rectune.inference.requests import GenerationRequest, GenerationResult
from rectune.prompts.answers import RANKINGS
from rectune.rankers.eval_cases import EvalCase, as_asked, asked_to_list, by_domain
from rectune.rankers.generation_rankers import Answers, GeneratedAnswers

_TOKENS = 16  # of a line of a list, its number included


def answers_to(
    prompts: Sequence[Prompt],
    model: str,
    eval_context: EvalContext,
    generation_cache: Path,
    label: str = "answers",
) -> list[GenerationResult]:
    """What a model answers to prompts, in their order, sampled as recommendations are; `label` is for
    progress.
    """
    config = eval_context.config.retrieval
    requests = [
        GenerationRequest(p.id, as_asked(p).messages, config.sampling, config.sampling.seed) for p in prompts
    ]
    return eval_context.generate(
        eval_context.model(model), requests, config, generation_cache, f"{label}: {model}"
    )


def written_by(
    model: str, cases: Sequence[EvalCase], eval_context: EvalContext, out: Path
) -> dict[str, GeneratedAnswers]:
    """By domain, what a model answers to the cases' prompts."""
    answers = answers_to([test.prompt for test in cases], model, eval_context, generation_cache_path(out))
    texts = {
        (test.case.domain, test.case.history): answer.text
        for test, answer in zip(cases, answers, strict=True)
    }

    def answers_in(domain: str) -> Answers:
        return lambda history: texts[domain, tuple(history)]

    return {
        domain: GeneratedAnswers(eval_context.domain_data(domain), answers_in(domain))
        for domain in by_domain(cases)
    }


def listed_by(
    model: str, tasks: Sequence[RankingTask], eval_context: EvalContext, out: Path
) -> Callable[[Sequence[str], Sequence[str]], str]:
    """The list that a model writes when it is shown a history and candidates, in the order of each trial.

    The opening of the list is put into its mouth; sampling is greedy.
    """
    requests = []
    for task in tasks:
        asked = asked_to_list(task.test, eval_context.catalogue, task.candidates)
        sampling = SamplingConfig(max_tokens=_TOKENS * len(task.candidates), temperature=0.0)
        opening = f"{RANKINGS[asked.locale]}\n1."
        name = content_id(task.test.prompt.id, task.draw)
        requests.append(GenerationRequest(name, asked.messages, sampling, 0, ("\n\n",), prefill=opening))
    engine = eval_context.config.evaluate
    answers = eval_context.generate(
        eval_context.model(model), requests, engine, generation_cache_path(out), f"lists: {model}"
    )
    texts = {
        (task.test.case.history, task.candidates): f"{request.prefill}{answer.text}"
        for task, request, answer in zip(tasks, requests, answers, strict=True)
    }
    return lambda history, candidates: texts[tuple(history), tuple(candidates)]
