"""The first screen: what ran, and what ranks, in the figures that say whether it helped."""

from __future__ import annotations

from collections.abc import Mapping

from rectune.core.figures import AllmrecLlmFigures, FitFigures
from rectune.core.figures.evaluation import EvalMetrics
from rectune.core.figures.fit import HISTORY_LENGTHS, HistoryLength, RankerWeights
from rectune.core.figures.served import BEST_ALONE, SERVED, ServedDifference, ServedMetrics
from rectune.core.finished_stages import FinishedStages
from rectune.core.stats.intervals import visible_difference
from rectune.core.text.figures import mean_in_words, memory
from rectune.core.text.markdown import escaped
from rectune.core.text.plain import duration
from rectune.core.text.tables import Table
from rectune.core.text.translation import Translation
from rectune.evaluation.pages.blocks import Block
from rectune.evaluation.pages.ranking import verdict
from rectune.rankers.served_tables import Outcome, difference_in_words, outcome
from rectune.rankers.weighting import label_of

_SIMULATED = (
    "> **Preferences come from a simulated annotator, not from people.** They are a published rule and say "
    "nothing about what people prefer."
)
_MEANS: dict[Outcome, str] = {
    "unknown": "What it means: there are too few test users to say whether choosing rankers helped.",
    "same": "What it means: so few users do not tell what is served from the best single ranker; neither may "
    "be called better, and more test users would show smaller differences.",
    "better": "What it means: choosing and fusing rankers by domain and history gives better lists than "
    "the single ranker that the same validation users would have picked.",
    "worse": "What it means: what was chosen on validation users does not hold on test users; the best "
    "single ranker would have served them better.",
}


def head(run: FinishedStages, tr: Translation) -> list[Block]:
    """One line about the run, the warning of simulated preferences, and the stages that have not finished."""
    manifests = run.manifests
    missing = [stage for stage in run.inputs if stage not in manifests]
    started = min((one.started for one in manifests.values() if one.started), default="")
    facts = tr(
        "Recipe {recipe} · started {started} · {time} · peak memory {memory} · tagged by {annotators}",
        recipe=run.recipe or tr("unnamed recipe"),
        started=started[:16].replace("T", " ") or tr("not recorded"),
        time=duration(sum(one.seconds for one in manifests.values()), tr),
        memory=memory(max((one.peak_memory for one in manifests.values()), default=0), tr),
        annotators=", ".join(map(tr.stored, run.annotators)) or tr("nobody"),
    )
    unfinished = tr(
        "> Not part of this report, because not finished: {stages}.", stages=escaped(", ".join(missing))
    )
    return [escaped(facts), tr(_SIMULATED) if run.simulated else "", unfinished if missing else ""]


def what_ranks(run: FinishedStages, tr: Translation) -> list[Block]:
    """What validation users chose, and how it does on test users; nothing where neither is known."""
    fitted, served, ranked = _last_choice(run), run.read(ServedMetrics), run.read(EvalMetrics)
    said = [tr("Ranking by candidates: {verdict}", verdict=escaped(verdict(ranked, tr)))] if ranked else []
    points = "\n".join(f"- {line}" for line in (*(_served(served, tr) if served else ()), *said))
    return [*([choices(fitted, tr)] if fitted and fitted.domains else []), *([points] if points else [])]


def _last_choice(run: FinishedStages) -> FitFigures | None:
    """What `fit` chose, or where it has finished the stage that chooses after it."""
    fitted, last = run.read(FitFigures), run.read(AllmrecLlmFigures)
    if fitted is None or last is None:
        return fitted
    domains = dict(fitted.domains)
    for name, found in last.domains.items():
        chosen = {length: one.chosen.weights for length, one in found.histories.items()}
        if name in domains:
            domains[name] = domains[name].model_copy(update={"chosen": chosen})
    return fitted.model_copy(update={"domains": domains})


def choices(fitted: FitFigures, tr: Translation) -> Table:
    """By the length of histories the rankers that were chosen, domains with the same choice together."""
    lines = [
        (tr("{likes} likes", likes=length), _domains_by_choice(fitted, length, tr))
        for length in HISTORY_LENGTHS
    ]
    return Table(tr.each("history", "what validation users chose"), lines, align="l")


def _domains_by_choice(fitted: FitFigures, length: HistoryLength, tr: Translation) -> str:
    found: dict[str, list[str]] = {}
    for domain, one in fitted.domains.items():
        if length in one.chosen:
            found.setdefault(_label(one.chosen[length], tr), []).append(domain)
    if len(found) == 1 and len(fitted.domains) > 1:
        return tr("{rankers} (all domains)", rankers=next(iter(found)))
    return "; ".join(f"{rankers} ({', '.join(domains)})" for rankers, domains in found.items())


def _label(weights: Mapping[str, float], tr: Translation) -> str:
    return label_of(RankerWeights(weights=dict(weights), half_likes=0.0), tr) if weights else tr("nothing")


def _served(metrics: ServedMetrics, tr: Translation) -> list[str]:
    """Sentences, as Markdown; none where nothing was measured."""
    overall = metrics.overall
    if overall is None or SERVED not in overall.systems:
        return []
    one = overall.systems[SERVED]
    said = tr(
        "NDCG@10 of what is served: {ndcg}, n = {n} test users",
        ndcg=mean_in_words(one.ndcg_at_10),
        n=one.users,
    )
    best = next((row for row in overall.differences if row.against == BEST_ALONE), None)
    if best is None:
        return [escaped(said)]
    compared = escaped(f"{said}; {difference_in_words(best, tr)}.")
    return [compared, *_visible(best, tr), f"**{tr(_MEANS[outcome(best.ndcg_at_10)])}**"]


def _visible(difference: ServedDifference, tr: Translation) -> list[str]:
    found = difference.ndcg_at_10
    if found.low is None or found.high is None:
        return []
    return [
        tr(
            "With {n} users a difference in NDCG@10 of {visible} would be seen four times in five.",
            n=difference.users,
            visible=f"{visible_difference((found.low, found.high)):.3f}",
        )
    ]
