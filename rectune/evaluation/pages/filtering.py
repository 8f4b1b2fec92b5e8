"""The sections about rows: how many came through each stage, and what the filter did."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from rectune.core.figures import BaseFigures, FilterFigures
from rectune.core.figures.data import BorderlineRows
from rectune.core.finished_stages import FinishedStages
from rectune.core.text.markdown import escaped
from rectune.core.text.tables import Cell, Table
from rectune.core.text.translation import Translation
from rectune.evaluation.pages.blocks import Block, Collapsible, pictures
from rectune.filters.report import examples, length_table, rule_table

_PNG = b"\x89PNG\r\n\x1a\n"
_CHARTS = {
    "overlap.png": "Rows that two rules drop both",
    "drop_rate.png": "Share of responses dropped, by length",
    "score_by_length.png": "Response score against length",
}


def funnel(run: FinishedStages, tr: Translation) -> list[Block]:
    """Rows into and out of each stage, and why some did not get through."""
    lines = [
        (
            flow.stage,
            flow.rows_in,
            flow.rows_out,
            f"{100 * flow.rows_out / flow.rows_in:.0f} %" if flow.comparable else "",
            ", ".join(f"{tr.stored(reason)}: {count}" for reason, count in flow.dropped.items()),
        )
        for flow in run.flows()
    ]
    heads = tr.each("stage", "rows in", "rows out", "through", "dropped")
    return [Table(heads, lines, align="lrrrl") if lines else tr("No stage counted rows.")]


def scores(run: FinishedStages, figures: Path, tr: Translation) -> list[Block]:
    """What the filter did: scores by domain, rules, lengths, and the rows that a person should read.

    Args:
        run: the stages.
        figures: the folder that the filter's pictures are copied into, whose labels are English.
        tr: the language of the section.
    """
    filtered, borderline = run.read(FilterFigures), run.read(BorderlineRows)
    if filtered is None or borderline is None:
        return [tr("The filter has not run.")]
    base = run.read(BaseFigures)
    counted = tr(", counted with the tokenizer of {model}", model=escaped(base.model)) if base else ""
    said = tr(
        "The score of a response is ln(L) · L / C, L its tokens and C its distinct tokens{counted}. High "
        "means repetitive. A response may be dropped for more than one reason.",
        counted=counted,
    )
    heads = tr.each("domain", "rows", "kept", "lower quartile", "median", "upper quartile")
    folder = run.inputs["filter"]
    read = (
        (tr("Worst kept, by the score: {n}", n=len(borderline.worst_kept)), borderline.worst_kept),
        (tr("Best dropped, by the score: {n}", n=len(borderline.best_dropped)), borderline.best_dropped),
    )
    return [
        said,
        Table(heads, _quartiles(folder)),
        pictures(figures, _histograms(folder, figures, tr)),
        replace(rule_table(filtered, tr), title=tr("Rules")),
        replace(length_table(filtered, tr), title=tr("Dropped by length")),
        pictures(figures, _charts(folder, figures, tr)),
        *(Collapsible(words, examples(found, tr)) for words, found in read if found),
    ]


def _quartiles(folder: Path) -> list[tuple[Cell, ...]]:
    """Rows, rows kept and the score's quartiles by domain and by category, from verdicts.parquet."""
    import polars as pl

    found = pl.read_parquet(folder / "verdicts.parquet", columns=["domain", "category", "score", "kept"])
    divided = found.filter(pl.col("category") != "")
    divided = divided.with_columns(domain=pl.concat_str("domain", "category", separator="/"))
    quartiles = (pl.col("score").quantile(share, "linear").alias(str(share)) for share in (0.25, 0.5, 0.75))
    counts = (pl.len().alias("rows"), pl.col("kept").sum().alias("kept_rows"))
    table = pl.concat([found, divided]).group_by("domain").agg(*counts, *quartiles).sort("domain")
    return [
        (domain, n, kept, *(None if value is None else f"{value:.2f}" for value in values))
        for domain, n, kept, *values in table.iter_rows()
    ]


def _histograms(folder: Path, figures: Path, tr: Translation) -> dict[str, str]:
    """Copy the histograms of scores; returns what each shows, by file name."""
    found = {}
    for path in sorted((folder / "histograms").glob("*.png")):
        name = "scores_" + re.sub(r"[^\w.-]", "_", path.name)
        _copy(path, figures / name)
        found[name] = tr("Response scores in {domain}", domain=path.stem)
    return found


def _charts(folder: Path, figures: Path, tr: Translation) -> dict[str, str]:
    for name in _CHARTS:
        _copy(folder / "figures" / name, figures / f"filter_{name}")
    return {f"filter_{name}": tr(shows) for name, shows in _CHARTS.items()}


def _copy(source: Path, target: Path) -> None:
    """Copy a picture if it is there and is a PNG."""
    content = source.read_bytes() if source.is_file() else b""
    if content.startswith(_PNG):
        target.write_bytes(content)
