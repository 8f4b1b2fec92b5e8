"""The sections about rows: how many came through each stage, and what the filter did."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from rectune.core.manifest import flows
from rectune.core.text.figures import mapping, rows
from rectune.core.text.markdown import escaped
from rectune.core.text.tables import Cell, Table
from rectune.evaluation.pages.finished_stages import FinishedStages
from rectune.evaluation.pages.page import Block, Collapsible, pictures
from rectune.filters.report import examples, length_table, rule_table

_PNG = b"\x89PNG\r\n\x1a\n"
_CHARTS = {
    "overlap.png": "Rows that two rules drop both",
    "drop_rate.png": "Share of responses dropped, by length",
    "score_by_length.png": "Response score against length",
}


def funnel(run: FinishedStages) -> list[Block]:
    """Rows into and out of each stage, and why some did not get through."""
    lines = [
        (
            flow.stage,
            flow.rows_in,
            flow.rows_out,
            f"{100 * (flow.rows_out or 0) / (flow.rows_in or 1):.0f} %" if flow.comparable else "",
            ", ".join(f"{reason}: {count}" for reason, count in flow.dropped.items()),
        )
        for flow in flows(run.manifests)
    ]
    table = Table(("stage", "rows in", "rows out", "through", "dropped"), lines, align="lrrrl")
    return [table if lines else "No stage counted rows."]


def scores(run: FinishedStages, figures: Path) -> list[Block]:
    """What the filter did: scores by domain, rules, lengths, and the rows that a person should read.

    Args:
        run: the stages.
        figures: the folder that the filter's pictures are copied into.
    """
    lines = _quartiles(run)
    base = run.figures("base").get("model")
    counted = f", counted with the tokenizer of {escaped(base)}" if base else ""
    said = (
        f"The score of a response is ln(L) · L / C, L its tokens and C its distinct tokens{counted}. High "
        "means repetitive. A response may be dropped for more than one reason."
    )
    heads = ("domain", "rows", "kept", "lower quartile", "median", "upper quartile")
    extremes = mapping(run.document("filter", "extremes.json"))
    read = {
        "Worst kept": rows(extremes.get("worst_kept")),
        "Best dropped": rows(extremes.get("best_dropped")),
    }
    return [
        *([said, Table(heads, lines)] if lines else ["The filter left no verdicts."]),
        pictures(figures, _histograms(run, figures)),
        replace(rule_table(run.figures("filter")), title="Rules"),
        replace(length_table(run.figures("filter")), title="Dropped by length"),
        pictures(figures, _charts(run, figures)),
        *(
            Collapsible(f"{words}, by the score: {len(found)}", examples(found))
            for words, found in read.items()
            if found
        ),
    ]


def _quartiles(run: FinishedStages) -> list[tuple[Cell, ...]]:
    """Rows, rows kept and the score's quartiles by domain and by category, from verdicts.parquet."""
    path = run.inputs.get("filter", Path()) / "verdicts.parquet"
    if "filter" not in run.inputs or not path.is_file():
        return []
    import polars as pl

    found = pl.read_parquet(path, columns=["domain", "category", "score", "kept"])
    divided = found.filter(pl.col("category") != "")
    divided = divided.with_columns(domain=pl.concat_str("domain", "category", separator="/"))
    quartiles = (pl.col("score").quantile(share, "linear").alias(str(share)) for share in (0.25, 0.5, 0.75))
    counts = (pl.len().alias("rows"), pl.col("kept").sum().alias("kept_rows"))
    table = pl.concat([found, divided]).group_by("domain").agg(*counts, *quartiles).sort("domain")
    return [
        (domain, n, kept, *(None if value is None else f"{value:.2f}" for value in values))
        for domain, n, kept, *values in table.iter_rows()
    ]


def _histograms(run: FinishedStages, figures: Path) -> dict[str, str]:
    """Copy the histograms of scores; returns what each shows, by file name."""
    folder = run.inputs.get("filter", Path()) / "histograms"
    found = {}
    for path in sorted(folder.glob("*.png")) if "filter" in run.inputs else []:
        name = "scores_" + re.sub(r"[^\w.-]", "_", path.name)
        _copy(path, figures / name)
        found[name] = f"Response scores in {path.stem}"
    return found


def _charts(run: FinishedStages, figures: Path) -> dict[str, str]:
    for name in _CHARTS if "filter" in run.inputs else ():
        _copy(run.inputs["filter"] / "figures" / name, figures / f"filter_{name}")
    return {f"filter_{name}": shows for name, shows in _CHARTS.items()}


def _copy(source: Path, target: Path) -> None:
    """Copy a picture if it is there and is a PNG."""
    content = source.read_bytes() if source.is_file() else b""
    if content.startswith(_PNG):
        target.write_bytes(content)
