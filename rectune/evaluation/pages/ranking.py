"""The ranking section: what may be concluded from what the stage `eval` measured, and all its tables."""

from __future__ import annotations

from pathlib import Path

from rectune.core.figures.evaluation import EvalMetrics, RankingMetrics
from rectune.core.figures.served import ServedMetrics
from rectune.core.finished_stages import FinishedStages
from rectune.core.settings import ModelsConfig
from rectune.core.text.markdown import escaped
from rectune.core.text.translation import ENGLISH, Translation
from rectune.evaluation.pages.figures import difference_chart, hit_chart
from rectune.evaluation.pages.page import Block, pictures
from rectune.rankers.ranking_tables import ranking_tables
from rectune.rankers.served_tables import served_tables

CLAIM = 500  # users; below it the 95 % interval of a share near 0.3 is wider than 0.08
_QUANTISED = (
    "sft and dpo were trained on the base's 4-bit (NF4) form, while base is ranked as it was: part of the "
    "difference between them is that quantisation."
)
_TOO_FEW = (
    "With n = {n} users, and intervals up to {width} wide, no claim is made: these figures show that the "
    "measurement runs."
)
_ENOUGH = (
    "n = {n} users, and intervals up to {width} wide: systems whose intervals overlap are not told apart."
)
_HITS = "Hit at 1 of every system with its 95 % interval, and chance as a dashed line"
_PAIRS = "Differences of Hit at 1 from the best match by embedding, with 95 % intervals"


def verdict(metrics: RankingMetrics, tr: Translation = ENGLISH) -> str:
    """What may be concluded, by the number of users and the intervals' width."""
    systems = metrics.systems.values()
    n = min(one.n for one in systems)
    width = max(high - low for low, high in (one.interval for one in systems))
    said = _TOO_FEW if n < CLAIM else _ENOUGH
    return tr(said, n=n, width=f"{width:.2f}")


def served(run: FinishedStages, tr: Translation) -> list[Block]:
    """The section of the lists that the recommender really gives."""
    metrics = run.read(ServedMetrics)
    if metrics is None:
        return [tr("No evaluation was recorded.")]
    return [*served_tables(metrics, run.recipe, tr)] or [
        tr("Not measured: evaluate.served is 0, or no test user could be served.")
    ]


def ranking(run: FinishedStages, figures: Path, tr: Translation, labels: Translation) -> list[Block]:
    """The section; draws its charts into the folder `figures`, with `labels`."""
    metrics, models = run.read(EvalMetrics), run.settings(ModelsConfig)
    if metrics is None:
        return [tr("No evaluation was recorded.")]
    hit_chart(metrics.systems, metrics.chance, figures / "hits.png", labels)
    difference_chart(metrics.pairs, figures / "pairs.png", labels)
    protocol, intervals = (escaped(tr.stored(text)) for text in (metrics.protocol, metrics.intervals))
    return [
        tr(
            "One item that the user really took next, among {candidates} candidates; chance is {chance}.",
            candidates=metrics.candidates,
            chance=f"{metrics.chance:.3f}",
        ),
        f"**{verdict(metrics, tr)}**",
        tr("Protocol: {protocol}. Intervals: {intervals}.", protocol=protocol, intervals=intervals),
        tr(_QUANTISED) if models and models.load_in_4bit else "",
        pictures(figures, {"hits.png": tr(_HITS)}),
        pictures(figures, {"pairs.png": tr(_PAIRS)}),
        *ranking_tables(metrics, run.recipe, tr),
    ]
