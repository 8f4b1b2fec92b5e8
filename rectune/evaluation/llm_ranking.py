"""Language models as systems: every candidate's likelihood once, and what the ways of ranking make of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from rectune.core.progress import progress
from rectune.core.types import Case, Locale, Ranking
from rectune.evaluation.model_answers import listed_by, written_by
from rectune.evaluation.protocol import ranked
from rectune.evaluation.ranking_tasks import (
    FULL,
    CandidateSampler,
    RankingTask,
    further_tasks,
    order_tasks,
    own_tasks,
)
from rectune.evaluation.systems import (
    WRITING,
    EvalContext,
    models,
    scored,
    scoring_methods,
    system_name,
    tasks_by_domain,
)
from rectune.rankers.base import CandidateScorer
from rectune.rankers.eval_cases import (
    EvalCase,
    asked_by_history,
    by_domain,
    listed_by_history,
    passive_cases,
)
from rectune.rankers.generation_rankers import (
    AnswerRetrievalRanker,
    GeneratedAnswers,
    ListwiseRanker,
    ParsedAnswerRanker,
)
from rectune.rankers.score_cache import ScoreCache
from rectune.rankers.scoring_methods import (
    BESIDE,
    CONTINUED,
    FusionWeights,
    ScoringInputs,
    choose_weights,
    scoring_inputs_of,
)

_CHUNK = 256  # titles of a domain whose likelihood without a history is asked for at once


def rank_models(
    cases: Sequence[EvalCase], pools: CandidateSampler, eval_context: EvalContext, out: Path
) -> tuple[list[Ranking], dict[str, FusionWeights]]:
    """What every language model makes of every trial that it takes part in, and the weights chosen for it.

    `out` keeps likelihoods.sqlite, and the store's ledger the answers: an interrupted attempt goes on behind
    them.

    Args:
        cases: what models rank; see `model_cases`.
    """
    config = eval_context.config.evaluate
    rankings: list[Ranking] = []
    weights: dict[str, FusionWeights] = {}
    for model in models(config):
        with score_cache(model, eval_context.model(model), eval_context, out) as scorer:
            found, weights[model] = _by_likelihood(model, cases, pools, eval_context, scorer)
        rankings += found
        rankings += _by_writing(model, cases, pools, eval_context, out)
    return rankings, weights


def model_cases(cases: Sequence[EvalCase], most: int) -> list[EvalCase]:
    """At most so many of the cases, domains in turn and in their order; all of them where `most` is 0."""
    turns = [(turn, case) for group in by_domain(cases).values() for turn, case in enumerate(group)]
    chosen = {case.prompt.id for _, case in sorted(turns, key=lambda row: row[0])[: most or len(turns)]}
    return [case for case in cases if case.prompt.id in chosen]


def score_cache(name: str, model: Path, eval_context: EvalContext, out: Path) -> ScoreCache:
    """A scorer for a GGUF file whose log-probabilities are kept in `out`, under the model's name."""
    engine = eval_context.config.evaluate
    return ScoreCache(out / "likelihoods.sqlite", name, lambda: eval_context.open_engine(model, engine))


def tuning_cases(
    cases: Sequence[Case], tests: Sequence[EvalCase], eval_context: EvalContext
) -> list[EvalCase]:
    """At most `evaluate.tuning` cases of users who are in no test, domains in turn.

    Users kept for preferences, whom SFT has not seen, come first, then those it was trained on.
    """
    locales: dict[str, Locale] = {test.case.domain: test.prompt.locale for test in tests}
    order = {"preference": 0, "train": 1}
    able = [case for case in cases if case.split in order and case.domain in locales]
    able = [case for case in able if case.history_domain == case.domain]
    seen: dict[str, int] = {}
    turns: list[tuple[int, int, str, Case]] = []
    for case in sorted(able, key=lambda case: (order[case.split], case.id)):
        turns.append((order[case.split], seen.setdefault(case.domain, 0), case.id, case))
        seen[case.domain] += 1
    chosen = [case for *_, case in sorted(turns, key=lambda turn: turn[:3])]
    return passive_cases(chosen[: eval_context.config.evaluate.tuning], eval_context.catalogue, locales)


def _by_likelihood(
    model: str,
    cases: Sequence[EvalCase],
    pools: CandidateSampler,
    eval_context: EvalContext,
    scorer: ScoreCache,
) -> tuple[list[Ranking], FusionWeights]:
    config = eval_context.config.evaluate
    own_ways = [method for method in scoring_methods(config) if method not in WRITING]
    weighed = {"prior", *BESIDE, *CONTINUED} & set(own_ways)
    continued = bool(set(CONTINUED) & set(own_ways))
    tuning = tuning_cases(eval_context.cases, cases, eval_context) if weighed else []
    parts = parts_by_domain([*cases, *tuning], eval_context, scorer)
    batches = list(_scored_batches(cases, pools, eval_context))
    compute(cases, tuning, batches, parts, f"ranking: {model}", prior=bool(weighed), continued=continued)
    weights = choose_weights(tuning, parts.__getitem__, continued=continued)
    rankings: list[Ranking] = []
    for method in own_ways:
        name = system_name(model, method)
        rankings += _ranked(name, {d: own.ranker(method, name, weights) for d, own in parts.items()}, batches)
    return rankings, weights


def parts_by_domain(
    cases: Sequence[EvalCase], eval_context: EvalContext, scorer: ScoreCache
) -> dict[str, ScoringInputs]:
    """The parts of a model's ways by domain; `cases` are all that they will be asked about."""
    return {
        domain: scoring_inputs_of(
            scorer,
            eval_context.domain_data(domain).titles,
            asked_by_history(group),
            listed_by_history(group, eval_context.domain_data(domain).titles),
            partial(eval_context.ranker, domain=domain),
        )
        for domain, group in by_domain(cases).items()
    }


def compute(
    cases: Sequence[EvalCase],
    tuning: Sequence[EvalCase],
    batches: Iterable[Sequence[RankingTask]],
    parts: dict[str, ScoringInputs],
    label: str,
    *,
    prior: bool,
    continued: bool = False,
) -> None:
    """Have every likelihood computed that the rankers will ask for.

    A case's own candidates come first and by themselves, because other shapes of batch move log-probabilities
    a little; then those of all draws at once. The titles of a domain are scored once without a history. Where
    `continued`, all of this is done of lists too.
    """
    everything = [*cases, *tuning]
    shown = {test.prompt.id: dict.fromkeys(test.case.candidates) for test in everything}
    for task in (task for batch in batches for task in batch):
        shown[task.test.prompt.id] |= dict.fromkeys(task.candidates)
    with progress(label, len(everything), "cases") as advance:
        for domain, group in by_domain(everything).items():
            for test in group:
                for items in (test.case.candidates, tuple(shown[test.prompt.id])):
                    parts[domain].likelihood.score([test.case.history], [items])
                    if continued:
                        parts[domain].continuation.score([test.case.history], [items])
                advance(1)
            if prior:
                _compute_prior(group, shown, parts[domain], continued=continued)


def _compute_prior(
    group: Sequence[EvalCase], shown: dict[str, dict[str, None]], parts: ScoringInputs, *, continued: bool
) -> None:
    locales: dict[Locale, tuple[EvalCase, dict[str, None]]] = {}
    for test in group:
        locales.setdefault(test.prompt.locale, (test, {}))[1].update(shown[test.prompt.id])
    for test, items in locales.values():
        titles = list(items)
        for start in range(0, len(titles), _CHUNK):
            for prior in (parts.prior, parts.empty_list) if continued else (parts.prior,):
                prior.score([test.case.history], [titles[start : start + _CHUNK]])


def _scored_batches(
    cases: Sequence[EvalCase], pools: CandidateSampler, eval_context: EvalContext
) -> Iterator[list[RankingTask]]:
    """What models rank by likelihood: the own candidates, and the first draws of others; never the whole
    catalogue.
    """
    config = eval_context.config.evaluate
    yield own_tasks(cases)
    drawn = config.model_copy(
        update={
            "protocols": [name for name in config.protocols if name != FULL],
            "num_candidate_draws": min(config.num_candidate_draws, config.num_model_draws),
        }
    )
    if drawn.num_candidate_draws:
        yield from further_tasks(cases, pools, drawn)


def _by_writing(
    model: str, cases: Sequence[EvalCase], pools: CandidateSampler, eval_context: EvalContext, out: Path
) -> list[Ranking]:
    config = eval_context.config.evaluate
    wanted = [method for method in scoring_methods(config) if method in WRITING]
    rankings: list[Ranking] = []
    if {"parsed", "retrieved"} & set(wanted):
        written = written_by(model, cases, eval_context, out)
        makers: dict[str, Callable[[str, GeneratedAnswers], CandidateScorer]] = {
            "parsed": ParsedAnswerRanker,
            "retrieved": AnswerRetrievalRanker,
        }
        for batch in (own_tasks(cases), *further_tasks(cases, pools, config)):
            for method in (method for method in wanted if method in makers):
                name = system_name(model, method)
                rankers: dict[str, CandidateScorer] = {
                    d: makers[method](name, one) for d, one in written.items()
                }
                rankings += _ranked(name, rankers, [batch])
    if "listed" in wanted:
        tasks = order_tasks(cases, config.num_candidate_draws, config.seed)
        name, answers = system_name(model, "listed"), listed_by(model, tasks, eval_context, out)
        by = {d: ListwiseRanker(name, eval_context.domain_data(d).titles, answers) for d in by_domain(cases)}
        rankings += _ranked(name, by, [tasks])
    return rankings


def _ranked(
    name: str, rankers: Mapping[str, CandidateScorer], batches: Iterable[Sequence[RankingTask]]
) -> list[Ranking]:
    return [
        ranked(task, name, scores)
        for batch in batches
        for domain, group in tasks_by_domain(batch).items()
        for task, scores in scored(rankers[domain], group)
    ]
