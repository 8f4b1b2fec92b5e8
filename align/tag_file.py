"""The tag file itself: opening it unharmed, its tables, and how an older one is brought up to date."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from rectune.core.errors import UserError

VERSION = 2  # of the tables, kept in PRAGMA user_version; 2 brought comparisons, repeats, notes and flags

_APPLICATION = 0x72656374  # "rect", kept in PRAGMA application_id: tells this file from any other database
_BUSY = 30.0  # seconds to wait for another annotator's write
_DECISIONS = """
create table decisions (
    id integer primary key autoincrement,
    kind text not null,
    prompt text not null,
    answers text not null,
    best text not null,
    worst text not null,
    annotator text not null,
    time real not null,
    seconds real not null,
    undone real,
    repeat integer not null default 0,
    systems text not null default '[]'
)"""
_MARKS = """
create table marks (
    id integer primary key autoincrement,
    kind text not null,
    prompt text not null,
    answers text not null,
    annotator text not null,
    time real not null,
    text text not null
)"""
_INDICES = (
    "create index decisions_prompt on decisions (prompt)",
    "create index marks_prompt on marks (prompt)",
)
_NEW = (_DECISIONS, _MARKS, *_INDICES)
_FROM_1 = (
    "alter table decisions add column repeat integer not null default 0",
    "alter table decisions add column systems text not null default '[]'",
    _MARKS,
    *_INDICES,
)
_KEPT = "the file is left as it is: restore a copy, or name another with align.tags"


def connect(path: Path) -> sqlite3.Connection:
    """Open a tag file for reading and writing; made when missing, brought up to date when older.

    Of an older file a copy is kept beside it, `<name>.v1.sqlite`. A statement outside a transaction is on disk
    when it returns.

    Raises:
        UserError: the file is damaged, is no tag file, or was written by a newer version. It is left as it is.
        sqlite3.Error, OSError: it cannot be opened or written.
    """
    _inspect(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, timeout=_BUSY, isolation_level=None)
    try:
        connection.execute("pragma journal_mode = wal")
        # In this mode a commit returns only after the log is on the disk.
        connection.execute("pragma synchronous = full")
        if _version(connection) != VERSION:
            _bring_up_to_date(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("pragma user_version").fetchone()[0])


def _bring_up_to_date(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("begin immediate")
    try:
        found = _version(connection)  # once more: another program may have been faster
        if found == 1:
            _copy(path, found)
        if found < VERSION:
            for statement in _FROM_1 if found else _NEW:
                connection.execute(statement)
            connection.execute(f"pragma application_id = {_APPLICATION}")
            connection.execute(f"pragma user_version = {VERSION}")
        connection.execute("commit")
    except BaseException:
        connection.execute("rollback")
        raise


def _copy(path: Path, version: int) -> None:
    """Keep what an older version wrote, under a name that nothing bears yet."""
    names = (
        f"{path.stem}.v{version}{suffix}{path.suffix}" for suffix in ("", *(f"-{n}" for n in range(2, 100)))
    )
    target = next(place for name in names if not (place := path.with_name(name)).exists())
    partial = target.with_name(f"{target.name}.{os.getpid()}.partial")
    try:
        with closing(sqlite3.connect(path, timeout=_BUSY)) as old, closing(sqlite3.connect(partial)) as new:
            old.backup(new)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _inspect(path: Path) -> None:
    """Look at an existing file without writing to it."""
    if not path.exists() or (path.is_file() and path.stat().st_size == 0):
        return
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_BUSY)) as file:
            version = _version(file)
            application = int(file.execute("pragma application_id").fetchone()[0])
            tables = int(file.execute("select count(*) from sqlite_master").fetchone()[0])
            health = str(file.execute("pragma quick_check(1)").fetchone()[0])
    except sqlite3.OperationalError as broken:
        raise UserError(f"the tag file cannot be opened: {broken}", where=str(path), mend=_KEPT) from None
    except sqlite3.DatabaseError as broken:
        raise UserError(f"the tag file is damaged: {broken}", where=str(path), mend=_KEPT) from None
    if health != "ok":
        raise UserError(f"the tag file is damaged: {health}", where=str(path), mend=_KEPT)
    if application != _APPLICATION and (tables or application or version):
        raise UserError("this is a database, but no tag file", where=str(path), mend=_KEPT)
    if version > VERSION:
        found = f"written by a newer rectune (tag file version {version}, this one knows {VERSION})"
        raise UserError(found, where=str(path), mend="the file is left as it is: update rectune")
