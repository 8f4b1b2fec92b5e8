"""SQLAlchemy's engines, set up so that what was acknowledged is kept, and no error shows personal text."""

from __future__ import annotations

import os
import sqlite3
import time
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event

from rectune.core.errors import first_line
from rectune.core.os_errors import for_people
from rectune.serving.store.address import Address
from rectune.serving.store.faults import DatabaseUnavailable

BUSY_SECONDS = 30  # how long a writer waits for another one, and a request for a connection
CONNECT_SECONDS = 10
_WRITES = "rectune_writes"

# On every connection. FULL: with WAL, NORMAL leaves the log unsynchronised at a commit, so that a power
# failure loses feedback that was already acknowledged. secure_delete: what a user had deleted is overwritten,
# not only unlinked.
_PRAGMAS = (
    f"busy_timeout = {BUSY_SECONDS * 1000}",
    "foreign_keys = ON",
    "synchronous = FULL",
    "secure_delete = ON",
)


def make_engine(address: Address) -> Engine:
    """An engine and its pool of connections; transactions are of `reading_engine` or `writing_engine`."""
    # hide_parameters: errors end in logs, and parameters are what users wrote.
    common: dict[str, Any] = {
        "hide_parameters": True, "pool_timeout": BUSY_SECONDS, "pool_size": 16, "max_overflow": 32,
    }  # fmt: skip
    if address.file is not None:
        _make_file(address)
        engine = create_engine(address.url, **common)
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    connect = {"application_name": "rectune"}
    if "connect_timeout" not in address.url.query:
        connect["connect_timeout"] = str(CONNECT_SECONDS)
    return create_engine(address.url, connect_args=connect, pool_pre_ping=True, **common)


def reading_engine(engine: Engine) -> Engine:
    """The engine of reading transactions: one snapshot for all queries of one, as SQLite gives it."""
    if _is_postgresql(engine):
        return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    return engine


def writing_engine(engine: Engine) -> Engine:
    """The engine of writing transactions."""
    if _is_postgresql(engine):
        return engine.execution_options(isolation_level="READ COMMITTED")
    return engine.execution_options(**{_WRITES: True})


def _is_postgresql(engine: Engine) -> bool:
    return engine.dialect.name == "postgresql"


def _make_file(address: Address) -> None:
    """The file, readable by its owner alone: it holds personal data. Its logs take over the same rights.

    One that is there is not opened: closing it would end the locks of this process's other connections.
    """
    assert address.file is not None
    try:
        address.file.parent.mkdir(parents=True, exist_ok=True)
        if not address.file.is_file():
            os.close(os.open(address.file, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as problem:
        told = for_people(problem, address.shown)
        raise DatabaseUnavailable(
            told.message if told else first_line(problem),
            where=address.shown,
            hint="give a file in a folder where you may write",
        ) from None


def _set_up_sqlite(connection: sqlite3.Connection, _: object) -> None:
    connection.isolation_level = None  # the driver begins no transactions: `_begin_sqlite` does
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    """Begin as a writer what will write: a reader that turns into one fails if another has written since."""
    writes = connection.get_execution_options().get(_WRITES)
    connection.exec_driver_sql(f"PRAGMA query_only = {'OFF' if writes else 'ON'}")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def set_wal(engine: Engine, address: Address) -> None:
    """Write-ahead logging, which the file then keeps: readers and the writer do not wait for each other.

    Raises:
        DatabaseUnavailable: the file system cannot do it, as those over a network, or the file stays locked.
    """
    with engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        driver.execute("PRAGMA query_only = OFF")
        until = time.monotonic() + BUSY_SECONDS
        while True:  # SQLite does not wait here where another process is switching too
            try:
                (mode,) = driver.execute("PRAGMA journal_mode = WAL").fetchone()
                break
            except sqlite3.OperationalError as problem:
                if "locked" not in str(problem) or time.monotonic() > until:
                    raise
                time.sleep(0.02)
    if mode != "wal":
        hint = "give a file on a disk of this machine"
        raise DatabaseUnavailable(
            "write-ahead logging does not work on this file system", where=address.shown, hint=hint
        )
