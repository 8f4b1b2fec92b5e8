"""The filter's report: `filter.md` with charts, and a summary for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rectune.core.text.figures import mapping, rows
from rectune.core.text.markdown import block_quote, escaped, joined
from rectune.core.text.tables import Table
from rectune.filters.charts import bucket_name

Figures = Mapping[str, Any]


def markdown(stats: Figures, read: Mapping[str, Sequence[Figures]]) -> str:
    """The report.

    Args:
        stats: the stage's figures (`rectune.filters.stats.stats`).
        read: `worst_kept` and `best_dropped` (`rectune.filters.borderline`).
    """
    histograms = (
        f"![Response scores in {escaped(group)}](<histograms/{picture_name(group)}>)"
        for group in stats["domains"]
    )
    return (
        joined(
            "# What the filter did",
            f"{stats['rows_in']} responses in, {stats['rows_out']} kept. Tokens are those of "
            f"{escaped(stats['tokenizer'])}; the response score is ln(L)·L/C, L tokens and C distinct "
            f"ones, and {stats['threshold']:g} or above is dropped.",
            "## Rules",
            rule_table(stats).to_markdown() or "Nothing was dropped.",
            "![Rows that two rules drop both](figures/overlap.png)" if stats["overlap"] else "",
            "## Domains",
            _domains(stats).to_markdown() or "Nothing.",
            "## Length",
            length_table(stats).to_markdown() or "Nothing.",
            "![Drop rate by length](figures/drop_rate.png)",
            "![Score against length](figures/score_by_length.png)",
            "## Scores",
            *histograms,
            "## Worst kept",
            examples(read["worst_kept"]) or "None.",
            "## Best dropped",
            examples(read["best_dropped"]) or "None.",
        )
        + "\n"
    )


def summary(stats: Mapping[str, Any]) -> str:
    """A table with one line per rule that dropped something, most first."""
    lines = [f"  {stats['rows_out']} of {stats['rows_in']} responses kept"]
    width = max((len(reason) for reason in stats["dropped"]), default=0)
    for reason, dropped, alone in rule_table(stats).rows:
        lines.append(f"  {reason:<{width}}  {dropped:>7} dropped, {alone:>7} by this rule alone")
    return "\n".join(lines)


def picture_name(group: str) -> str:
    """The file name of a group's histogram; `a/b` is category b of domain a."""
    return f"{group.replace('/', ' ')}.png"


def rule_table(stats: Figures) -> Table:
    """Rows dropped by each rule, most first, and by it alone; empty if nothing was dropped."""
    counts, alone = mapping(stats.get("dropped")), mapping(stats.get("dropped_by_one_rule_alone"))
    dropped = sorted(counts.items(), key=lambda entry: -entry[1])
    lines = [(str(reason), count, alone.get(reason, 0)) for reason, count in dropped]
    note = "A row may be dropped by several rules; alone counts those that no other rule drops."
    return Table(("rule", "dropped", "alone"), lines, note=note)


def length_table(stats: Figures) -> Table:
    """Rows, rows dropped and rows dropped by the score, by length in tokens."""
    buckets = [
        (
            bucket_name(one),
            one["rows"],
            _share(one["dropped"], one["rows"]),
            _share(one["dropped_by_score"], one["rows"]),
        )
        for one in rows(stats.get("lengths"))
    ]
    note = "The score grows with length even on clean text, so it is partly a filter of length."
    return Table(("tokens", "rows", "dropped", "by the score"), buckets, note=note)


def examples(found: Sequence[Figures]) -> str:
    """Rows as Markdown, each with its figures above its text, a quote that keeps its lines."""
    return joined(
        *(
            f"**score {row['score']:.3f}**, {row['tokens']} tokens, {escaped(row['domain'])}"
            + (f", dropped: {escaped(', '.join(row['reasons']))}" if row["reasons"] else "")
            + f" ({escaped(row['id'])})\n\n"
            + block_quote(row["response"] or "(empty answer)")
            for row in found
        )
    )


def _domains(stats: Figures) -> Table:
    entries = [
        (
            group,
            entry["in"],
            entry["kept"],
            ", ".join(f"{reason}: {count}" for reason, count in entry["dropped"].items()),
        )
        for group, entry in stats["domains"].items()
    ]
    return Table(("domain", "rows", "kept", "dropped for"), entries, align="lrrl")


def _share(part: int, whole: int) -> str:
    return f"{part} ({100 * part / whole:.0f} %)" if whole else "0"
