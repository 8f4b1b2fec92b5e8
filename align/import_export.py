"""Export and import of tags as JSON lines, without loss."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from pydantic import TypeAdapter
from pydantic_core import from_json

from rectune.align.decisions import Decision, PromptNote, check_annotator, first_fault
from rectune.align.tags import ImportCounts, TagStore
from rectune.core.artifacts import write_atomically
from rectune.core.errors import UserError

SCHEMA = 1  # of the lines
_LONGEST = 1 << 20  # bytes of a line; our own have a few hundred

_KINDS: dict[object, TypeAdapter[Decision] | TypeAdapter[PromptNote]] = {
    "decision": TypeAdapter(Decision),
    "mark": TypeAdapter(PromptNote),
}


def export_tags(store: TagStore, path: Path) -> int:
    """Write all rows, also undone or replaced ones, as JSON lines, oldest first; returns how many."""
    decisions, marks = store.history()
    lines = [{"schema": SCHEMA, "row": "decision", **asdict(row)} for row in decisions]
    lines += [{"schema": SCHEMA, "row": "mark", **asdict(mark)} for mark in marks]
    write_text(path, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
    return len(lines)


def import_tags(path: Path, store: TagStore) -> ImportCounts:
    """Import what `export_tags` wrote; rows that are there already are left out.

    Raises:
        UserError: a line is invalid (it is named), or the file cannot be read. Then nothing was imported.
    """
    decisions: list[Decision] = []
    marks: list[PromptNote] = []
    for row in _rows(path):
        if isinstance(row, PromptNote):
            marks.append(row)
        else:
            decisions.append(row)
    return store.take_in(decisions, marks)


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all.

    Raises:
        UserError: it cannot be written.
    """
    try:
        write_atomically(path, text)
    except OSError as problem:
        raise UserError(f"cannot be written: {problem.strerror}", where=str(path)) from None


def _rows(path: Path) -> Iterator[Decision | PromptNote]:
    try:
        with path.open("rb") as file:
            for number, line in enumerate(iter(lambda: file.readline(_LONGEST + 1), b""), start=1):
                if line.strip():
                    yield _row(line, f"{path}:{number}")
    except OSError as problem:
        raise UserError(f"cannot be read: {problem.strerror}", where=str(path)) from None


def _row(line: bytes, where: str) -> Decision | PromptNote:
    hint = "nothing was taken in: fix this line or leave it out, then give the command again"
    if len(line) > _LONGEST:
        raise UserError(f"a line of more than {_LONGEST} bytes", where=where, hint=hint)
    try:
        values = from_json(line.removeprefix(b"\xef\xbb\xbf"))
        if not isinstance(values, dict) or values.pop("schema", None) != SCHEMA:
            raise ValueError(f"this is no line of schema {SCHEMA}")
        kind = values.pop("row", None)
        if not isinstance(kind, str) or kind not in _KINDS:
            raise ValueError("row is neither decision nor mark")
        row = _KINDS[kind].validate_python(values)
        check_annotator(row.annotator)
        return row
    except UserError as refused:
        raise UserError(refused.message, where=where, hint=hint) from None
    except ValueError as broken:
        raise UserError(first_fault(broken), where=where, hint=hint) from None
