"""Stage `report`: what a run measured, as one HTML file and as Markdown. No figure in it is typed by hand."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from rectune.core.artifacts import write_atomically
from rectune.core.extras import needs_extra
from rectune.core.figures import ReportFigures
from rectune.core.figures.evaluation import EvalMetrics
from rectune.core.finished_stages import FinishedStages
from rectune.core.plots import labels_in
from rectune.core.progress import say
from rectune.core.recipe import Recipe
from rectune.core.text.translation import Translation
from rectune.evaluation.pages.answers import answers, recommendations
from rectune.evaluation.pages.before_after import before_after
from rectune.evaluation.pages.blocks import FIGURES, Block
from rectune.evaluation.pages.data_tables import data_section
from rectune.evaluation.pages.filtering import funnel, scores
from rectune.evaluation.pages.locales import translation
from rectune.evaluation.pages.next_steps import next_steps
from rectune.evaluation.pages.overview import head, what_ranks
from rectune.evaluation.pages.page import Page, to_html, to_markdown
from rectune.evaluation.pages.ranking import ranking, served, verdict
from rectune.evaluation.pages.stage_lines import stage_lines
from rectune.evaluation.pages.training import cost, training


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
            head(finished, tr),
            _overview(finished, tr),
            _sections(finished, config, out, tr, labels),
        )
    written = to_html(page, pictures, tr)
    write_atomically(out / "report.html", written)
    write_atomically(out / "report.md", to_markdown(page, tr))
    metrics = finished.read(EvalMetrics)
    return ReportFigures(
        stages=len(finished.manifests),
        simulated=finished.simulated,
        verdict=verdict(metrics) if metrics else "",
        plots=tuple(sorted(path.name for path in pictures.iterdir())),
        html_bytes=len(written.encode()),
    )


def _overview(finished: FinishedStages, tr: Translation) -> dict[str, Sequence[Block]]:
    """The first screen, without what nothing is known of."""
    parts: dict[str, Sequence[Block]] = {
        tr("What was made of what"): stage_lines(finished, tr),
        tr("What the model says now"): before_after(finished, tr),
        tr("What ranks"): what_ranks(finished, tr),
        tr("What to do next"): next_steps(finished, tr),
    }
    return {name: blocks for name, blocks in parts.items() if blocks}


def _sections(
    finished: FinishedStages, config: Recipe, out: Path, tr: Translation, labels: Translation
) -> dict[str, Sequence[Block]]:
    """All figures; their charts are drawn into the folder of pictures."""
    pictures, key = out / FIGURES, out.name.partition(".")[0]
    return {
        tr("What is served"): served(finished, tr),
        tr("Ranking"): ranking(finished, pictures, tr, labels),
        tr("Data"): data_section(finished, pictures, tr, labels),
        tr("Funnel"): funnel(finished, tr),
        tr("Response scores"): scores(finished, pictures, tr),
        tr("Training"): training(finished, pictures, tr, labels),
        tr("Answers before and after"): answers(finished, config.evaluate.samples, tr),
        tr("Recommendations"): recommendations(finished, tr),
        tr("Time and memory"): cost(finished, key, tr),
    }
