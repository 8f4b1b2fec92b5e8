"""What a stage dropped, for the terminal: by reason, and where it is much, which key to turn."""

from __future__ import annotations

from collections.abc import Mapping

from rectune.core.figures import QueriesFigures
from rectune.core.figures.record import RowCounts, StageRecord
from rectune.core.recipe import Recipe
from rectune.core.types import Locale

_MUCH = 0.1  # of the rows


def dropped_lines(figures: StageRecord, recipe: Recipe) -> list[str]:
    """Lines about the rows that a stage did not pass on; none of a stage that passes no rows on."""
    if not isinstance(figures, RowCounts):
        return []
    dropped = {reason: count for reason, count in figures.dropped.items() if count}
    if not dropped:
        return []
    lines = [
        "dropped: " + ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in dropped.items())
    ]
    lost = min(sum(dropped.values()), figures.rows_in - figures.rows_out)  # a row may have several reasons
    if lost > _MUCH * figures.rows_in:
        keys = [key for reason in dropped if (key := _key(figures, reason, recipe))]
        share = f"warning: {lost} of {figures.rows_in} rows are lost ({lost / figures.rows_in:.0%})"
        lines.append("; ".join([share, *dict.fromkeys(keys)]))
    return lines


def _key(figures: RowCounts, reason: str, recipe: Recipe) -> str:
    """What to turn against losses of this kind; empty where rows are dropped because they are bad."""
    stage = figures.stage
    if isinstance(figures, QueriesFigures) and reason == "too long":
        return _longer(figures, recipe)
    keys = {
        (
            "queries",
            "every query refused",
        ): "raise generate.attempts or generate.query.max_tokens, or name another teacher",
        ("sft", "too_long"): f"train.max_length is {recipe.train.max_length}: raise it",
        ("dpo", "too_long"): f"align.max_length is {recipe.align.max_length}: raise it",
    }
    if stage == "rationales":
        return "raise generate.context, or name another teacher"
    return keys.get((stage, reason), "")


def _longer(figures: QueriesFigures, recipe: Recipe) -> str:
    """The overrides with which no prompt would have been too long; responses keep the room that they have."""
    limits = recipe.prompts.token_limits
    wanted = limits | figures.longest_lost
    more = max(wanted.values()) - max(limits.values())
    turned = [f"prompts.max_tokens={_limits(wanted)}"]
    if more:
        lengths = {"train": recipe.train.max_length, "align": recipe.align.max_length}
        turned += [f"{name}.max_length={length + more}" for name, length in lengths.items()]
    quoted = [f"'{each}'" if " " in each else each for each in turned]
    return f"prompts.max_tokens is {_limits(limits)}, all would fit with {' '.join(quoted)}"


def _limits(by_locale: Mapping[Locale, int]) -> str:
    """One number where all languages have the same, else a map."""
    if len(set(by_locale.values())) == 1:
        return str(next(iter(by_locale.values())))
    return "{" + ", ".join(f"{locale}: {tokens}" for locale, tokens in by_locale.items()) + "}"
