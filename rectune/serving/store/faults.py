"""What is said where a database fails: what happened and what to do, without passwords and users' words."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from rectune.core.errors import RectuneError, UserError, first_line
from rectune.serving.store.address import Address


class DatabaseUnavailable(UserError):
    """The database cannot be reached or takes nothing now: refused, broken off, locked, full."""


class DatabaseFault(RectuneError):
    """A fault of the program that the database noticed: a constraint, a statement; without the values."""


@contextmanager
def for_users(address: Address) -> Iterator[None]:
    """Turn what a database's driver raises into one error that says what happened, without personal text.

    Raises:
        DatabaseUnavailable: instead of errors of the connection, of locks, of space, of rights.
        DatabaseFault: instead of all others of the driver.
        UserError: as it was raised while values were made ready for the database.
    """
    try:
        yield
    except PoolTimeout:
        raise DatabaseUnavailable("all connections are in use", where=address.shown, hint="retry") from None
    except DBAPIError as problem:
        raise _unavailable(problem, address) or DatabaseFault(_without_values(problem)) from None
    except StatementError as problem:
        if isinstance(problem.orig, UserError):
            raise problem.orig from None
        raise
    except sqlite3.Error as problem:
        raise DatabaseUnavailable(first_line(problem), where=address.shown) from None


# What the driver says, and what to do about it.
_HINTS = (
    ("password authentication failed", "check user and password of the URL"),
    ("no password supplied", "give user and password in the URL"),
    ("connection refused", "is the server running, and are host and port right?"),
    ("no such file or directory", "is the server running, and is its socket where the URL says?"),
    ("does not exist", "make it with createdb, or name another database"),
    ("permission denied", "give this user the right to make tables in this database"),
    ("not a database", "the file is something else; name another one"),
    ("malformed", "the file is damaged: restore a backup"),
    ("locked", "another process writes for long; retry"),
    ("readonly", "give a file in a folder where you may write"),
    ("full", "free some space"),
)


# SQLite's codes: PERM, BUSY, LOCKED, READONLY, IOERR, CORRUPT, FULL, CANTOPEN, PROTOCOL, NOTADB.
_SQLITE_CODES = {3, 5, 6, 8, 10, 11, 13, 14, 15, 26}
_INSUFFICIENT_PRIVILEGE = "42501"  # of PostgreSQL


def _unavailable(problem: DBAPIError, address: Address) -> DatabaseUnavailable | None:
    driver = problem.orig
    if isinstance(driver, sqlite3.Error):
        found = (
            getattr(driver, "sqlite_errorcode", 0) & 0xFF in _SQLITE_CODES
        )  # the rest says more exactly why
    else:
        found = isinstance(problem, OperationalError | InterfaceError) or problem.connection_invalidated
        found = found or getattr(driver, "sqlstate", None) == _INSUFFICIENT_PRIVILEGE
    if not found:
        return None
    said = address.scrubbed(first_line(driver or problem))
    hint = next((hint for words, hint in _HINTS if words in said.lower()), "retry; is the database there?")
    return DatabaseUnavailable(said, where=address.shown, hint=hint)


def _without_values(problem: DBAPIError) -> str:
    """PostgreSQL shows the whole row that breaks a constraint, and texts that it cannot convert."""
    said, driver = type(problem).__name__, problem.orig
    state = getattr(driver, "sqlstate", None) or ""
    if not state:  # SQLite names columns only
        return f"{said}: {first_line(driver or problem)}"
    diagnosis = driver.diag  # type: ignore[union-attr]
    if state[:2] in ("22", "23"):
        names = (diagnosis.table_name, diagnosis.column_name, diagnosis.constraint_name)
        return f"{said} {state}: {' '.join(name for name in names if name)}"
    return f"{said} {state}: {diagnosis.message_primary}"
