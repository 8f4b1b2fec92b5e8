"""Stage `report`: what a run measured, as one HTML file and as Markdown. No figure in it is typed by hand."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rectune.core.artifacts import write_atomically
from rectune.core.extras import needs_extra
from rectune.core.manifest import annotators, simulated
from rectune.core.recipe import Recipe
from rectune.core.text.figures import mapping, memory
from rectune.core.text.markdown import escaped
from rectune.core.text.plain import duration
from rectune.core.text.tables import Table
from rectune.evaluation.pages.answers import answers, recommendations
from rectune.evaluation.pages.data_tables import data_section
from rectune.evaluation.pages.filtering import funnel, scores
from rectune.evaluation.pages.finished_stages import FinishedStages
from rectune.evaluation.pages.page import FIGURES, Block, Page, to_html, to_markdown
from rectune.evaluation.pages.ranking import ranking, read_systems, verdict
from rectune.evaluation.pages.training import cost, training

_SIMULATED = (
    "> **Preferences come from a simulated annotator, not from people.** What DPO learnt here is a "
    "published rule, and says nothing about what people prefer."
)


@needs_extra("the report", "matplotlib")
def run(config: Recipe, inputs: Mapping[str, Path], out: Path) -> dict[str, Any]:
    """Write report.html, report.md and figures/*.png from whatever stages have finished.

    Args:
        config: section `evaluate`; `samples` bounds the answers shown.
        inputs: every earlier stage's folder by name. Missing folders or files shorten the report.
        out: replaced where an interrupted attempt left something.

    Returns:
        `verdict` (what may be concluded of the ranking), the names of the plots, the page's size in bytes.
    """
    finished, pictures = FinishedStages(inputs), out / FIGURES
    shutil.rmtree(pictures, ignore_errors=True)
    pictures.mkdir(parents=True)
    page = Page(
        f"rectune report: {finished.recipe or 'unnamed recipe'}",
        _head(finished, out.name.partition(".")[0]),
        {
            "Ranking": ranking(finished, pictures),
            "Data": data_section(finished, pictures),
            "Funnel": funnel(finished),
            "Response scores": scores(finished, pictures),
            "Training": training(finished, pictures),
            "Answers before and after": answers(finished, config.evaluate.samples),
            "Recommendations": recommendations(finished),
            "Time and memory": cost(finished),
        },
    )
    written = to_html(page, pictures)
    write_atomically(out / "report.html", written)
    write_atomically(out / "report.md", to_markdown(page))
    return {
        "stages": len(finished.manifests),
        "simulated": simulated(finished.manifests),
        "verdict": verdict(read_systems(finished.document("eval", "metrics.json"))),
        "plots": sorted(path.name for path in pictures.iterdir()),
        "html_bytes": len(written.encode()),
    }


def _head(finished: FinishedStages, key: str) -> list[Block]:
    manifests = finished.manifests
    missing = [stage for stage in finished.inputs if stage not in manifests]
    started = min((one.started for one in manifests.values() if one.started), default="")
    seconds = sum(one.seconds for one in manifests.values())
    facts = (
        ("data", str(mapping(finished.settings.get("data")).get("root") or "not recorded")),
        ("first stage started", started[:16].replace("T", " ") or "not recorded"),
        ("stages", f"{len(manifests)} finished, {duration(seconds)}"),
        ("peak memory", memory(max((one.peak_memory for one in manifests.values()), default=0))),
        ("tagged by", ", ".join(annotators(manifests)) or "nobody"),
        ("key of this report", key),
    )
    return [
        _SIMULATED if simulated(manifests) else "",
        f"> Not part of this report, because not finished: {escaped(', '.join(missing))}." if missing else "",
        Table(("", ""), facts, align="l"),
    ]
