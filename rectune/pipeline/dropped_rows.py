"""What a stage dropped, for the terminal: by reason, and where it is much, which key to turn."""

from __future__ import annotations

from rectune.core.figures import QueriesFigures
from rectune.core.figures.record import RowCounts, StageRecord
from rectune.core.recipe import Recipe

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
        budget, room = recipe.prompts.max_tokens, figures.longest_lost
        more = [f"{name}.max_length" for name in ("train", "align")]
        lengths = [recipe.train.max_length - budget + room, recipe.align.max_length - budget + room]
        turned = [
            f"prompts.max_tokens={room}",
            *(f"{n}={length}" for n, length in zip(more, lengths, strict=True)),
        ]
        return f"prompts.max_tokens is {budget}, all would fit with {' '.join(turned)}"
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
