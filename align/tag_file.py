"""The tag file: opening and checking it, and its tables, which are derived from the record classes."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import fields
from pathlib import Path
from typing import Any, Generic, TypeVar, get_args, get_origin, get_type_hints

from rectune.align.decisions import Decision, PromptNote
from rectune.core.errors import UserError
from rectune.core.user_env import plain_name

VERSION = 3  # of the tables, kept in PRAGMA user_version

_APPLICATION = 0x72656374  # "rect", kept in PRAGMA application_id: tells this file from any other database
_BUSY = 30.0  # seconds to wait for another annotator's write
_PAUSE = 0.02  # seconds between two tries to open
PLAIN_NAME = (
    "plain_name"  # in SQL, see `rectune.core.user_env`: files of before hold names as they were typed
)
KEPT = "the file is left as it is: restore a copy, or name another with align.tags"

Record = TypeVar("Record", Decision, PromptNote)


class RecordTable(Generic[Record]):
    """The table of one kind of record: one column per field, and an ascending `id`.

    Numbers are stored as numbers, all else as text, tuples as JSON. No record is stored twice, undone or not.
    """

    def __init__(self, name: str, kind: type[Record]) -> None:
        self.name = name
        self._kind: type[Record] = kind
        self._hints: dict[str, Any] = get_type_hints(kind)
        self.columns = tuple(field.name for field in fields(kind))
        self.content = tuple(column for column in self.columns if column != "undone")

    def create(self, schema: str = "main") -> tuple[str, ...]:
        """The statements that create it, with its indices."""
        columns = ", ".join(f"{column} {self._affinity(column)}" for column in self.columns)
        index = f"create index {schema}.{self.name}_prompt on {self.name} (prompt)"
        once = f"create unique index {schema}.{self.name}_once on {self.name} ({', '.join(self.content)})"
        return (
            f"create table {schema}.{self.name} (id integer primary key autoincrement, {columns})",
            index,
            once,
        )

    def insert(self, how: str, schema: str = "main") -> str:
        """The insert statement for `stored` values; `how` is SQLite's conflict clause, for duplicates."""
        marks = ", ".join("?" * len(self.columns))
        return f"insert or {how} into {schema}.{self.name} ({', '.join(self.columns)}) values ({marks})"

    def stored(self, record: Record) -> tuple[Any, ...]:
        """A record as the values of its row."""
        values = (getattr(record, column) for column in self.columns)
        return tuple(json.dumps(value) if isinstance(value, tuple) else value for value in values)

    def read(self, row: Sequence[Any]) -> Record:
        """A row, in the order of `columns`, as a record.

        Raises:
            ValueError: the row is no valid record.
        """
        values = {column: self._value(column, value) for column, value in zip(self.columns, row, strict=True)}
        return self._kind(**values)

    def _affinity(self, column: str) -> str:
        hint: Any = self._hints[column]
        kind = "real" if float in (hint, *get_args(hint)) else "integer" if hint is bool else "text"
        return kind if column == "undone" else f"{kind} not null"

    def _value(self, column: str, value: Any) -> Any:
        hint: Any = self._hints[column]
        if hint is bool:
            return bool(value)
        return json.loads(value) if get_origin(hint) is tuple else value


DECISIONS = RecordTable("decisions", Decision)
MARKS = RecordTable("marks", PromptNote)


def connect(path: Path) -> sqlite3.Connection:
    """Open a tag file for reading and writing; it is created if missing.

    A statement outside a transaction is on disk when it returns.

    Raises:
        UserError: the file is damaged, is no tag file, or was written by another version. It is not changed.
        sqlite3.Error, OSError: it cannot be opened or written.
    """
    _inspect(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, timeout=_BUSY, isolation_level=None)
    try:
        connection.create_function(PLAIN_NAME, 1, plain_name, deterministic=True)
        _log_ahead(connection)
        # In this mode a commit returns only after the log is on the disk.
        connection.execute("pragma synchronous = full")
        if _version(connection) != VERSION:
            _make(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _log_ahead(connection: sqlite3.Connection) -> None:
    """Switch to the write-ahead log. SQLite refuses that, without waiting, while another program has it."""
    until = time.monotonic() + _BUSY
    while True:
        try:
            connection.execute("pragma journal_mode = wal")
            return
        except sqlite3.OperationalError as broken:
            if broken.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
        time.sleep(_PAUSE)


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("pragma user_version").fetchone()[0])


def _make(connection: sqlite3.Connection) -> None:
    connection.execute("begin immediate")
    try:
        if _version(connection) != VERSION:  # once more: another program may have been faster
            for statement in (*DECISIONS.create(), *MARKS.create()):
                connection.execute(statement)
            connection.execute(f"pragma application_id = {_APPLICATION}")
            connection.execute(f"pragma user_version = {VERSION}")
        connection.execute("commit")
    except BaseException:
        if connection.in_transaction:  # a full disk ends it by itself
            connection.execute("rollback")
        raise


def _inspect(path: Path) -> None:
    """Look at an existing file without writing to it."""
    if not path.exists() or (path.is_file() and path.stat().st_size == 0):
        return
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_BUSY)) as file:
            file.execute("begin")  # one state of the file, though another program makes it just now
            version = _version(file)
            application = int(file.execute("pragma application_id").fetchone()[0])
            tables = int(file.execute("select count(*) from sqlite_master").fetchone()[0])
            health = str(file.execute("pragma quick_check(1)").fetchone()[0])
    except sqlite3.OperationalError as broken:
        raise UserError(f"the tag file cannot be opened: {broken}", where=str(path), hint=KEPT) from None
    except sqlite3.DatabaseError as broken:
        raise UserError(f"the tag file is damaged: {broken}", where=str(path), hint=KEPT) from None
    if health != "ok":
        raise UserError(f"the tag file is damaged: {health}", where=str(path), hint=KEPT)
    if application != _APPLICATION and (tables or application or version):
        raise UserError("this is a database, but no tag file", where=str(path), hint=KEPT)
    if application == _APPLICATION and version != VERSION:
        found = f"written by another rectune (tag file version {version}, this one knows {VERSION})"
        hint = "the file is left as it is: export it with the rectune that wrote it, and import that here"
        raise UserError(found, where=str(path), hint=hint)
