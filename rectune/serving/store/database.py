"""Opening the database, and its transactions: `reading()` and `writing()`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session, sessionmaker

from rectune.core.errors import UserError
from rectune.serving.store.address import Address, parse_address
from rectune.serving.store.engines import BUSY_SECONDS, make_engine, reading_engine, set_wal, writing_engine
from rectune.serving.store.faults import DatabaseUnavailable, for_users
from rectune.serving.store.migrate import upgrade


class Database:
    """An open database; may be used from any thread. `open_database` makes it."""

    def __init__(self, address: Address, engine: Engine) -> None:
        self.address = address
        self.engine = engine
        self._writer = Lock()
        self._reads = sessionmaker(reading_engine(engine), expire_on_commit=False)
        self._writes = sessionmaker(writing_engine(engine), expire_on_commit=False)

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a file of SQLite."""
        return self.address.file is not None

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A transaction that sees one state of the database, and may not write.

        Raises:
            DatabaseUnavailable: it cannot be reached.
        """
        with for_users(self.address), self._reads() as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A transaction that is kept when the block ends, and undone where it raises.

        SQLite runs one of them at a time. PostgreSQL runs them together: what is read in order to be changed
        must be locked first, as the functions of this package do (`users.locked`, say).

        Raises:
            DatabaseUnavailable: it cannot be reached, or another process has been writing for too long.
        """
        with for_users(self.address), self._turn(), self._writes.begin() as session:
            yield session

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """SQLite's own waiting looks again now and then: of 8 threads, one came to its turn after 2.6 s."""
        if not self.is_sqlite:
            yield
            return
        if not self._writer.acquire(timeout=BUSY_SECONDS):
            raise DatabaseUnavailable(
                "another thread writes for long", where=self.address.shown, hint="retry"
            )
        try:
            yield
        finally:
            self._writer.release()

    def ping(self) -> None:
        """Ask it something.

        Raises:
            DatabaseUnavailable: it does not answer.
        """
        with self.reading() as session:
            session.execute(text("SELECT 1"))

    def close(self) -> None:
        """Close all connections; SQLite's write-ahead log goes into the file."""
        self.engine.dispose()

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


def open_database(place: str | Path) -> Database:
    """Open a database and bring its tables up to date; a file that is not there is made.

    Args:
        place: a path or `sqlite:///PATH` for SQLite, or `postgresql://USER:PASSWORD@HOST:PORT/DATABASE`.

    Raises:
        UserError: the address cannot be read; the database belongs to a newer version of this program, or to
            another program; it is a file of another kind. Passwords are in no message.
        DatabaseUnavailable: it cannot be reached, or not be written.
        MissingExtra: PostgreSQL's driver is not installed.
    """
    address = parse_address(place)
    engine = make_engine(address)
    try:
        with for_users(address):
            if address.file is not None:
                set_wal(engine, address)
            else:
                _check_encoding(engine, address)
            upgrade(writing_engine(engine), address.shown)
    except BaseException:
        engine.dispose()
        raise
    return Database(address, engine)


def _check_encoding(engine: Engine, address: Address) -> None:
    with engine.connect() as connection:
        encoding = connection.execute(text("SHOW server_encoding")).scalar_one()
    if encoding != "UTF8":
        hint = "make it with: createdb --template=template0 --encoding=UTF8 --locale=C.UTF-8 NAME"
        raise UserError(f"the database's encoding is {encoding}, not UTF8", where=address.shown, hint=hint)
