"""Estimating the time of generation from a few real answers, which stay in the generation cache."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rectune.core import settings
from rectune.core.catalogue import Catalogue, load_catalogue
from rectune.core.recipe import Recipe
from rectune.core.rows import read_rows
from rectune.core.text.plain import duration
from rectune.core.types import Case
from rectune.datagen.best_of import several
from rectune.datagen.queries import PromptPlan, plan_cases, query_request, render_plan
from rectune.datagen.rationales import rationale_request
from rectune.inference.requests import GenerationRequest
from rectune.inference.teachers import AskTeachers, ask_teachers, rendered, unanswered
from rectune.rankers.domain_data import DomainData
from rectune.rankers.item_text import TextOptions, texts_of

_PROBE = 24  # requests of a kind


@dataclass(frozen=True)
class GenerationWork:
    """One kind of requests: the known ones, and the total number."""

    kind: str
    requests: Sequence[GenerationRequest]
    total: int


@dataclass(frozen=True)
class GenerationEstimate:
    """Rendered prompts, and a line for each kind of requests: how many, and how long they take."""

    prompts: Sequence[str]
    times: Sequence[str]

    @property
    def text(self) -> str:
        """All of it, for people."""
        return "\n\n".join([*self.prompts, *self.times])


def estimate_generation(
    config: Recipe,
    data: Path,
    generation_cache: Path,
    ask: AskTeachers = ask_teachers,
    clock: Callable[[], float] = time.monotonic,
) -> GenerationEstimate:
    """Three rendered prompts, and an estimate of the hours for queries, rationales, and summaries of items.

    Args:
        config: sections `prompts` and `generate`; `allmrec` and `retrieval` where texts are summarised.
        data: a finished data stage.
        generation_cache: keeps the answers of the probe for the run.
        ask: answers the requests of the probe.
        clock: the time in seconds.
    """
    work = _work(config, data)
    first, rest = work[0].requests, [request for one in work[1:] for request in one.requests]
    shown = [*first[: 1 if rest else 3], *rest[: 2 if first else 3]]
    pages = [
        f"--- prompt {number} of {len(shown)}\n{rendered(request, config.generate)}"
        for number, request in enumerate(shown, 1)
    ]
    times = [_estimate(one, config.generate, generation_cache, ask, clock) for one in work]
    if config.generate.rationales == "template":
        times.insert(1, "rationales: made of what the catalogue says, so no teacher is asked")
    if config.allmrec.summarise and not config.allmrec.enabled:
        times.append("summaries: asked for with --until allmrec_items alone, as allmrec.enabled is false")
    return GenerationEstimate(pages, times)


def _work(config: Recipe, data: Path) -> list[GenerationWork]:
    """Queries of all active cases; rationales are sampled from passive training cases only; summaries."""
    catalogue = load_catalogue(data / "items.parquet")
    plans = plan_cases(read_rows(data / "cases.parquet", Case), config.prompts)
    queries = [
        query_request(plan, catalogue, config.generate.query, 0)
        for plan in plans
        if plan.scenario == "active"
    ]
    work = [GenerationWork("queries", queries, len(queries))]
    if config.generate.rationales == "teacher":
        work.append(_rationales(config, catalogue, [plan for plan in plans if plan.case.split == "train"]))
    return [*work, *(_summaries(config, catalogue) if config.allmrec.summarise else [])]


def _rationales(config: Recipe, catalogue: Catalogue, train: Sequence[PromptPlan]) -> GenerationWork:
    passive = [
        render_plan(plan, catalogue, {}, config.prompts) for plan in train if plan.scenario == "passive"
    ]
    samples = config.generate.rationale_samples
    tries = [
        several(rationale_request(prompt, catalogue, config.generate.rationale), samples)
        for prompt in passive
    ]
    requests = [one for nth in zip(*tries, strict=True) for one in nth]
    return GenerationWork("rationales", requests, len(train) * samples)


def _summaries(config: Recipe, catalogue: Catalogue) -> list[GenerationWork]:
    """Those of the stage `allmrec_items`, by domain."""
    from rectune.rankers.allmrec.summaries import summary_requests
    from rectune.rankers.allmrec.validation import wanted_domains

    items, found = config.allmrec.items, list[GenerationWork]()
    options = TextOptions(items.text, items.max_tokens)
    for domain in wanted_domains(config, catalogue):
        data = DomainData(domain, catalogue.of(domain), embedder=config.retrieval.embedder)
        cut = texts_of(list(data.items.values()), options, data.embedder).cut
        requests = summary_requests(data, cut, options)
        found.append(GenerationWork(f"summaries of {domain}", requests, len(requests)))
    return found


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
