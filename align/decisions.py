"""What a person can decide about the answers to a prompt, and which decisions hold for which answers."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Literal

from rectune.core.errors import UserError
from rectune.core.types import Tag

SIMULATED = "simulated"  # the annotator's name that no person may take
LONGEST_NOTE = 2000  # characters

Kind = Literal["tag", "tie", "bad", "skip"]
Subject = tuple[str, frozenset[str], frozenset[str]]  # prompt, answers, and the systems of a comparison


def subject_of(prompt: str, answers: Iterable[str], systems: Iterable[str] = ()) -> Subject:
    """What a decision is about: the same whatever order the answers were shown in."""
    return prompt, frozenset(answers), frozenset(systems)


@dataclass(frozen=True, slots=True)
class Decision:
    """What one person did with one prompt.

    `kind` is a tag (best and worst were picked), a tie, "bad" (none of the answers is any good), or a skip; `best`
    and `worst` are empty for all but a tag. `repeat`: the prompt came back to see whether the person agrees with
    themselves; it is no second vote. `systems` is empty, or in a comparison of models names the one behind each of
    `answers`; `best` is then the better one's answer, `worst` the other. Else as in `Tag`.
    """

    kind: Kind
    prompt: str
    answers: tuple[str, ...]
    best: str
    worst: str
    annotator: str
    time: float
    seconds: float
    repeat: bool = False
    systems: tuple[str, ...] = ()

    @property
    def subject(self) -> Subject:
        """What it is about."""
        return subject_of(self.prompt, self.answers, self.systems)

    @property
    def is_vote(self) -> bool:
        """Whether it counts for the preference set: it is neither a repeat nor a comparison of models."""
        return not self.repeat and not self.systems

    def tag(self) -> Tag:
        """The decision as a tag; only for decisions of that kind."""
        return Tag(self.prompt, self.answers, self.best, self.worst, self.annotator, self.time, self.seconds)


@dataclass(frozen=True, slots=True)
class Mark:
    """A note or a flag on one prompt and its answers; empty `text` takes it away again."""

    kind: Literal["note", "flag"]
    prompt: str
    answers: tuple[str, ...]
    annotator: str
    time: float
    text: str


@dataclass(frozen=True, slots=True)
class Written:
    """A row as it is in the file: a decision and when it was undone (None: it counts)."""

    decision: Decision
    undone: float | None


def attached(decisions: Iterable[Decision], answers: Collection[str]) -> list[Decision]:
    """The decisions on one prompt (given oldest first) that hold for these answers; one an annotator at most.

    A tag attaches where its best and worst are both there, even if other answers are not: best is still
    better than worst. All else attaches to the same answers only. A decision on exactly these answers goes
    before any other, then the latest.
    """
    present = set(answers)
    found: dict[str, tuple[bool, Decision]] = {}
    for decision in decisions:
        exact = set(decision.answers) == present
        fits = exact or (decision.kind == "tag" and {decision.best, decision.worst} <= present)
        earlier = found.get(decision.annotator)
        if fits and (earlier is None or exact >= earlier[0]):
            found[decision.annotator] = (exact, decision)
    return [decision for _, decision in found.values()]


def by_prompt(decisions: Iterable[Decision]) -> dict[str, list[Decision]]:
    """Decisions by the hash of their prompt, in the same order."""
    groups: dict[str, list[Decision]] = {}
    for decision in decisions:
        groups.setdefault(decision.prompt, []).append(decision)
    return groups


def check_annotator(name: str) -> None:
    """Whether a person may tag under this name.

    Raises:
        UserError: it is empty, too long, not printable, or that of the simulated annotator.
    """
    if name == SIMULATED:
        raise UserError("the annotator's name 'simulated' is reserved", mend="tag under your own name")
    if not name.strip() or not name.isprintable() or len(name) > 64:
        mend = "give 1 to 64 printable characters"
        raise UserError(f"{name[:64]!r} cannot be an annotator's name", mend=mend)
