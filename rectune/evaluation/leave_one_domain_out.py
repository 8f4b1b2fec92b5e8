"""Leave one domain out: how a model that was tuned on the other domains ranks for people of a domain it has
not seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rectune.core.artifacts import generation_cache_path, write_atomically
from rectune.core.figures.evaluation import BestBaseline, DraftFigures, FoldMetrics, RankingMetrics
from rectune.core.recipe import Recipe
from rectune.core.rows import write_rows
from rectune.core.settings import EvaluateConfig
from rectune.core.stats.metrics import UserBootstrap
from rectune.core.stats.significance import difference
from rectune.core.text.figures import figure, share_in_words, with_ends
from rectune.core.text.markdown import escaped, joined
from rectune.core.text.tables import NONE, Cell, Table
from rectune.core.types import Case, Item, Locale, Ranking
from rectune.evaluation.llm_ranking import rank_models
from rectune.evaluation.model_answers import answers_to
from rectune.evaluation.protocol import summarise
from rectune.evaluation.ranking_tasks import CandidateSampler
from rectune.evaluation.stage import rank_baselines
from rectune.evaluation.systems import MODELS, EvalContext
from rectune.evaluation.title_leaks import draft_figures
from rectune.prompts.title_index import TitleIndexes
from rectune.rankers.base import INTERACTION_FREE
from rectune.rankers.eval_cases import EvalCase, passive_cases
from rectune.rankers.scoring_methods import BESIDE

TUNED = ("sft", "sft/prior", *(f"sft/{method}" for method in BESIDE))
METRICS = "metrics.json"  # of a fold; where it is, the fold is whole
RANKINGS = "rankings.parquet"
SHOWN = (*INTERACTION_FREE, "base", *TUNED)
_PAIRS = (
    ("base", "sft"),
    *((beside, f"{model}/{method}") for method, beside in BESIDE.items() for model in ("base", "sft")),
    *((f"base/{method}", f"sft/{method}") for method in BESIDE),
)


@dataclass(frozen=True)
class DomainFold:
    """One domain left out. `people` names the space of its user ids, `metrics` and `rankings` are what
    `measure_fold` returned and wrote.
    """

    dataset: str
    domain: str
    people: str
    metrics: FoldMetrics
    rankings: Sequence[Ranking]


def fold_config(config: Recipe) -> Recipe:
    """A fold's settings: only systems that look at no interactions of the domain, and no weight that is
    chosen on data.
    """
    changed = config.evaluate.model_copy(
        update={
            "systems": [*INTERACTION_FREE, "base", "sft"],
            "scoring_methods": ["prior", *BESIDE],
            "protocols": [],
            "tuning": 0,
            "memorisation": 0,
        }
    )
    return Recipe.model_construct(evaluate=changed, retrieval=config.retrieval)


def latest_cases(cases: Sequence[Case], trained: frozenset[str], limit: int) -> list[Case]:
    """The latest case of every user, whatever split the data stage put it into.

    Args:
        cases: of the domain left out; of each user the latest target comes first.
        trained: users who were trained on in another domain, where user ids are shared; they are no test
            users.
        limit: at most so many users, in an order that follows from the ids alone; 0 is all.
    """
    latest: dict[str, Case] = {}
    for case in cases:
        if case.user not in trained:
            latest.setdefault(case.user, case)
    chosen = sorted(latest.values(), key=lambda case: case.id)
    return chosen[:limit] if limit else chosen


def measure_fold(
    cases: Sequence[Case], locale: Locale, eval_context: EvalContext, out: Path, tuned_on: Sequence[Item]
) -> FoldMetrics:
    """Rank the cases by every system of `eval_context`, and have the models answer some of them freely;
    writes rankings.parquet and, last, metrics.json.

    Args:
        cases: of the domain left out.
        locale: of the prompts.
        eval_context: the models are base and sft, and dpo where the stage `export` is among its inputs.
        out: the folder.
        tuned_on: the items of the domains that the models were tuned on.
    """
    tests = passive_cases(cases, eval_context.catalogue, {case.domain: locale for case in cases})
    pools = CandidateSampler(eval_context.inputs["data"], tests, eval_context.likes)
    rankings = rank_baselines(tests, pools, eval_context)
    rankings += rank_models(tests, pools, eval_context, out)[0]
    write_rows(out / RANKINGS, rankings, Ranking)
    ranking = summarise(tests, rankings, eval_context.config.evaluate)
    found = FoldMetrics(
        **dict(ranking),
        best=_against_best(rankings, ranking, eval_context),
        drafts=_drafts(tests, eval_context, out, tuned_on),
    )
    write_atomically(out / METRICS, found.to_json())
    return found


def _drafts(
    tests: Sequence[EvalCase], eval_context: EvalContext, out: Path, tuned_on: Sequence[Item]
) -> dict[str, DraftFigures]:
    """What the models answer to at most `evaluate.answers` of the cases; nothing where that is 0."""
    prompts = [test.prompt for test in tests][: eval_context.config.evaluate.answers]
    titles = TitleIndexes([*eval_context.catalogue.items.values(), *tuned_on])
    domains = {item.domain for item in tuned_on}
    found = {}
    for model in ("base", "sft", *(["dpo"] if "export" in eval_context.inputs else [])) if prompts else ():
        answers = answers_to(prompts, model, eval_context, generation_cache_path(out), "free answers")
        found[model] = draft_figures([one.text for one in answers], prompts, titles, domains)
    return found


def _against_best(
    rankings: Sequence[Ranking], measured: RankingMetrics, eval_context: EvalContext
) -> BestBaseline:
    config = eval_context.config.evaluate
    ranks: dict[str, list[int]] = {}
    for row in rankings:
        ranks.setdefault(row.system, []).append(row.rank)
    users = [row.user for row in rankings if row.system == "random"]
    best = max(
        (name for name in INTERACTION_FREE if name != "random"),
        key=lambda name: measured.systems[name].hit_at_1,
    )
    resampled = UserBootstrap(users, config.bootstrap, config.seed)
    return BestBaseline(
        name=best,
        differences={name: difference(ranks[best], ranks[name], resampled) for name in ("base", *TUNED)},
    )


def leave_one_domain_out_table(folds: Sequence[DomainFold], command: str, config: EvaluateConfig) -> str:
    """Markdown: a row a domain, every figure with its interval, its protocol and the command that made it;
    then, of several domains, what the models add over all of them.

    Args:
        folds: the domains left out.
        command: what made them.
        config: rounds and seed of the bootstrap over all domains.
    """
    heads = ["left out", "users", "chance", *SHOWN, "best baseline", *(f"{name} less it" for name in TUNED)]
    note = (
        "Hit@1 of one target, the item taken last, among the case's candidates, for every user of the "
        "domain; the model was tuned by SFT on the other domains. Brackets are 95 % intervals (Wilson; of "
        "differences: bootstrap over users). The best baseline of a row is the interaction-free one with "
        "the highest Hit@1 on these users, chosen with hindsight, which favours it. Weights of "
        f"{', '.join(TUNED[1:])} are one half: nothing was chosen on any data."
    )
    table = Table(heads, list(map(_row, folds)))
    made_by = f"Made by: {escaped(command)}"
    over_all = _over_all(folds, config) if len(folds) > 1 else []
    parts = [note, made_by, table.to_markdown(), *over_all, *_draft_parts(folds)]
    return joined("# Leave one domain out", *parts) + "\n"


def _over_all(folds: Sequence[DomainFold], config: EvaluateConfig) -> list[str]:
    """What a model adds to what it stands beside, and tuning to the model, over the users of all domains."""
    users: dict[str, str] = {}
    ranks: dict[str, dict[str, int]] = {}
    for fold in folds:
        for row in fold.rankings:
            case = f"{fold.dataset} {row.prompt_id}"
            users[case] = f"{fold.people} {row.user.removeprefix(f'{fold.domain}/')}"
            ranks.setdefault(row.system, {})[case] = row.rank
    cases = list(users)
    resampled = UserBootstrap(list(users.values()), config.bootstrap, config.seed)
    rows = []
    for less, system in _PAIRS:
        one, other = ([ranks[name][case] for case in cases] for name in (less, system))
        found = difference(one, other, resampled)
        rows.append((system, less, with_ends(found.difference, found.interval, signed=True), figure(found.p)))
    note = (
        f"Hit@1 of a system less that of another, over the {resampled.users:,} users of all these domains. "
        "Brackets are 95 % intervals (bootstrap over users, a user of several domains with all of them); p "
        f"is McNemar's, of {len(rows)} comparisons, uncorrected."
    )
    return ["## Over all domains", note, Table(["system", "less", "difference", "p"], rows).to_markdown()]


def _draft_parts(folds: Sequence[DomainFold]) -> list[str]:
    """What the models name in free answers; nothing where none were asked for."""
    models = [name for name in MODELS if any(name in fold.metrics.drafts for fold in folds)]
    if not models:
        return []
    measured = [f"{name}: {what}" for name in models for what in ("invented", "leaked")]
    note = (
        "What the models name in free answers to the first of these users. Invented: the answer recommends a "
        "title that the domain lacks. Leaked: it names a title of a domain that the model was tuned on. "
        "Brackets are 95 % intervals (Wilson)."
    )
    rows = [(fold.domain, *_draft_cells(fold.metrics.drafts, models)) for fold in folds]
    table = Table(["left out", "answers", *measured], rows)
    return ["## Free answers", note, table.to_markdown()]


def _draft_cells(drafts: Mapping[str, DraftFigures], models: Sequence[str]) -> list[Cell]:
    cells: list[Cell] = [max((one.n for one in drafts.values()), default=0)]
    for name in models:
        found = drafts.get(name)
        shares = (found.invented, found.other_domain) if found else ()
        cells += map(share_in_words, shares) if shares else (NONE, NONE)
    return cells


def _row(fold: DomainFold) -> tuple[Cell, ...]:
    systems, best = fold.metrics.systems, fold.metrics.best
    differences = (best.differences[name] for name in TUNED)
    return (
        fold.domain,
        fold.metrics.cases,
        figure(fold.metrics.chance),
        *(with_ends(systems[name].hit_at_1, systems[name].interval) for name in SHOWN),
        best.name,
        *(with_ends(row.difference, row.interval, signed=True) for row in differences),
    )
