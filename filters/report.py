"""What the filter did, for people: `filter.md` with its pictures, and a few lines for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rectune.core.text.markdown import one_line, quoted
from rectune.filters.charts import bucket_name

_NUMBERS = frozenset(("rows", "kept", "dropped", "alone", "by the score"))  # heads of columns of numbers


def markdown(stats: Mapping[str, Any], read: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """The report.

    Args:
        stats: the stage's figures (`rectune.filters.tally.stats`).
        read: `worst_kept` and `best_dropped` (`rectune.filters.extremes`).
    """
    histograms = [
        f"![Response scores in {one_line(group)}](<histograms/{picture_name(group)}>)"
        for group in stats["domains"]
    ]
    parts = [
        "# What the filter did",
        f"{stats['rows_in']} responses in, {stats['rows_out']} kept. Tokens are those of "
        f"{one_line(stats['tokenizer'])}; the response score is ln(L)·L/C, L tokens and C distinct ones, and "
        f"{stats['threshold']:g} or above is dropped.",
        "## Rules",
        "A row may be dropped by several rules; *alone* counts those that no other rule drops.",
        _table(("rule", "dropped", "alone"), _rules(stats)),
        "![Rows that two rules drop both](figures/overlap.png)" if stats["overlap"] else "",
        "## Domains",
        _table(("domain", "rows", "kept", "dropped for"), _domains(stats)),
        "## Length",
        "The score grows with length even on clean text, so it is partly a filter of length.",
        _table(("tokens", "rows", "dropped", "by the score"), _lengths(stats)),
        "![Drop rate by length](figures/drop_rate.png)",
        "![Score against length](figures/score_by_length.png)",
        "## Scores",
        *histograms,
        "## Worst kept",
        *_examples(read["worst_kept"]),
        "## Best dropped",
        *_examples(read["best_dropped"]),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def summary(stats: Mapping[str, Any]) -> str:
    """A table of a line a rule that dropped something, most first."""
    lines = [f"  {stats['rows_out']} of {stats['rows_in']} responses kept"]
    width = max((len(reason) for reason in stats["dropped"]), default=0)
    for reason, dropped, alone in sorted(_rules(stats), key=lambda rule: -int(rule[1])):
        lines.append(f"  {reason:<{width}}  {dropped:>7} dropped, {alone:>7} by this rule alone")
    return "\n".join(lines)


def picture_name(group: str) -> str:
    """The file name of a group's histogram; `a/b` is category b of domain a."""
    return f"{group.replace('/', ' ')}.png"


def _rules(stats: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    alone = stats["dropped_by_one_rule_alone"]
    return [(reason, str(count), str(alone.get(reason, 0))) for reason, count in stats["dropped"].items()]


def _domains(stats: Mapping[str, Any]) -> list[tuple[str, ...]]:
    return [
        (
            one_line(group),
            str(entry["in"]),
            str(entry["kept"]),
            ", ".join(f"{reason}: {count}" for reason, count in entry["dropped"].items()),
        )
        for group, entry in stats["domains"].items()
    ]


def _lengths(stats: Mapping[str, Any]) -> list[tuple[str, ...]]:
    return [
        (
            bucket_name(bucket),
            str(bucket["rows"]),
            _share(bucket["dropped"], bucket["rows"]),
            _share(bucket["dropped_by_score"], bucket["rows"]),
        )
        for bucket in stats["lengths"]
    ]


def _share(part: int, whole: int) -> str:
    return f"{part} ({100 * part / whole:.0f} %)" if whole else "0"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return "Nothing."
    ruler = ["---:" if head in _NUMBERS else "---" for head in heads]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, ruler, *rows))


def _examples(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Each with its figures above its text, as a quote that keeps its lines."""
    return [
        f"**score {row['score']:.2f}**, {row['tokens']} tokens, {one_line(row['domain'])}"
        + (f", dropped: {', '.join(row['reasons'])}" if row["reasons"] else "")
        + f" (`{row['id']}`)\n\n"
        + quoted(row["response"])
        for row in rows
    ] or ["None."]
