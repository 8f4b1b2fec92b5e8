"""Every test of the store runs on SQLite and on PostgreSQL; a missing server is a failure, not a skip."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import text

from rectune.serving.store.database import Database, open_database
from rectune.serving.store.tables import Base
from tests.serving.store.postgres_server import Server, in_memory, running

_NUMBERS = count()


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """PostgreSQL, started at most once."""
    with running() as started:
        open_database(started.make("migrated")).close()
        yield started


@pytest.fixture(scope="session")
def used_server(server: Server) -> Iterator[Database]:
    """A database of the server that tests empty before they use it."""
    with open_database(server.make("used", template="migrated")) as database:
        yield database


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder for SQLite's files."""
    with tempfile.TemporaryDirectory(prefix="rectune-store-", dir=in_memory()) as made:
        yield Path(made)


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of SQLite with its tables, which tests copy."""
    file = tmp_path_factory.mktemp("store") / "migrated.db"
    open_database(file).close()
    return file


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, folder: Path) -> Iterator[str]:
    """The address of a database without tables."""
    if request.param == "sqlite":
        yield str(folder / "data" / "store.db")
        return
    server = request.getfixturevalue("server")
    yield server.make(name := f"empty{next(_NUMBERS)}")
    server.drop(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, folder: Path, migrated_file: Path) -> Iterator[str]:
    """The address of a database with its tables."""
    if request.param == "sqlite":
        yield shutil.copy(migrated_file, folder / "store.db")
        return
    used: Database = request.getfixturevalue("used_server")
    tables = ", ".join(Base.metadata.tables)
    with used.writing() as session:
        session.execute(text(f"TRUNCATE {tables} RESTART IDENTITY"))
    yield request.getfixturevalue("server").url("used")


@pytest.fixture
def database(place: str) -> Iterator[Database]:
    """An open database with its tables and no rows."""
    with open_database(place) as opened:
        yield opened
