"""Records of annotators' decisions on the answers to a prompt, and to which answers they apply.

The tables of a tag file, the lines of an export and the rows of the stage `tag` follow from the fields of
`Decision` and `PromptNote`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic.dataclasses import dataclass

from rectune.core.errors import UserError
from rectune.core.user_env import plain_name

SIMULATED = "simulated"  # the annotator's name that no person may take
LONGEST_NOTE = 2000  # characters
LONGEST_NAME = 64  # characters

Kind = Literal["tag", "tie", "bad", "skip"]
Subject = tuple[str, frozenset[str], frozenset[str]]  # prompt, answers, and the systems of a comparison


def subject_of(prompt: str, answers: Iterable[str], systems: Iterable[str] = ()) -> Subject:
    """The subject of a decision, independent of the order in which the answers were shown."""
    return prompt, frozenset(answers), frozenset(systems)


def _printable(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError("hashes and names are printable")
    return text


def _different(answers: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(answers)) < len(answers):
        raise ValueError("an answer is there twice")
    return answers


def _encodable(text: str) -> str:
    text.encode()  # half a surrogate pair raises, and that is a ValueError
    return text


Hash = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_printable)]
Answers = Annotated[tuple[Hash, ...], Field(min_length=2), AfterValidator(_different)]
# Two ways of typing one name are one person.
Name = Annotated[
    str, Field(min_length=1, max_length=LONGEST_NAME), AfterValidator(plain_name), AfterValidator(_printable)
]
System = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_encodable)]
Seconds = Annotated[float, Field(ge=0.0, allow_inf_nan=False, strict=True)]
Note = Annotated[str, Field(max_length=LONGEST_NOTE), AfterValidator(_encodable)]
_MODEL = ConfigDict(extra="forbid")


@dataclass(config=_MODEL, frozen=True, slots=True)
class Decision:
    """The decision of one person (or the simulated annotator) on one prompt.

    Attributes:
        kind: a tag (best and worst were picked), a tie, "bad" (none of the answers is any good), or a skip.
        prompt: hash of the prompt's system and instruction.
        answers: hashes of the answers' texts in the order they were shown.
        best: one of `answers`, in a comparison of models the better one's; empty for all but a tag.
        worst: another of them; empty for all but a tag.
        time: when, seconds since 1970.
        seconds: how long it took.
        repeat: the prompt was shown again to measure self-agreement; it is no second vote.
        systems: empty, or in a comparison of models the name of the model of each of `answers`.
        undone: when it was undone, seconds since 1970; None if it was not.

    Raises:
        ValueError: a value is not as said here; pydantic's error names it.
    """

    schema: ClassVar[int] = 1
    kind: Kind
    prompt: Hash
    answers: Answers
    best: Annotated[str, Field(max_length=64)]
    worst: Annotated[str, Field(max_length=64)]
    annotator: Name
    time: Seconds
    seconds: Seconds
    repeat: Annotated[bool, Field(strict=True)] = False
    systems: tuple[System, ...] = ()
    undone: Seconds | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.kind != "tag" and (self.best or self.worst):
            raise ValueError(f"best and worst are empty where the kind is {self.kind}")
        if self.kind == "tag" and (
            self.best == self.worst or not {self.best, self.worst} <= set(self.answers)
        ):
            raise ValueError("best and worst are two different answers")
        if self.systems and len(self.systems) != len(self.answers):
            raise ValueError("systems names the model behind each answer, or is empty")
        return self

    @property
    def subject(self) -> Subject:
        """The subject of the decision."""
        return subject_of(self.prompt, self.answers, self.systems)

    @property
    def is_vote(self) -> bool:
        """Whether it counts for the preference set: it is neither a repeat nor a comparison of models."""
        return not self.repeat and not self.systems


@dataclass(config=_MODEL, frozen=True, slots=True)
class PromptNote:
    """A note or a flag on one prompt and its answers; an empty `text` removes it."""

    kind: Literal["note", "flag"]
    prompt: Hash
    answers: Answers
    annotator: Name
    time: Seconds
    text: Note


def attached(decisions: Iterable[Decision], answers: Collection[str]) -> list[Decision]:
    """The decisions on a prompt (oldest first) that apply to these answers; at most one per annotator.

    A tag applies if its best and worst are both there, even if other answers are not: best is still better
    than worst. All others apply to the same answers only. A decision on exactly these answers has precedence
    over any other, then the latest.
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
    name = plain_name(name)
    if name == SIMULATED:
        raise UserError("the annotator's name 'simulated' is reserved", hint="tag under your own name")
    if not name or not name.isprintable() or len(name) > LONGEST_NAME:
        hint = f"give 1 to {LONGEST_NAME} printable characters"
        raise UserError(f"{name[:64]!r} cannot be an annotator's name", hint=hint)


def first_fault(broken: ValueError) -> str:
    """The first validation error of a record, on one line."""
    if not isinstance(broken, ValidationError):
        return str(broken)
    fault = broken.errors(include_input=False, include_url=False)[0]
    field = ".".join(map(str, fault["loc"]))
    return f"{field}: {fault['msg']}" if field else fault["msg"]
