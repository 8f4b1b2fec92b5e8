"""A copy of the database while it is in use, and back. SQLite only: PostgreSQL has pg_dump."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from contextlib import closing
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from urllib.parse import quote

from rectune.core.errors import UserError, first_line
from rectune.core.os_errors import for_people
from rectune.serving.store.address import Address, parse_address
from rectune.serving.store.database import Database, open_database
from rectune.serving.store.engines import BUSY_SECONDS
from rectune.serving.store.faults import for_users
from rectune.serving.store.migrate import VERSION_TABLE

_DUMP, _RESTORE = "pg_dump --format=custom --file=FILE URL", "pg_restore --clean --dbname=URL FILE"
_ASIDE = "move the file away, with FILE-wal and FILE-shm beside it, then restore"


def backup(database: Database, file: Path) -> None:
    """Write one consistent copy into a file, which is whole or as it was; readers and writers go on.

    Raises:
        UserError: the database is PostgreSQL, or the file cannot be written.
    """
    source = _sqlite_file(database, _DUMP)
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
    target = _sqlite_file(database, _RESTORE)
    file = file.expanduser().absolute()
    with tempfile.TemporaryDirectory(prefix=".restore-", dir=target.parent) as folder:
        part = Path(folder) / file.name
        _checked(file, part)
        open_database(part).close()  # brings it up to date, or refuses it
        with (
            for_users(database.address),
            closing(sqlite3.connect(part)) as source,
            closing(sqlite3.connect(target, timeout=BUSY_SECONDS)) as whole,
        ):
            source.backup(whole)  # one transaction: whoever reads sees the old state or the new one


def backup_of(place: str | Path, file: Path) -> None:
    """`backup` of the database at this place.

    Raises:
        UserError: there is none there, or see `backup`.
    """
    address = parse_address(place)
    if address.file is not None and not address.file.exists():
        raise UserError("there is no database", where=address.shown, hint="name another one: --database FILE")
    if address.file is None:
        raise _not_sqlite(address, _DUMP)
    with open_database(place) as database:
        backup(database, file)


def restore_over(place: str | Path, file: Path) -> Path | None:
    """`restore` into the database at this place, which no server has open; what is there is kept in a file.

    Returns:
        The file beside the database with what it held before; None where there was no database.

    Raises:
        UserError: another process has the database open; or see `restore`. It stays as it was.
    """
    address = parse_address(place)
    target = address.file
    if target is None:
        raise _not_sqlite(address, _RESTORE)
    _checked(file.expanduser().absolute())
    kept = None
    if target.exists() and target.stat().st_size:
        _check_unused(target)
        kept = _free_name(target)
        backup_of(target, kept)
    try:
        with open_database(target) as database:
            restore(database, file)
    except BaseException:
        if kept:
            kept.unlink(missing_ok=True)  # the database is as it was
        raise
    return kept


def _check_unused(target: Path) -> None:
    """SQLite leaves write-ahead logging only where no other connection is open; the next one sets it again.

    Raises:
        UserError: one is, or the file cannot be read as a database.
    """
    try:
        with closing(sqlite3.connect(target, timeout=0)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE").fetchone()
    except sqlite3.OperationalError as problem:
        if "locked" not in str(problem):
            raise UserError(first_line(problem), where=str(target), hint=_ASIDE) from None
        hint = "stop the server (SIGTERM), then restore"
        raise UserError("another process has the database open", where=str(target), hint=hint) from None
    except sqlite3.Error as problem:
        raise UserError(first_line(problem), where=str(target), hint=_ASIDE) from None


def _free_name(target: Path) -> Path:
    """A file beside the database that is not there yet."""
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    names = (target.with_name(f"{target.name}.before-restore-{stamp}-{number}") for number in count(1))
    return next(name for name in names if not name.exists())


def _checked(file: Path, part: Path | None = None) -> None:
    """Look at a backup, and copy it to `part`.

    Raises:
        UserError: it is none.
    """
    try:
        _check_backup(file)
        if part:
            _copy(file, part)
    except sqlite3.Error as problem:
        raise UserError(f"this is no backup: {first_line(problem)}", where=str(file)) from None


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
        raise _not_sqlite(database.address, command)
    return database.address.file


def _not_sqlite(address: Address, command: str) -> UserError:
    says = "copies of PostgreSQL are made and read by its own programs"
    return UserError(says, where=address.shown, hint=command)


def _sync(folder: Path) -> None:
    """So that the file's new name outlasts a power failure."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
