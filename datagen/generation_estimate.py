"""Estimating the time of generation from a few real answers, which stay in the generation cache."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rectune.core import settings
from rectune.core.catalogue import load_catalogue
from rectune.core.recipe import Recipe
from rectune.core.rows import read_rows
from rectune.core.text.plain import duration
from rectune.core.types import Case
from rectune.datagen.queries import plan_cases, query_request, render_plan
from rectune.datagen.rationales import rationale_request
from rectune.inference.requests import GenerationRequest
from rectune.inference.teachers import AskTeachers, ask_teachers, rendered, unanswered

_PROBE = 24  # requests of a kind


@dataclass(frozen=True)
class GenerationWork:
    """One kind of requests: the known ones, and the total number."""

    kind: str
    requests: Sequence[GenerationRequest]
    total: int


def estimate_generation(
    config: Recipe,
    data: Path,
    generation_cache: Path,
    ask: AskTeachers = ask_teachers,
    clock: Callable[[], float] = time.monotonic,
) -> str:
    """Three rendered prompts, and an estimate of the hours for queries and rationales.

    Args:
        config: sections `prompts` and `generate`.
        data: a finished data stage.
        generation_cache: keeps the answers of the probe for the run.
        ask: answers the requests of the probe.
        clock: the time in seconds.
    """
    work = _work(config, data)
    shown = [work[0].requests[0], *work[1].requests[:2]] if work[0].requests else work[1].requests[:3]
    pages = [
        f"--- prompt {number} of {len(shown)}\n{rendered(request, config.generate)}"
        for number, request in enumerate(shown, 1)
    ]
    return "\n\n".join(
        [*pages, *(_estimate(one, config.generate, generation_cache, ask, clock) for one in work)]
    )


def _work(config: Recipe, data: Path) -> list[GenerationWork]:
    """Queries of all active cases; rationales are sampled from passive training cases only."""
    catalogue = load_catalogue(data / "items.parquet")
    plans = plan_cases(read_rows(data / "cases.parquet", Case), config.prompts)
    queries = [
        query_request(plan, catalogue, config.generate.query, 0)
        for plan in plans
        if plan.scenario == "active"
    ]
    train = [plan for plan in plans if plan.case.split == "train"]
    passive = [
        render_plan(plan, catalogue, {}, config.prompts) for plan in train if plan.scenario == "passive"
    ]
    rationales = [rationale_request(prompt, catalogue, config.generate.rationale) for prompt in passive]
    return [
        GenerationWork("queries", queries, len(queries)),
        GenerationWork("rationales", rationales, len(train)),
    ]


def _estimate(
    work: GenerationWork,
    config: settings.GenerateConfig,
    generation_cache: Path,
    ask: AskTeachers,
    clock: Callable[[], float],
) -> str:
    left = unanswered(work.requests, config, generation_cache)
    done = len(work.requests) - len(left)
    if not left:
        return f"{work.kind}: {done:,} of {work.total:,} are in the generation cache, nothing to measure"
    probe = left[:: max(1, len(left) // _PROBE)][:_PROBE]
    begun = clock()
    answers = ask(probe, config, generation_cache, f"{work.kind}, probe")
    seconds = clock() - begun
    failed = sum(answer.finish == "error" for answer, _ in answers.values())
    rest = seconds / len(probe) * (work.total - done - len(probe))
    return (
        f"{work.kind}: {work.total:,} wanted, {done:,} in the generation cache; "
        f"{len(probe)} answered in {seconds:.1f} s{f', {failed} of them failed' if failed else ''} "
        f"(the model's loading too): about {duration(rest)} for the rest"
    )
