"""The filter's report: `filter.md` with charts, and a summary for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rectune.core.figures.data import BorderlineRow, BorderlineRows, FilterFigures
from rectune.core.text.markdown import block_quote, escaped, joined
from rectune.core.text.tables import Table
from rectune.core.text.translation import ENGLISH, Translation
from rectune.filters.charts import bucket_name


def markdown(figures: FilterFigures, read: BorderlineRows) -> str:
    """The report.

    Args:
        figures: what the stage measured.
        read: the responses that a person should read.
    """
    histograms = (
        f"![Response scores in {escaped(group)}](<histograms/{picture_name(group)}>)"
        for group in figures.domains
    )
    return (
        joined(
            "# What the filter did",
            f"{figures.rows_in} responses in, {figures.rows_out} kept. Tokens are those of "
            f"{escaped(figures.tokenizer)}; the response score is ln(L)·L/C, L tokens and C distinct "
            f"ones, and {figures.threshold:g} or above is dropped.",
            "## Rules",
            rule_table(figures).to_markdown() or "Nothing was dropped.",
            "![Rows that two rules drop both](figures/overlap.png)" if figures.overlap else "",
            "## Domains",
            _domains(figures).to_markdown() or "Nothing.",
            "## Length",
            length_table(figures).to_markdown() or "Nothing.",
            "![Drop rate by length](figures/drop_rate.png)",
            "![Score against length](figures/score_by_length.png)",
            "## Scores",
            *histograms,
            "## Worst kept",
            examples(read.worst_kept) or "None.",
            "## Best dropped",
            examples(read.best_dropped) or "None.",
        )
        + "\n"
    )


def summary(figures: FilterFigures) -> str:
    """A table with one line per rule that dropped something, most first."""
    lines = [f"  {figures.rows_out} of {figures.rows_in} responses kept"]
    width = max((len(reason) for reason in figures.dropped), default=0)
    for reason, dropped, alone in rule_table(figures).rows:
        lines.append(f"  {reason:<{width}}  {dropped:>7} dropped, {alone:>7} by this rule alone")
    return "\n".join(lines)


def picture_name(group: str) -> str:
    """The file name of a group's histogram; `a/b` is category b of domain a."""
    return f"{group.replace('/', ' ')}.png"


def rule_table(figures: FilterFigures, tr: Translation = ENGLISH) -> Table:
    """Rows dropped by each rule, most first, and by it alone; empty if nothing was dropped."""
    dropped = sorted(figures.dropped.items(), key=lambda entry: -entry[1])
    alone = figures.dropped_by_one_rule_alone
    lines = [(tr.stored(reason), count, alone.get(reason, 0)) for reason, count in dropped]
    note = tr("A row may be dropped by several rules; alone counts those that no other rule drops.")
    return Table(tr.each("rule", "dropped", "alone"), lines, note=note)


def length_table(figures: FilterFigures, tr: Translation = ENGLISH) -> Table:
    """Rows, rows dropped and rows dropped by the score, by length in tokens."""
    buckets = [
        (
            bucket_name(one),
            one.rows,
            _share(one.dropped, one.rows),
            _share(one.dropped_by_score, one.rows),
        )
        for one in figures.lengths
    ]
    note = tr("The score grows with length even on clean text, so it is partly a filter of length.")
    return Table(tr.each("tokens", "rows", "dropped", "by the score"), buckets, note=note)


def examples(found: Sequence[BorderlineRow], tr: Translation = ENGLISH) -> str:
    """Rows as Markdown, each with its figures above its text, a quote that keeps its lines."""
    return joined(*(_example(row, tr) for row in found))


def _example(row: BorderlineRow, tr: Translation) -> str:
    figures = tr("**score {score}**, {tokens} tokens", score=f"{row.score:.3f}", tokens=row.tokens)
    reasons = escaped(", ".join(map(tr.stored, row.reasons)))
    dropped = tr(", dropped: {reasons}", reasons=reasons) if row.reasons else ""
    response = block_quote(row.response or tr("(empty answer)"))
    return f"{figures}, {escaped(row.domain)}{dropped} ({escaped(row.id)})\n\n{response}"


def _domains(figures: FilterFigures) -> Table:
    entries = [
        (
            group,
            entry.rows,
            entry.kept,
            ", ".join(f"{reason}: {count}" for reason, count in entry.dropped.items()),
        )
        for group, entry in figures.domains.items()
    ]
    return Table(("domain", "rows", "kept", "dropped for"), entries, align="lrrl")


def _share(part: int, whole: int) -> str:
    return f"{part} ({100 * part / whole:.0f} %)" if whole else "0"
