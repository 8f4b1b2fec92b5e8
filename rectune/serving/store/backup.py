"""A copy of the database while it is in use, and back. SQLite only: PostgreSQL has pg_dump."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from rectune.core.errors import UserError, first_line
from rectune.core.os_errors import for_people
from rectune.serving.store.database import Database, open_database
from rectune.serving.store.engines import BUSY_SECONDS
from rectune.serving.store.faults import for_users
from rectune.serving.store.migrate import VERSION_TABLE


def backup(database: Database, file: Path) -> None:
    """Write one consistent copy into a file, which is whole or as it was; readers and writers go on.

    Raises:
        UserError: the database is PostgreSQL, or the file cannot be written.
    """
    source = _sqlite_file(database, "pg_dump --format=custom --file=FILE URL")
    file = file.expanduser().absolute()
    if file == source:
        raise UserError(
            "the backup would be written over the database", where=str(file), hint="name another file"
        )
    if not file.parent.is_dir():
        raise UserError(
            "the folder is not there", where=str(file.parent), hint="make it, or name another one"
        )
    try:
        handle, part = tempfile.mkstemp(
            prefix=f".{file.name}.", dir=file.parent
        )  # readable by its owner alone
        os.close(handle)
        try:
            _copy(source, Path(part))
            Path(part).replace(file)
            _sync(file.parent)
        finally:
            Path(part).unlink(missing_ok=True)
    except OSError as problem:
        raise for_people(problem, str(file)) or problem from None
    except sqlite3.Error as problem:
        raise UserError(f"no backup: {first_line(problem)}", where=str(file)) from None


def restore(database: Database, file: Path) -> None:
    """Put a backup in the place of all that the database holds, in one step, and brought up to date.

    Users who were deleted since the backup are there again: delete them once more.

    Raises:
        UserError: the database is PostgreSQL; the file is no backup, is damaged, or is of a newer version of
            this program. The database stays as it was.
    """
    target = _sqlite_file(database, "pg_restore --clean --dbname=URL FILE")
    file = file.expanduser().absolute()
    with tempfile.TemporaryDirectory(prefix=".restore-", dir=target.parent) as folder:
        part = Path(folder) / file.name
        try:
            _check_backup(file)
            _copy(file, part)
        except sqlite3.Error as problem:
            raise UserError(f"this is no backup: {first_line(problem)}", where=str(file)) from None
        open_database(part).close()  # brings it up to date, or refuses it
        with (
            for_users(database.address),
            closing(sqlite3.connect(part)) as source,
            closing(sqlite3.connect(target, timeout=BUSY_SECONDS)) as whole,
        ):
            source.backup(whole)  # one transaction: whoever reads sees the old state or the new one


def _check_backup(file: Path) -> None:
    with closing(_reader(file)) as connection:
        (said,) = connection.execute("PRAGMA quick_check").fetchone()
        ours = connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (VERSION_TABLE,)).fetchone()
    if said != "ok":
        raise UserError("the backup is damaged", where=str(file), hint="take an earlier one")
    if ours is None:
        raise UserError("this is no backup of rectune's database", where=str(file), hint="name another file")


def _copy(source: Path, target: Path) -> None:
    with closing(_reader(source)) as one, closing(sqlite3.connect(target)) as other:
        other.execute("PRAGMA synchronous = FULL")
        one.backup(other)
        other.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it


def _reader(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(file))}?mode=ro", uri=True, timeout=BUSY_SECONDS)


def _sqlite_file(database: Database, command: str) -> Path:
    if database.address.file is None:
        says = "copies of PostgreSQL are made and read by its own programs"
        raise UserError(says, where=database.address.shown, hint=command)
    return database.address.file


def _sync(folder: Path) -> None:
    """So that the file's new name outlasts a power failure."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
