"""The store of people's decisions: one SQLite file, append-only, outside the artifact store.

Decisions are keyed by hashes of prompt and answers, so they apply to the same texts in every recipe. Nothing
is ever deleted: undoing marks a decision as undone. A decision is on disk when the call returns.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rectune.align.decisions import (
    Decision,
    PromptNote,
    Subject,
    attached,
    by_prompt,
    check_annotator,
    first_fault,
    subject_of,
)
from rectune.align.tag_file import DECISIONS, KEPT, MARKS, PLAIN_NAME, Record, RecordTable, connect
from rectune.core.errors import UserError
from rectune.core.types import content_id
from rectune.core.user_env import plain_name

# The latest counts. The number breaks ties: two decisions of one session may bear the same time.
_HISTORY = "order by time, id"
_OF: str = f"{PLAIN_NAME}(annotator)"
_ATTACHED = 10  # other files that SQLite opens beside its own, as it is built everywhere


@dataclass(frozen=True, slots=True)
class ImportCounts:
    """Counts of an import: new rows, and rows that were there already or came twice."""

    new: int
    known: int


class TagStore(AbstractContextManager["TagStore"]):
    """Decisions in one file, created if it is missing. Safe for several processes at once.

    Raises:
        UserError: the file is damaged, is no tag file, or was written by another version. It is not changed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._errors():
            self._connection = connect(path)

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the file; the store cannot be used afterwards."""
        self._connection.close()

    def keep(self, record: Decision | PromptNote) -> None:
        """Store a decision, a note or a flag; of those on one subject by one annotator the latest counts.

        Raises:
            UserError: the name is reserved, or the disk is full; nothing was stored.
        """
        check_annotator(record.annotator)
        with self._errors(), self._transaction() as execute:
            # A clock that was set back can give the same row again: it moves to the end, where it counts.
            if isinstance(record, Decision):
                execute(DECISIONS.insert("replace"), DECISIONS.stored(record))
            else:
                execute(MARKS.insert("replace"), MARKS.stored(record))

    def take_in(self, decisions: Iterable[Decision], marks: Iterable[PromptNote]) -> ImportCounts:
        """Append records as they are, all or none; those that are there already are left out.

        Raises:
            UserError: the disk is full; nothing was added.
        """
        with self._errors(), self._attached([":memory:"]) as (source,):
            execute = self._connection.execute
            for table in (DECISIONS, MARKS):
                execute(table.create(source)[0])
            for decision in decisions:
                execute(DECISIONS.insert("abort", source), DECISIONS.stored(decision))
            for mark in marks:
                execute(MARKS.insert("abort", source), MARKS.stored(mark))
            return self._take_in([source])

    def merge(self, files: Iterable[Path]) -> ImportCounts:
        """Append the rows of other tag files, all or nothing; duplicates are stored once.

        What was undone in one of the files is undone.

        Raises:
            UserError: a file is no tag file, there are more than ten, or the disk is full; nothing was added.
        """
        others = list(
            dict.fromkeys(file.resolve() for file in files if file.resolve() != self.path.resolve())
        )
        if len(others) > _ATTACHED:
            found = f"{len(others)} tag files are more than the {_ATTACHED} that SQLite joins at once"
            raise UserError(found, where=str(self.path), hint="merge some of them first")
        for file in others:
            with TagStore(file) as other:  # refused here where the file or a row of it is damaged
                other.history()
        with self._errors(), self._attached([str(file) for file in others]) as sources:
            return self._take_in(sources)

    def undo(self, annotator: str, among: Collection[Subject] | None = None) -> Decision | None:
        """Undo the annotator's latest decision; an earlier one on the same subject counts again.

        Args:
            among: only decisions on these subjects.

        Returns:
            The decision, or None if there is nothing to undo.
        """
        query = f"select id, {_named(DECISIONS)} from decisions where {_OF} = ? and undone is null"
        with self._errors():
            rows = self._connection.execute(f"{query} order by time desc, id desc", (plain_name(annotator),))
            for row, *values in rows:
                decision = self._record(DECISIONS, values)
                if among is None or decision.subject in among:
                    rows.close()
                    self._connection.execute(
                        "update decisions set undone = ? where id = ?", (time.time(), row)
                    )
                    return decision
        return None

    def standing(self, annotator: str | None = None, prompt: str | None = None) -> list[Decision]:
        """The valid decisions (not undone or replaced), with repeats and comparisons, oldest first.

        Of every subject and annotator it is the latest decision; a repeat is in addition to the first.
        """
        found: dict[tuple[Subject, str, bool], Decision] = {}
        for decision in self._read(DECISIONS, "undone is null", annotator=annotator, prompt=prompt):
            key = (decision.subject, decision.annotator, decision.repeat)
            found.pop(key, None)  # so that a later decision also stands later in the list
            found[key] = decision
        return list(found.values())

    def decisions(self, annotator: str | None = None) -> list[Decision]:
        """The decisions for the preference set, oldest first: `standing` without repeats and comparisons."""
        return [decision for decision in self.standing(annotator) if decision.is_vote]

    def tags(self, annotator: str | None = None) -> list[Decision]:
        """The decisions among them that are tags: best and worst were picked."""
        return [decision for decision in self.decisions(annotator) if decision.kind == "tag"]

    def marks(self, annotator: str | None = None, prompt: str | None = None) -> list[PromptNote]:
        """Notes and flags that were not removed: of each kind the latest, oldest first."""
        found: dict[tuple[str, Subject, str], PromptNote] = {}
        for mark in self._read(MARKS, annotator=annotator, prompt=prompt):
            key = (mark.kind, subject_of(mark.prompt, mark.answers), mark.annotator)
            found.pop(key, None)
            if mark.text:
                found[key] = mark
        return list(found.values())

    def history(self) -> tuple[list[Decision], list[PromptNote]]:
        """All rows of the file, also undone or replaced ones, oldest first."""
        return self._read(DECISIONS), self._read(MARKS)

    def digest(self, prompts_and_answers: Iterable[tuple[str, Collection[str]]] | None = None) -> str:
        """Hash of the decisions, of all or on these prompts and answers only.

        Equal decisions give an equal digest in any file, in any order, whatever the file's version, whether
        or not SQLite has folded its log into the file yet. When they were made and how long they took is left
        out, and so are repeats, comparisons, notes and flags: these change nothing that is learnt.
        """
        found = self.decisions()
        if prompts_and_answers is not None:
            decided = by_prompt(found)
            found = [
                d
                for prompt, answers in prompts_and_answers
                for d in attached(decided.get(prompt, ()), answers)
            ]
        content = {(d.kind, d.prompt, tuple(sorted(d.answers)), d.best, d.worst, d.annotator) for d in found}
        return content_id("tags", 1, sorted(content))

    def _read(self, table: RecordTable[Record], where: str = "true", **wanted: str | None) -> list[Record]:
        """The records that match `where` and the column values in `wanted` (None: any), oldest first."""
        given: dict[str, str] = {column: value for column, value in wanted.items() if value is not None}
        if "annotator" in given:
            given["annotator"] = plain_name(given["annotator"])
        where = " and ".join([where, *map(_equals, given)])
        query = f"select {_named(table)} from {table.name} where {where} {_HISTORY}"
        with self._errors():
            rows = self._connection.execute(query, tuple(given.values())).fetchall()
        return [self._record(table, row) for row in rows]

    def _record(self, table: RecordTable[Record], row: Sequence[Any]) -> Record:
        try:
            return table.read(row)
        except ValueError as broken:
            found = f"the tag file holds a row among its {table.name} that is none: {first_fault(broken)}"
            raise UserError(found, where=str(self.path), hint=KEPT) from None

    def _take_in(self, sources: Sequence[str]) -> ImportCounts:
        """Copy the rows that are missing from attached databases, and undo what was undone in one of them."""
        new = total = 0
        with self._transaction() as execute:
            for source in sources:
                for table in (DECISIONS, MARKS):
                    names = _named(table)
                    rows = f"select {names} from {source}.{table.name} {_HISTORY}"
                    new += execute(f"insert or ignore into main.{table.name} ({names}) {rows}").rowcount
                    total += execute(f"select count(*) from {source}.{table.name}").fetchone()[0]
                execute(
                    "update main.decisions as here set undone = there.undone"
                    f" from {source}.decisions as there where there.undone is not null"
                    " and (here.undone is null or there.undone < here.undone)"
                    f" and ({_named(DECISIONS, 'here.')}) = ({_named(DECISIONS, 'there.')})"
                )
        return ImportCounts(new, total - new)

    @contextmanager
    def _attached(self, databases: Sequence[str]) -> Iterator[list[str]]:
        """Attach databases (files, or one in memory) under our own names while the block runs."""
        names: list[str] = []
        try:
            for number, database in enumerate(databases):
                self._connection.execute(f"attach database ? as other{number}", (database,))
                names.append(f"other{number}")
            yield names
        finally:
            for name in names:
                self._connection.execute(f"detach database {name}")

    @contextmanager
    def _transaction(self) -> Iterator[Any]:
        self._connection.execute("begin immediate")
        try:
            yield self._connection.execute
            self._connection.execute("commit")
        except BaseException:
            if self._connection.in_transaction:  # a full disk ends it by itself
                self._connection.execute("rollback")
            raise

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as broken:
            hint = "what was decided before is kept; free disk space or close other programs, then go on"
            raise UserError(
                f"the tag file cannot be used: {broken}", where=str(self.path), hint=hint
            ) from None


def _equals(column: str) -> str:
    return f"{_OF if column == 'annotator' else column} = ?"


def _named(table: RecordTable[Any], prefix: str = "") -> str:
    """The columns of a table; with a prefix, those that identify a decision, to compare two rows."""
    return ", ".join(f"{prefix}{column}" for column in (table.content if prefix else table.columns))
