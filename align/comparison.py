"""Blind pairwise comparison of two models by people, and the win rate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rectune.align.decisions import Decision
from rectune.align.tasks import AnnotationTask, make_task
from rectune.core.errors import UserError
from rectune.core.rows import read_rows
from rectune.core.stats.intervals import wilson
from rectune.core.types import Candidate, Prompt

ANSWERS_FILE = "answers.{system}.parquet"  # Candidate rows with index 0, one a prompt


@dataclass(frozen=True, slots=True)
class PairwiseComparison:
    """Two systems' answers to the same prompts.

    Attributes:
        systems: the two names; the win rate is that of the second.
        tasks: the tasks for a person, in the order of the prompts.
        same: the ids of the prompts to which both gave the same answer: ties without a judge.
    """

    systems: tuple[str, str]
    tasks: tuple[AnnotationTask, ...]
    same: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WinRate:
    """How often the second system won, over prompts. A tie counts half, also one in which both were bad.

    `rate`, `low` and `high` are between 0 and 1. Where several people judged a prompt their mean counts.
    """

    prompts: int
    wins: float
    ties: float
    losses: float
    rate: float
    low: float
    high: float


def make_comparison(
    prompts: Iterable[Prompt], answers: Mapping[str, Sequence[Candidate]]
) -> PairwiseComparison:
    """Pair the answers of two systems.

    Args:
        prompts: among them all that were answered; their order is kept.
        answers: of each of the two systems its answers, one a prompt, with `index` 0.

    Raises:
        UserError: they did not answer the same prompts once each, or a prompt is unknown.
    """
    if len(answers) != 2:
        raise UserError(
            "two different models are compared, no other number", hint="for example: --compare sft dpo"
        )
    (first, ours), (second, theirs) = ((name, _by_prompt(name, rows)) for name, rows in answers.items())
    asked = [prompt for prompt in prompts if prompt.id in ours]
    if ours.keys() != theirs.keys() or len(asked) != len(ours):
        raise UserError(
            f"{first} answered {len(ours)} prompts and {second} {len(theirs)}, "
            f"{len(ours.keys() & theirs.keys())} of them the same; {len(asked)} are known",
            hint="let both answer the prompts of one run",
        )
    same = {prompt.id for prompt in asked if ours[prompt.id] == theirs[prompt.id]}
    tasks = [make_task(p, (ours[p.id], theirs[p.id]), (first, second)) for p in asked if p.id not in same]
    return PairwiseComparison((first, second), tuple(tasks), tuple(p.id for p in asked if p.id in same))


def read_comparison(prompts: Path, folder: Path, systems: tuple[str, str]) -> PairwiseComparison:
    """`make_comparison` from files.

    Args:
        prompts: a Parquet file of prompts.
        folder: holds answers.<system>.parquet of either system.
        systems: their names.

    Raises:
        UserError: a file is missing or damaged, or the answers do not fit together.
    """
    for system in systems:
        path = folder / ANSWERS_FILE.format(system=system)
        if not path.is_file():
            hint = "the recipe's last run has to answer the same prompts with both models"
            raise UserError(f"there are no answers of {system} to compare", where=str(path), hint=hint)
    rows = {name: read_rows(folder / ANSWERS_FILE.format(system=name), Candidate) for name in systems}
    return make_comparison(read_rows(prompts, Prompt), rows)


def win_rate(comparison: PairwiseComparison, decisions: Iterable[Decision]) -> WinRate | None:
    """How often the second system won; None where nothing was judged and no answers are the same.

    The interval is Wilson's (1927) score interval at 95 % with ties as half wins. It is a little too wide
    where there are ties: a half varies less than a win or a loss.
    """
    subjects = {task.subject for task in comparison.tasks}
    scores: dict[object, list[float]] = {name: [0.5] for name in comparison.same}
    for decision in decisions:
        if decision.subject in subjects and not decision.repeat and decision.kind != "skip":
            scores.setdefault(decision.subject, []).append(_score(decision, comparison.systems[1]))
    means = [sum(row) / len(row) for row in scores.values()]
    if not means:
        return None
    low, high = wilson(sum(means), len(means))
    wins, losses = sum(mean > 0.5 for mean in means), sum(mean < 0.5 for mean in means)
    return WinRate(len(means), wins, len(means) - wins - losses, losses, sum(means) / len(means), low, high)


def win_rate_line(comparison: PairwiseComparison, decisions: Iterable[Decision]) -> str:
    """The win rate as text."""
    found, (first, second) = win_rate(comparison, decisions), comparison.systems
    if found is None:
        return f"{second} against {first}: nothing was judged yet"
    same = f", {len(comparison.same)} of them with one and the same answer" if comparison.same else ""
    return (
        f"{second} against {first}: {found.wins} won, {found.ties} tied{same}, {found.losses} lost; "
        f"win rate {found.rate:.1%} (95 % interval {found.low:.1%} to {found.high:.1%}, ties half)"
    )


def _by_prompt(system: str, rows: Sequence[Candidate]) -> dict[str, str]:
    found = {row.prompt_id: row.text for row in rows}
    if len(found) < len(rows) or any(row.index for row in rows):
        hint = "one answer a prompt, with index 0"
        raise UserError(f"{system} has several answers to one prompt", hint=hint)
    return found


def _score(decision: Decision, system: str) -> float:
    if decision.kind != "tag":
        return 0.5
    return float(decision.systems[decision.answers.index(decision.best)] == system)
