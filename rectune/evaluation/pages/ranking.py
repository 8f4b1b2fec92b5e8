"""The ranking section: what may be concluded from what the stage `eval` measured, and all its tables."""

from __future__ import annotations

from pathlib import Path
from statistics import median

from rectune.core.figures.evaluation import EvalMetrics, RankingMetrics
from rectune.core.figures.served import ServedMetrics
from rectune.core.finished_stages import FinishedStages
from rectune.core.settings import ModelsConfig
from rectune.core.settings.serving import TUNED
from rectune.core.stats.intervals import visible_difference
from rectune.core.text.markdown import escaped
from rectune.core.text.translation import ENGLISH, Translation
from rectune.evaluation.pages.blocks import Block, pictures
from rectune.evaluation.pages.figures import difference_chart, hit_chart
from rectune.rankers.ranking_tables import ranking_tables
from rectune.rankers.served_tables import served_tables

CLAIM = 0.1  # of Hit@1; where only larger differences would be seen nothing is claimed
_QUANTISED = (
    "sft and dpo were trained on the base's 4-bit (NF4) form, while base is ranked as it was: part of the "
    "difference between them is that quantisation."
)
_SEEN = (
    "{systems}, n = {n} users: a difference in Hit@1 of {visible} would be seen four times in five; smaller "
    "ones are not told apart."
)
_NO_CLAIM = "No claim is made from them."
_HITS = "Hit at 1 of every system with its 95 % interval, and chance as a dashed line"
_PAIRS = "Differences of Hit at 1 from the best match by embedding, with 95 % intervals"


def verdict(metrics: RankingMetrics, tr: Translation = ENGLISH) -> str:
    """What may be concluded from the ranking: which differences would be visible at these numbers of users.

    Rankers and language models are told apart, as the latter may rank fewer cases.
    """
    widths: dict[tuple[int, bool], list[float]] = {}
    for pair in metrics.pairs:
        model = pair.system.partition("/")[0] in TUNED
        widths.setdefault((pair.n, model), []).append(visible_difference(pair.interval))
    said = []
    for (n, model), found in sorted(widths.items(), key=lambda row: (row[0][1], -row[0][0])):
        visible = median(found)
        systems = tr("Language models") if model else tr("Rankers")
        said.append(tr(_SEEN, systems=systems, n=n, visible=f"{visible:.2f}"))
        said += [tr(_NO_CLAIM)] if visible > CLAIM else []
    return " ".join(said) or tr("Nothing was compared.")


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
