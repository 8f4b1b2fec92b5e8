"""The store of what people decided: one SQLite file, append-only, outside the run store.

Decisions are keyed by hashes of prompt and answers, so they attach wherever these texts come up again,
whatever the recipe. Nothing is ever deleted: undoing marks a decision as undone. A decision is on disk when
the call returns.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rectune.closing import Closing
from rectune.errors import UserError
from rectune.types import Tag, content_id

VERSION = 1  # of the file's tables, kept in PRAGMA user_version
SIMULATED = "simulated"  # the annotator's name that no person may take

Kind = Literal["tag", "skip"]

_APPLICATION = 0x72656374  # "rect", kept in PRAGMA application_id: tells this file from any other database
_BUSY = 30.0  # seconds to wait for another annotator's write
_TABLE = """
create table if not exists decisions (
    id integer primary key autoincrement,
    kind text not null,
    prompt text not null,
    answers text not null,
    best text not null,
    worst text not null,
    annotator text not null,
    time real not null,
    seconds real not null,
    undone real
)"""
_COLUMNS = "kind, prompt, answers, best, worst, annotator, time, seconds"


@dataclass(frozen=True, slots=True)
class Decision:
    """What one person did with one prompt; `best` and `worst` are empty for a skip. Else as in `Tag`."""

    kind: Kind
    prompt: str
    answers: tuple[str, ...]
    best: str
    worst: str
    annotator: str
    time: float
    seconds: float

    def tag(self) -> Tag:
        """The decision as a tag; only for decisions of that kind."""
        return Tag(self.prompt, self.answers, self.best, self.worst, self.annotator, self.time, self.seconds)


class TagStore(Closing):
    """Decisions in one file; made when it is missing. Safe for several processes at once.

    Raises:
        UserError: the file is damaged, is no tag file, or was written by a newer version. It is left as it
            is.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        _inspect(path)
        with self._errors():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, timeout=_BUSY, isolation_level=None)
            self._prepare()

    def close(self) -> None:
        """Release the file; the store cannot be used afterwards."""
        self._connection.close()

    def add(self, tag: Tag) -> None:
        """Keep a tag; it replaces what the annotator decided before on the same prompt and answers.

        Raises:
            ValueError: best and worst are not two of the answers.
            UserError: the name is reserved, or the disk is full; nothing was kept.
        """
        if tag.best == tag.worst or not {tag.best, tag.worst} <= set(tag.answers):
            raise ValueError("best and worst must be two different answers of those shown")
        self._append(
            Decision(
                "tag", tag.prompt, tag.answers, tag.best, tag.worst, tag.annotator, tag.time, tag.seconds
            )
        )

    def skip(self, prompt: str, answers: Iterable[str], annotator: str, seconds: float) -> None:
        """Keep that the annotator looked at a prompt and did not want to choose; it counts as done.

        Raises:
            UserError: the name is reserved, or the disk is full; nothing was kept.
        """
        self._append(Decision("skip", prompt, tuple(answers), "", "", annotator, time.time(), seconds))

    def undo(self, annotator: str, among: Iterable[tuple[str, Collection[str]]] | None = None) -> str | None:
        """Take back the annotator's latest decision; an earlier one on the same prompt counts again.

        Args:
            among: pairs of a prompt's hash and its answers' hashes; only decisions on these are looked at.

        Returns:
            The hash of the prompt, or None when there is nothing left to take back.
        """
        wanted = None if among is None else {(prompt, frozenset(answers)) for prompt, answers in among}
        query = "select id, prompt, answers from decisions where annotator = ? and undone is null"
        with self._errors():
            rows = self._connection.execute(f"{query} order by id desc", (annotator,)).fetchall()
            for row, prompt, answers in rows:
                if wanted is None or (prompt, frozenset(json.loads(answers))) in wanted:
                    self._connection.execute(
                        "update decisions set undone = ? where id = ?", (time.time(), row)
                    )
                    return str(prompt)
        return None

    def decisions(self, annotator: str | None = None) -> list[Decision]:
        """What counts: of every prompt, set of answers and annotator the latest decision, oldest first."""
        with self._errors():
            rows = self._connection.execute(
                f"select {_COLUMNS} from decisions where undone is null order by id"
            )
            standing: dict[tuple[str, frozenset[str], str], Decision] = {}
            for kind, prompt, answers, *rest in rows:
                decision = Decision(kind, prompt, tuple(json.loads(answers)), *rest)
                key = (prompt, frozenset(decision.answers), decision.annotator)
                standing.pop(key, None)  # so that a later decision also stands later in the list
                standing[key] = decision
        return [d for d in standing.values() if annotator in (None, d.annotator)]

    def tags(self, annotator: str | None = None) -> list[Tag]:
        """The tags that count, of all annotators or of one, oldest first; skips are left out."""
        return [d.tag() for d in self.decisions(annotator) if d.kind == "tag"]

    def digest(self, prompts_and_answers: Iterable[tuple[str, Collection[str]]] | None = None) -> str:
        """Hash of what was decided, of all or on these prompts and answers only.

        Equal decisions give an equal digest in any file, in any order, whether or not SQLite has folded its
        log into the file yet. When they were made and how long they took is left out: it changes nothing that
        is learnt from them.
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
        return content_id("tags", VERSION, sorted(content))

    def _append(self, decision: Decision) -> None:
        check_annotator(decision.annotator)
        d = decision
        row = (
            d.kind,
            d.prompt,
            json.dumps(d.answers),
            d.best,
            d.worst,
            d.annotator,
            d.time,
            d.seconds,
        )
        with self._errors():
            self._connection.execute(
                f"insert into decisions ({_COLUMNS}) values (?, ?, ?, ?, ?, ?, ?, ?)", row
            )

    def _prepare(self) -> None:
        execute = self._connection.execute
        execute("pragma journal_mode = wal")
        execute(
            "pragma synchronous = full"
        )  # in this mode a commit returns only after the log is on the disk
        if execute("pragma user_version").fetchone()[0] == VERSION:
            return
        execute("begin immediate")
        execute(_TABLE)
        execute(f"pragma application_id = {_APPLICATION}")
        execute(f"pragma user_version = {VERSION}")
        execute("commit")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as broken:
            mend = "what was decided before is kept; free disk space or close other programs, then go on"
            raise UserError(
                f"the tag file cannot be used: {broken}", where=str(self.path), mend=mend
            ) from None


def attached(decisions: Iterable[Decision], answers: Collection[str]) -> list[Decision]:
    """The decisions on one prompt (given oldest first) that hold for these answers; one an annotator at most.

    A tag attaches where its best and worst are both there, even if other answers are not: best is still
    better than worst. A skip attaches to the same answers only. A decision on exactly these answers goes
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


def _inspect(path: Path) -> None:
    """Look at an existing file without writing to it."""
    if not path.exists() or (path.is_file() and path.stat().st_size == 0):
        return
    kept = "the file is left as it is: restore a copy, or name another with align.tags"
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_BUSY)) as file:
            version = int(file.execute("pragma user_version").fetchone()[0])
            application = int(file.execute("pragma application_id").fetchone()[0])
            tables = int(file.execute("select count(*) from sqlite_master").fetchone()[0])
            health = str(file.execute("pragma quick_check(1)").fetchone()[0])
    except sqlite3.OperationalError as broken:
        raise UserError(f"the tag file cannot be opened: {broken}", where=str(path), mend=kept) from None
    except sqlite3.DatabaseError as broken:
        raise UserError(f"the tag file is damaged: {broken}", where=str(path), mend=kept) from None
    if health != "ok":
        raise UserError(f"the tag file is damaged: {health}", where=str(path), mend=kept)
    if application != _APPLICATION and (tables or application or version):
        raise UserError("this is a database, but no tag file", where=str(path), mend=kept)
    if version > VERSION:
        found = f"written by a newer rectune (tag file version {version}, this one knows {VERSION})"
        raise UserError(found, where=str(path), mend="the file is left as it is: update rectune")
