"""Stage `report`: what a run measured, as one HTML file and as Markdown. No figure in it is typed by hand."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rectune.core.recipe import Recipe
from rectune.core.runs import write_atomically
from rectune.evaluation.pages import data_figures, figures
from rectune.evaluation.pages.content import Content, gather
from rectune.evaluation.pages.filtered import PICTURES
from rectune.evaluation.pages.render import html, markdown

_PNG = b"\x89PNG\r\n\x1a\n"


def run(config: Recipe, inputs: Mapping[str, Path], out: Path) -> dict[str, Any]:
    """Write report.html, report.md and figures/*.png from whatever stages have finished.

    Args:
        config: section `evaluate`; `samples` bounds the answers shown.
        inputs: every earlier stage's folder by name. Missing folders or files shorten the report.
        out: replaced where an interrupted attempt left something.

    Returns:
        `evaluation` (the ranking table that cards repeat), the names of the plots, the page's size in bytes.
    """
    content = gather(inputs, config.evaluate.samples)
    pictures = out / "figures"
    shutil.rmtree(pictures, ignore_errors=True)
    pictures.mkdir(parents=True)
    histograms = _histograms(inputs, pictures)
    _filter_charts(inputs, pictures)
    charts = _draw(content, pictures)
    key = out.name.partition(".")[0]
    page = html(content, key, pictures, histograms, charts)
    write_atomically(out / "report.html", page)
    write_atomically(out / "report.md", markdown(content, key, pictures, histograms, charts))
    return {
        "stages": len(content.manifests),
        "simulated": content.simulated,
        "evaluation": asdict(content.results) if content.results.systems else None,
        "plots": sorted(path.name for path in pictures.iterdir()),
        "html_bytes": len(page.encode()),
    }


def _draw(content: Content, pictures: Path) -> dict[str, str]:
    """Draw the charts; returns what those of the data show, by file name."""
    figures.loss_curve(content.sft, pictures / "loss.png")
    figures.reward_margins(content.dpo, pictures / "rewards.png")
    figures.hit_chart(content.results.systems, content.results.chance, pictures / "hits.png")
    figures.difference_chart(content.pairs, pictures / "pairs.png")
    return data_figures.draw(content.data, pictures)


def _histograms(inputs: Mapping[str, Path], pictures: Path) -> list[tuple[str, str]]:
    """Copy the filter's histograms; returns (file name, domain) of each. What is no PNG stays behind."""
    found = []
    for path in sorted((inputs["filter"] / "histograms").glob("*.png")) if "filter" in inputs else []:
        name = "scores_" + re.sub(r"[^\w.-]", "_", path.name)
        if _copied(path, pictures / name):
            found.append((name, path.stem))
    return found


def _filter_charts(inputs: Mapping[str, Path], pictures: Path) -> None:
    for name in PICTURES if "filter" in inputs else ():
        _copied(inputs["filter"] / "figures" / name, pictures / f"filter_{name}")


def _copied(source: Path, target: Path) -> bool:
    """Copy a picture if it is there and is a PNG."""
    content = source.read_bytes() if source.is_file() else b""
    if not content.startswith(_PNG):
        return False
    target.write_bytes(content)
    return True
