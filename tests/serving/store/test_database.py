"""Opening, transactions, and what people are told when it does not work."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
import traceback
from pathlib import Path

import pytest
from psycopg import sql
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from rectune.core.errors import MissingExtra, UserError
from rectune.serving.store import users
from rectune.serving.store.address import parse_address
from rectune.serving.store.database import Database, open_database
from rectune.serving.store.faults import DatabaseFault, DatabaseUnavailable
from tests.serving.store.postgres_server import Server

ROOT = Path(__file__).parents[3]


def test_a_block_that_raises_keeps_nothing(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.writing() as session:
        users.create(session, "ann")
        raise ZeroDivisionError
    with database.reading() as session:
        assert users.find(session, "ann") is None


def test_a_reading_transaction_sees_one_state_and_writes_nothing(database: Database) -> None:
    with database.reading() as session:
        assert users.find(session, "ann") is None
        with database.writing() as other:
            users.create(other, "ann")
        assert users.find(session, "ann") is None
    with database.reading() as session:
        assert users.find(session, "ann") is not None
        with pytest.raises(DBAPIError):  # of the driver: the block itself has not ended
            session.execute(text("DELETE FROM users"))
    with database.reading() as session:
        assert users.find(session, "ann") is not None


def test_reading_after_writing_on_the_same_connection_and_back(database: Database) -> None:
    for number in range(3):
        with database.writing() as session:
            users.create(session, f"user {number}")
        with database.reading() as session:
            assert users.find(session, f"user {number}") is not None
    database.ping()


def test_errors_do_not_repeat_what_users_wrote(database: Database) -> None:
    with pytest.raises(DatabaseFault, match="users") as caught, database.writing() as session:
        session.execute(text("INSERT INTO users (external_id) VALUES (:id)"), {"id": "very personal words"})
    assert "very personal words" not in "".join(traceback.format_exception(caught.value))


def test_errors_within_a_transaction_do_not_show_parameters(database: Database) -> None:
    with database.writing() as session, pytest.raises(DBAPIError) as caught:
        session.execute(text("INSERT INTO nowhere (id) VALUES (:id)"), {"id": "very personal words"})
    assert "nowhere" in str(caught.value) and "very personal words" not in str(caught.value)


def test_texts_that_cannot_be_converted_are_not_repeated(server: Server) -> None:
    with open_database(server.url("migrated")) as database:
        with pytest.raises(DatabaseFault, match="22P02") as caught, database.reading() as session:
            session.execute(text("SELECT CAST(:words AS integer)"), {"words": "very personal words"})
        assert "very personal words" not in "".join(traceback.format_exception(caught.value))


def test_passwords_are_taken_out_of_what_a_driver_says() -> None:
    address = parse_address("postgresql://ann:first@h:5/db?password=second")
    assert address.scrubbed("no first, no second") == "no ***, no ***"
    assert address.shown == "postgresql://h:5/db"


def test_a_file_of_sqlite_is_set_up_for_keeping(tmp_path: Path) -> None:
    file = tmp_path / "new folder" / "store.db"
    with open_database(file) as database, database.writing() as session:
        pragmas = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout", "secure_delete")
        found = {name: session.execute(text(f"PRAGMA {name}")).scalar_one() for name in pragmas}
        logs = [path for path in file.parent.iterdir() if stat.S_IMODE(path.stat().st_mode) != 0o600]
    assert found == {
        "journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 30_000, "secure_delete": 1
    }  # fmt: skip
    assert not logs, "others can read it"
    with open_database(f"sqlite:///{file}") as again:
        again.ping()


@pytest.mark.parametrize(
    "place",
    [
        "mysql://u:secret@h/db", "postgresql://u:secret@h:port-secret/db", "sqlite://", "sqlite:///:memory:",
        ":memory:", "", "://secret", "sqlite:///store.db?mode=ro",
    ],
)  # fmt: skip
def test_addresses_that_cannot_be(place: str) -> None:
    with pytest.raises(UserError) as caught:
        open_database(place)
    assert "secret" not in str(caught.value)


def test_files_that_are_no_database(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello " * 1000)
    for place in (tmp_path / "notes.txt", tmp_path, tmp_path / "notes.txt" / "store.db"):
        with pytest.raises(DatabaseUnavailable) as caught:
            open_database(place)
        assert str(place) in caught.value.where
    assert (tmp_path / "notes.txt").read_text() == "hello " * 1000


def test_a_locked_file_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_database(tmp_path / "store.db") as database:
        other = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with database.engine.connect() as connection:  # the next to take this connection waits less
            connection.connection.driver_connection.execute("PRAGMA busy_timeout = 10")  # type: ignore[union-attr]
        with pytest.raises(DatabaseUnavailable, match="locked"), database.writing() as session:
            users.create(session, "ann")
        other.execute("ROLLBACK")
        with database.writing() as session:
            users.create(session, "ann")


def test_a_server_that_is_not_there_is_told_without_the_password(tmp_path: Path) -> None:
    for place in (
        "postgresql://ann:very-secret@127.0.0.1:9/db",
        "postgresql://ann@127.0.0.1:9/db?password=very-secret",
        f"postgres://ann:very-secret@/db?host={tmp_path}",
    ):
        with pytest.raises(DatabaseUnavailable) as caught:
            open_database(place)
        assert "very-secret" not in str(caught.value) and caught.value.hint.startswith(
            "is the server running"
        )
        assert "very-secret" not in "".join(traceback.format_exception(caught.value))


def test_a_wrong_password_and_a_missing_database_are_told(server: Server) -> None:
    with pytest.raises(DatabaseUnavailable, match="does not exist") as caught:
        open_database(server.url("nowhere", password="very-secret"))
    assert "createdb" in caught.value.hint and "very-secret" not in str(caught.value)
    server.run(
        sql.SQL("CREATE ROLE ann LOGIN PASSWORD 'right'"),
        sql.SQL("CREATE DATABASE guarded"),
        sql.SQL("ALTER SYSTEM SET log_connections = off"),
    )
    rules = server.sockets / "data" / "pg_hba.conf"
    before = rules.read_text()
    try:
        rules.write_text("local all ann scram-sha-256\n" + before)
        server.run(sql.SQL("SELECT pg_reload_conf()"))
        with pytest.raises(DatabaseUnavailable) as caught:
            open_database(server.url("guarded", user="ann", password="very-secret"))
        assert "password" in caught.value.message and "very-secret" not in str(caught.value)
        with pytest.raises(DatabaseUnavailable, match="permission denied") as caught:
            open_database(server.url("guarded", user="ann", password="right"))  # may not make tables
        assert "right to make tables" in caught.value.hint
    finally:
        rules.write_text(before)
        server.run(sql.SQL("SELECT pg_reload_conf()"))


def test_a_server_that_breaks_off_is_told_and_used_again(server: Server) -> None:
    with open_database(server.make("broken", template="migrated")) as database:
        with pytest.raises(DatabaseUnavailable), database.writing() as session:
            users.create(session, "ann")
            ends = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'broken'"
            server.run(sql.SQL(ends))
            users.create(session, "bob")
        with database.writing() as session:
            users.create(session, "bob")
            assert users.find(session, "ann") is None


def test_a_database_of_another_encoding_is_refused(server: Server) -> None:
    server.run(
        sql.SQL("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0"),
    )
    with pytest.raises(UserError, match="LATIN1, not UTF8"):
        open_database(server.url("latin"))


@pytest.mark.parametrize(
    ("module", "extra"), [("sqlalchemy", "serve"), ("alembic", "serve"), ("psycopg", "postgres")]
)
def test_missing_packages_name_their_extra(module: str, extra: str) -> None:
    program = (
        f"import sys; sys.modules[{module!r}] = None\n"
        "from rectune.core.errors import MissingExtra\n"
        "try:\n"
        "    from rectune.serving.store.database import open_database\n"
        "    open_database('postgresql://h/db')\n"
        "except MissingExtra as error: print(error.extra)"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert said.stdout.strip() == extra, said.stderr
    assert issubclass(MissingExtra, UserError)
