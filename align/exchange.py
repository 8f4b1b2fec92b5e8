"""Tags as JSON lines, out and in again without loss, and two tag files made one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from rectune.align.decisions import LONGEST_NOTE, Decision, Mark, Written, check_annotator
from rectune.align.tags import TagStore
from rectune.core.errors import UserError
from rectune.core.runs import write_atomically

SCHEMA = 1  # of the lines
_LONGEST = 1 << 20  # bytes of a line; our own have a few hundred

Hash = Annotated[str, Field(min_length=1, max_length=64)]
Seconds = Annotated[float, Field(ge=0.0, allow_inf_nan=False, strict=True)]
Name = Annotated[str, Field(min_length=1, max_length=64)]


class _Line(BaseModel):
    """What all lines have."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    schema_: Literal[1] = Field(alias="schema")
    prompt: Hash
    answers: Annotated[tuple[Hash, ...], Field(min_length=2)]
    annotator: Name
    time: Seconds

    @model_validator(mode="after")
    def _can_be_kept(self) -> _Line:
        texts = [self.prompt, *self.answers, self.annotator]
        if not all(text.isprintable() for text in texts):
            raise ValueError("hashes and names are printable")
        if len(set(self.answers)) < len(self.answers):
            raise ValueError("an answer is there twice")
        try:
            check_annotator(self.annotator)
        except UserError as refused:
            raise ValueError(refused.found) from None
        return self


class _DecisionLine(_Line):
    row: Literal["decision"]
    kind: Literal["tag", "tie", "bad", "skip"]
    best: Annotated[str, Field(max_length=64)]
    worst: Annotated[str, Field(max_length=64)]
    seconds: Seconds
    repeat: Annotated[bool, Field(strict=True)]
    systems: tuple[Name, ...]
    undone: Seconds | None

    @model_validator(mode="after")
    def _fits(self) -> _DecisionLine:
        if self.kind != "tag" and (self.best or self.worst):
            raise ValueError(f"best and worst are empty where the kind is {self.kind}")
        if self.kind == "tag" and (
            self.best == self.worst or not {self.best, self.worst} <= set(self.answers)
        ):
            raise ValueError("best and worst are two different answers")
        if self.systems and len(self.systems) != len(self.answers):
            raise ValueError("systems names the model behind each answer, or is empty")
        return self


class _MarkLine(_Line):
    row: Literal["mark"]
    kind: Literal["note", "flag"]
    text: Annotated[str, Field(max_length=LONGEST_NOTE)]

    @model_validator(mode="after")
    def _encodes(self) -> _MarkLine:
        self.text.encode()  # half a surrogate pair raises, and that is a ValueError
        return self


_LINE: TypeAdapter[_DecisionLine | _MarkLine] = TypeAdapter(
    Annotated[_DecisionLine | _MarkLine, Field(discriminator="row")]
)


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of reading rows into a store: how many were new, and how many it had already."""

    new: int
    known: int


def export_tags(store: TagStore, path: Path) -> int:
    """Write every row, also what was undone or replaced, as JSON lines, oldest first; returns how many."""
    decisions, marks = store.history()
    lines = [{"row": "decision", **asdict(row.decision), "undone": row.undone} for row in decisions]
    lines += [{"row": "mark", **asdict(mark)} for mark in marks]
    texts = [json.dumps({"schema": SCHEMA, **line}, ensure_ascii=False) + "\n" for line in lines]
    try:
        write_atomically(path, "".join(texts))
    except OSError as problem:
        raise UserError(f"cannot be written: {problem.strerror}", where=str(path)) from None
    return len(lines)


def import_tags(path: Path, store: TagStore) -> Taken:
    """Take in what `export_tags` wrote; rows that are there already are left out.

    Raises:
        UserError: a line is broken (it is named), or the file cannot be read. Then nothing was taken in.
    """
    decisions: list[Written] = []
    marks: list[Mark] = []
    for row in _rows(path):
        if isinstance(row, Mark):
            marks.append(row)
        else:
            decisions.append(row)
    return _take_in(store, decisions, marks)


def merge_tags(sources: Iterable[Path], into: Path) -> Taken:
    """Take in the rows of several tag files; what is in more than one of them is kept once.

    Of decisions of one annotator on one prompt that differ all are kept, and the later counts. What was undone in one
    of the files is undone.

    Raises:
        UserError: a file is missing or cannot be read.
    """
    decisions: list[Written] = []
    marks: list[Mark] = []
    for source in sources:
        if not source.is_file():
            raise UserError("there is no such tag file", where=str(source), mend="name two that exist")
        with TagStore(source) as store:
            found, marked = store.history()
        decisions += found
        marks += marked
    with TagStore(into) as store:
        return _take_in(store, decisions, marks)


def _take_in(store: TagStore, decisions: Iterable[Written], marks: Iterable[Mark]) -> Taken:
    """Rows that a store lacks, by their time: equal rows are one row, and undone goes before not undone."""
    wanted: dict[Decision, float | None] = {}
    for row in decisions:
        before = wanted.get(row.decision)
        wanted[row.decision] = row.undone if before is None else min(before, row.undone or before)
    written, marked = store.history()
    known = {row.decision: row.undone for row in written}
    new = [Written(d, undone) for d, undone in wanted.items() if d not in known]
    undone_since = [
        Written(d, undone) for d, undone in wanted.items() if undone and known.get(d, 0.0) is None
    ]
    asked, there = dict.fromkeys(marks), set(marked)
    fresh = [mark for mark in asked if mark not in there]
    total = len(wanted) + len(asked)
    store.write(new, fresh, undone_since)
    return Taken(len(new) + len(fresh), total - len(new) - len(fresh))


def _rows(path: Path) -> Iterator[Written | Mark]:
    try:
        with path.open("rb") as file:
            for number, line in enumerate(iter(lambda: file.readline(_LONGEST + 1), b""), start=1):
                if line.strip():
                    yield _row(line, f"{path}:{number}")
    except OSError as problem:
        raise UserError(f"cannot be read: {problem.strerror}", where=str(path)) from None


def _row(line: bytes, where: str) -> Written | Mark:
    mend = "nothing was taken in: mend this line or leave it out, then give the command again"
    if len(line) > _LONGEST:
        raise UserError(f"a line of more than {_LONGEST} bytes", where=where, mend=mend)
    try:
        read = _LINE.validate_json(line.removeprefix(b"\xef\xbb\xbf"))
    except ValidationError as broken:
        raise UserError(_first_fault(broken), where=where, mend=mend) from None
    values: dict[str, Any] = read.model_dump(exclude={"schema_", "row"})
    if isinstance(read, _MarkLine):
        return Mark(**values)
    undone = values.pop("undone")
    return Written(Decision(**values), undone)


def _first_fault(broken: ValidationError) -> str:
    fault = broken.errors(include_input=False, include_url=False)[0]
    field = ".".join(str(part) for part in fault["loc"] if part not in ("decision", "mark"))
    return f"{field}: {fault['msg']}" if field else fault["msg"]
