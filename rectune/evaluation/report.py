"""Stage `report`: what a run measured, as one HTML file and as Markdown. No figure in it is typed by hand."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from rectune.core.artifacts import write_atomically
from rectune.core.extras import needs_extra
from rectune.core.figures import DataFigures, ReportFigures
from rectune.core.figures.evaluation import EvalMetrics
from rectune.core.finished_stages import FinishedStages
from rectune.core.plots import labels_in
from rectune.core.progress import say
from rectune.core.recipe import Recipe
from rectune.core.text.figures import memory
from rectune.core.text.markdown import escaped
from rectune.core.text.plain import duration
from rectune.core.text.tables import Table
from rectune.core.text.translation import Translation
from rectune.evaluation.pages.answers import answers, recommendations
from rectune.evaluation.pages.data_tables import data_section
from rectune.evaluation.pages.filtering import funnel, scores
from rectune.evaluation.pages.locales import translation
from rectune.evaluation.pages.page import FIGURES, Block, Page, to_html, to_markdown
from rectune.evaluation.pages.ranking import ranking, served, verdict
from rectune.evaluation.pages.training import cost, training

_SIMULATED = (
    "> **Preferences come from a simulated annotator, not from people.** What DPO learnt here is a "
    "published rule, and says nothing about what people prefer."
)


@needs_extra("the report", "matplotlib")
def run(config: Recipe, inputs: Mapping[str, Path], out: Path) -> ReportFigures:
    """Write report.html, report.md and figures/*.png from whatever stages have finished.

    Args:
        config: sections `evaluate`, whose `samples` bounds the answers shown, and `report`.
        inputs: every earlier stage's folder by name. Stages that have not finished shorten the report.
        out: replaced where an interrupted attempt left something.

    Raises:
        UserError: a figure of a finished stage is missing, unknown or of another type.
    """
    finished, pictures = FinishedStages(inputs), out / FIGURES
    shutil.rmtree(pictures, ignore_errors=True)
    pictures.mkdir(parents=True)
    tr = translation(config.report.locale)
    with labels_in(tr) as labels:
        if labels.locale != tr.locale:
            say(f"charts keep English labels: matplotlib knows no font for report.locale={tr.locale}")
        page = Page(
            tr("rectune report: {recipe}", recipe=finished.recipe or tr("unnamed recipe")),
            _head(finished, out.name.partition(".")[0], tr),
            {
                tr("What is served"): served(finished, tr),
                tr("Ranking"): ranking(finished, pictures, tr, labels),
                tr("Data"): data_section(finished, pictures, tr, labels),
                tr("Funnel"): funnel(finished, tr),
                tr("Response scores"): scores(finished, pictures, tr),
                tr("Training"): training(finished, pictures, tr, labels),
                tr("Answers before and after"): answers(finished, config.evaluate.samples, tr),
                tr("Recommendations"): recommendations(finished, tr),
                tr("Time and memory"): cost(finished, tr),
            },
        )
    written = to_html(page, pictures, tr)
    write_atomically(out / "report.html", written)
    write_atomically(out / "report.md", to_markdown(page))
    metrics = finished.read(EvalMetrics)
    return ReportFigures(
        stages=len(finished.manifests),
        simulated=finished.simulated,
        verdict=verdict(metrics) if metrics else "",
        plots=tuple(sorted(path.name for path in pictures.iterdir())),
        html_bytes=len(written.encode()),
    )


def _head(finished: FinishedStages, key: str, tr: Translation) -> list[Block]:
    manifests, data = finished.manifests, finished.read(DataFigures)
    missing = [stage for stage in finished.inputs if stage not in manifests]
    started = min((one.started for one in manifests.values() if one.started), default="")
    seconds = sum(one.seconds for one in manifests.values())
    facts = (
        (tr("data"), data.root if data else tr("not recorded")),
        (tr("first stage started"), started[:16].replace("T", " ") or tr("not recorded")),
        (tr("stages"), tr("{n} finished, {time}", n=len(manifests), time=duration(seconds, tr))),
        (tr("peak memory"), memory(max((one.peak_memory for one in manifests.values()), default=0), tr)),
        (tr("tagged by"), ", ".join(map(tr.stored, finished.annotators)) or tr("nobody")),
        (tr("key of this report"), key),
    )
    unfinished = tr(
        "> Not part of this report, because not finished: {stages}.", stages=escaped(", ".join(missing))
    )
    return [
        tr(_SIMULATED) if finished.simulated else "",
        unfinished if missing else "",
        Table(("", ""), facts, align="l"),
    ]
