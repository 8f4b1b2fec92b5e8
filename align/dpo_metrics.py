"""Results of DPO: figures on held-out pairs, warnings, and plots."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from rectune.core.extras import needs_extra
from rectune.core.figures.training import AnswerLengths, HeldOutPairs, PairFigures
from rectune.core.plots import write_png
from rectune.core.stats.intervals import wilson
from rectune.models import metrics

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Logged = Sequence[metrics.Row]

REWARDS = ("rewards/chosen", "rewards/rejected", "rewards/margins")
_GROWTH = 0.2  # growth of the answers from which on there is a warning
_FEWEST = 10  # held-out pairs, below which their accuracy says nothing
_LAST = 0.25  # of the training steps: what counts as the end where nothing is held out


@dataclass(frozen=True)
class WatchedRun:
    """What was watched in training: None where nothing is held out, or answers were watched once at most."""

    held_out: HeldOutPairs | None
    lengths: AnswerLengths | None
    warnings: Sequence[str]


def held_out_outcome(rows: Logged, kept: int | None) -> HeldOutPairs | None:
    """The held-out figures of the adapter that was kept, beside those at the start; None without held-out
    pairs.

    Args:
        rows: of held_out.jsonl, step 0 first.
        kept: the step of the kept adapter; if it was not evaluated, the last one is used.
    """
    if not rows:
        return None
    start, end = rows[0], next((row for row in rows if row["step"] == kept and kept), rows[-1])
    parts = end.get("sources", {})
    return HeldOutPairs(
        **_pair_figures(start, end),
        step=end["step"],
        sources={name: PairFigures(**_pair_figures(start["sources"][name], parts[name])) for name in parts},
        kl=end["kl"],
    )


def _pair_figures(start: metrics.Row, end: metrics.Row) -> dict[str, Any]:
    low, high = wilson(end["accuracy"] * end["pairs"], end["pairs"])
    return {
        "pairs": int(end["pairs"]),
        "loss": end["loss"],
        "accuracy": end["accuracy"],
        "accuracy_low": round(low, 4),
        "accuracy_high": round(high, 4),
        "right_before": start["right"],
        "right": end["right"],
        "margin": end["margin"],
        "chosen_logps_change": end["chosen_logps"] - start["chosen_logps"],
        "rejected_logps_change": end["rejected_logps"] - start["rejected_logps"],
    }


def answer_lengths(rows: Logged) -> AnswerLengths | None:
    """Mean tokens of the watched answers before and after; None where they were watched once at most."""
    steps = sorted({row["step"] for row in rows})
    if len(steps) < 2:
        return None
    before, after = (
        fmean([row["tokens"] for row in rows if row["step"] == s]) for s in (steps[0], steps[-1])
    )
    return AnswerLengths(before=before, after=after, growth=after / before - 1)


def warnings(
    trained: Logged, held_out: Logged, lengths: AnswerLengths | None, found: HeldOutPairs | None
) -> list[str]:
    """Warnings, with figures.

    Args:
        trained: the logged training steps.
        held_out: of held_out.jsonl.
        lengths: of `answer_lengths`.
        found: of `held_out_outcome`.
    """
    return [*_both_fall(trained, found), *_longer(lengths), *_overfitted(trained, held_out)]


def _both_fall(trained: Logged, found: HeldOutPairs | None) -> Iterator[str]:
    hint = "add sft to loss_type, lower learning_rate, or raise beta"
    if found:
        parts: list[tuple[str, PairFigures]] = [("", found), *found.sources.items()]
        for name, part in parts:
            chosen, rejected = part.chosen_logps_change, part.rejected_logps_change
            if chosen < 0 and rejected < 0:
                of = f"held-out answers of {name}" if name else "held-out answers"
                yield (
                    f"{of} became less likely on both sides: chosen {chosen:+.2f} nats, "
                    f"rejected {rejected:+.2f}; {hint}"
                )
        return
    last = trained[-max(1, round(len(trained) * _LAST)) :]
    chosen, rejected = (fmean([row[f"rewards/{side}"] for row in last]) for side in ("chosen", "rejected"))
    if chosen < 0 and rejected < 0:
        yield (
            f"answers trained on became less likely on both sides: reward of the chosen {chosen:+.3f} nats, "
            f"of the rejected {rejected:+.3f}; {hint}"
        )


def _longer(lengths: AnswerLengths | None) -> Iterator[str]:
    if lengths and lengths.growth > _GROWTH:
        yield (
            f"answers grew by {lengths.growth:.0%}, from {lengths.before:.0f} to {lengths.after:.0f} tokens; "
            "see the length gap in the health check of the preferences"
        )


def _overfitted(trained: Logged, held_out: Logged) -> Iterator[str]:
    """Held-out accuracy below that of an earlier evaluation, while it rose on what was trained on since."""
    evaluated = [row for row in held_out if row["step"]]
    if len(evaluated) < 2 or evaluated[-1].get("pairs", _FEWEST) < _FEWEST:
        return
    best, last = max(evaluated[:-1], key=lambda row: row["accuracy"]), evaluated[-1]
    before = [row["rewards/accuracies"] for row in trained if row["step"] <= best["step"]]
    since = [row["rewards/accuracies"] for row in trained if row["step"] > best["step"]]
    if last["accuracy"] < best["accuracy"] and before and since and fmean(since) > fmean(before):
        yield (
            f"it overfitted the training pairs: held-out accuracy fell from {best['accuracy']:.0%} at step "
            f"{best['step']} to {last['accuracy']:.0%}, in training it rose from {fmean(before):.0%} to "
            f"{fmean(since):.0%}; train fewer steps, or tag more"
        )


@needs_extra("a chart")
def draw(out: Path, trained: Logged, held_out: Logged) -> None:
    """Draw rewards.png (training), and dpo.png: held-out accuracies, log-probs, KL from the reference."""
    from matplotlib.figure import Figure

    metrics.draw(out / "rewards.png", trained, REWARDS, "reward (nats)")
    figure = Figure(figsize=(8.0, 6.0), layout="constrained")
    (accuracy, logps), (margin, kl) = figure.subplots(2, 2)
    _curve(accuracy, trained, "rewards/accuracies", "training batches")
    _curve(accuracy, held_out, "accuracy", "held-out pairs")
    accuracy.set_ylabel("chosen preferred (share)")
    for side in ("chosen", "rejected"):
        _curve(logps, held_out, f"{side}_logps", side)
    logps.set_ylabel("held-out log-prob (nats an answer)")
    _curve(margin, trained, "rewards/margins", "training batches")
    _curve(margin, held_out, "margin", "held-out pairs")
    margin.set_ylabel("reward margin (nats)")
    _curve(kl, held_out, "kl", "held-out chosen answers")
    kl.set_ylabel("KL to the reference (nats a token)")
    write_png(figure, out / "dpo.png")


def _curve(axes: Axes, rows: Logged, column: str, name: str) -> None:
    points = [(row["step"], row[column]) for row in rows if column in row]
    if points:
        axes.plot([x for x, _ in points], [y for _, y in points], marker=".", label=name)
        axes.legend()
    axes.set_xlabel("optimiser step")
    axes.grid(visible=True, alpha=0.3)
