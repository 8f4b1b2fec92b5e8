"""The store of what people decided: one SQLite file, append-only, outside the run store.

Decisions are keyed by hashes of prompt and answers, so they attach wherever these texts come up again,
whatever the recipe. Nothing is ever deleted: undoing marks a decision as undone. A decision is on disk when
the call returns.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple
from pathlib import Path
from typing import Any

from rectune.align.decisions import (
    Decision,
    Mark,
    Subject,
    Written,
    attached,
    by_prompt,
    check_annotator,
    subject_of,
)
from rectune.align.tag_file import connect
from rectune.core.closing import Closing
from rectune.core.errors import UserError
from rectune.core.types import Tag, content_id

_COLUMNS = "kind, prompt, answers, best, worst, annotator, time, seconds, repeat, systems"
_MARKS = "kind, prompt, answers, annotator, time, text"
# The latest counts. The number breaks ties: two decisions of one session may bear the same time.
_HISTORY = "order by time, id"


class TagStore(Closing):
    """Decisions in one file; made when it is missing. Safe for several processes at once.

    Raises:
        UserError: the file is damaged, is no tag file, or was written by a newer version. It is left as it
            is.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._errors():
            self._connection = connect(path)

    def close(self) -> None:
        """Release the file; the store cannot be used afterwards."""
        self._connection.close()

    def add(self, tag: Tag) -> None:
        """Keep a tag; it replaces what the annotator decided before on the same prompt and answers.

        Raises:
            ValueError: best and worst are not two of the answers.
            UserError: the name is reserved, or the disk is full; nothing was kept.
        """
        t = tag
        self.keep(Decision("tag", t.prompt, t.answers, t.best, t.worst, t.annotator, t.time, t.seconds))

    def skip(self, prompt: str, answers: Iterable[str], annotator: str, seconds: float) -> None:
        """Keep that the annotator looked at a prompt and did not want to choose; it counts as done.

        Raises:
            UserError: the name is reserved, or the disk is full; nothing was kept.
        """
        self.keep(Decision("skip", prompt, tuple(answers), "", "", annotator, time.time(), seconds))

    def keep(self, decision: Decision) -> None:
        """Keep any decision; of those on one subject by one annotator the latest counts.

        Raises:
            ValueError: it is a tag whose best and worst are not two of the answers.
            UserError: the name is reserved, or the disk is full; nothing was kept.
        """
        if decision.kind == "tag" and (
            decision.best == decision.worst or not {decision.best, decision.worst} <= set(decision.answers)
        ):
            raise ValueError("best and worst must be two different answers of those shown")
        check_annotator(decision.annotator)
        self.write([Written(decision, None)], [])

    def mark(self, mark: Mark) -> None:
        """Keep a note or a flag; it replaces the annotator's earlier one of that kind on the same prompt.

        Raises:
            UserError: the name is reserved, or the disk is full; nothing was kept.
        """
        check_annotator(mark.annotator)
        self.write([], [mark])

    def write(
        self, decisions: Iterable[Written], marks: Iterable[Mark], undone: Iterable[Written] = ()
    ) -> None:
        """Append rows as they are, all or none; they are not checked.

        Args:
            undone: decisions that are in the file and were undone since.
        """
        values = ", ".join("?" * 11)
        with self._errors(), self._transaction() as execute:
            for row in decisions:
                execute(
                    f"insert into decisions ({_COLUMNS}, undone) values ({values})",
                    (*_stored(astuple(row.decision)), row.undone),
                )
            for row in undone:
                same = " and ".join(f"{column.strip()} = ?" for column in _COLUMNS.split(","))
                execute(
                    f"update decisions set undone = ? where {same}",
                    (row.undone, *_stored(astuple(row.decision))),
                )
            for mark in marks:
                execute(f"insert into marks ({_MARKS}) values (?, ?, ?, ?, ?, ?)", _stored(astuple(mark)))

    def undo(self, annotator: str, among: Collection[Subject] | None = None) -> Decision | None:
        """Take back the annotator's latest decision; an earlier one on the same subject counts again.

        Args:
            among: only decisions on these are looked at.

        Returns:
            The decision, or None when there is nothing left to take back.
        """
        query = f"select id, {_COLUMNS} from decisions where annotator = ? and undone is null"
        with self._errors():
            rows = self._connection.execute(f"{query} order by time desc, id desc", (annotator,))
            latest = ((row, _decision(values)) for row, *values in rows)
            for row, decision in latest:
                if among is None or decision.subject in among:
                    rows.close()
                    self._connection.execute(
                        "update decisions set undone = ? where id = ?", (time.time(), row)
                    )
                    return decision
        return None

    def standing(self, annotator: str | None = None, prompt: str | None = None) -> list[Decision]:
        """What was not undone or replaced, repeats and comparisons too, oldest first.

        Of every subject and annotator it is the latest decision; a repeat stands beside the first.
        """
        where, values = _where(annotator=annotator, prompt=prompt)
        with self._errors():
            rows = self._connection.execute(
                f"select {_COLUMNS} from decisions where undone is null{where} {_HISTORY}", values
            ).fetchall()
        found: dict[tuple[Subject, str, bool], Decision] = {}
        for decision in map(_decision, rows):
            key = (decision.subject, decision.annotator, decision.repeat)
            found.pop(key, None)  # so that a later decision also stands later in the list
            found[key] = decision
        return list(found.values())

    def decisions(self, annotator: str | None = None) -> list[Decision]:
        """What counts for the preference set, oldest first: `standing` without repeats and comparisons."""
        return [decision for decision in self.standing(annotator) if decision.is_vote]

    def tags(self, annotator: str | None = None) -> list[Tag]:
        """The tags that count, of all annotators or of one, oldest first."""
        return [d.tag() for d in self.decisions(annotator) if d.kind == "tag"]

    def marks(self, annotator: str | None = None, prompt: str | None = None) -> list[Mark]:
        """Notes and flags that were not taken away again: of each kind the latest, oldest first."""
        found: dict[tuple[str, Subject, str], Mark] = {}
        for mark in self._marks(annotator, prompt):
            key = (mark.kind, subject_of(mark.prompt, mark.answers), mark.annotator)
            found.pop(key, None)
            if mark.text:
                found[key] = mark
        return list(found.values())

    def history(self) -> tuple[list[Written], list[Mark]]:
        """Every row of the file, also what was undone or replaced, oldest first."""
        with self._errors():
            rows = self._connection.execute(f"select undone, {_COLUMNS} from decisions {_HISTORY}").fetchall()
        return [Written(_decision(values), undone) for undone, *values in rows], self._marks(None, None)

    def digest(self, prompts_and_answers: Iterable[tuple[str, Collection[str]]] | None = None) -> str:
        """Hash of what was decided, of all or on these prompts and answers only.

        Equal decisions give an equal digest in any file, in any order, whatever the file's version, whether or not
        SQLite has folded its log into the file yet. When they were made and how long they took is left out, and so
        are repeats, comparisons, notes and flags: these change nothing that is learnt.
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

    def _marks(self, annotator: str | None, prompt: str | None) -> list[Mark]:
        where, values = _where(annotator=annotator, prompt=prompt)
        with self._errors():
            rows = self._connection.execute(
                f"select {_MARKS} from marks where true{where} {_HISTORY}", values
            ).fetchall()
        return [Mark(kind, at, tuple(json.loads(answers)), *rest) for kind, at, answers, *rest in rows]

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
            mend = "what was decided before is kept; free disk space or close other programs, then go on"
            raise UserError(
                f"the tag file cannot be used: {broken}", where=str(self.path), mend=mend
            ) from None


def _where(**wanted: str | None) -> tuple[str, tuple[str, ...]]:
    given = {column: value for column, value in wanted.items() if value is not None}
    return "".join(f" and {column} = ?" for column in given), tuple(given.values())


def _stored(values: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(json.dumps(value) if isinstance(value, tuple) else value for value in values)


def _decision(values: Sequence[Any]) -> Decision:
    kind, prompt, answers, best, worst, annotator, at, seconds, repeat, systems = values
    shown, names = tuple(json.loads(answers)), tuple(json.loads(systems))
    return Decision(kind, prompt, shown, best, worst, annotator, at, seconds, bool(repeat), names)
