"""Copies of a database in use, and the way back."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
from pathlib import Path
from threading import Event, Thread

import pytest

from rectune.core.errors import UserError
from rectune.serving.store import users
from rectune.serving.store.backup import backup, backup_of, restore, restore_over
from rectune.serving.store.database import Database, open_database
from rectune.serving.store.migrate import VERSION_TABLE
from tests.serving.store.people import known_everywhere
from tests.serving.store.postgres_server import Server

NOW = 1_800_000_000_000


def names(database: Database) -> list[str]:
    with database.reading() as session:
        return [name for name in ("ann", "bob", "eve") if users.find(session, name) is not None]


def test_back_to_the_state_of_the_backup_while_it_is_open(tmp_path: Path) -> None:
    copy = tmp_path / "copies" / "backup #1?.db"
    copy.parent.mkdir()
    with open_database(tmp_path / "store.db") as database:
        with database.writing() as session:
            ann = known_everywhere(session, "ann", now=NOW)
            export = users.export(session, ann.id, now=NOW)
        backup(database, copy)
        with database.writing() as session:
            users.delete(session, ann.id)
            users.create(session, "bob")
        assert names(database) == ["bob"]
        restore(database, copy)
        assert names(database) == ["ann"]
        with database.writing() as session:
            assert users.export(session, users.get(session, "ann").id, now=NOW) == export
            users.create(session, "eve")
    with open_database(tmp_path / "store.db") as again:
        assert names(again) == ["ann", "eve"]
    assert [path.name for path in copy.parent.iterdir()] == [copy.name]
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copies", "store.db"]


def test_a_backup_during_writing_is_one_state(tmp_path: Path) -> None:
    """Each transaction makes two users: a copy never holds one of them."""
    stop = Event()
    with open_database(tmp_path / "store.db") as database:

        def write() -> None:
            number = 0
            while not stop.is_set():
                with database.writing() as session:
                    users.create(session, f"a{number}")
                    users.create(session, f"b{number}")
                number += 1

        writer = Thread(target=write)
        writer.start()
        try:
            counts = []
            for number in range(5):
                backup(database, tmp_path / f"{number}.db")
                with sqlite3.connect(tmp_path / f"{number}.db") as copy:
                    counts.append(copy.execute("SELECT count(*) FROM users").fetchone()[0])
        finally:
            stop.set()
            writer.join()
    assert all(count % 2 == 0 for count in counts) and counts == sorted(counts)
    assert counts[-1] > 0


def test_what_is_no_backup_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "words.db").write_text("hello " * 1000)
    (tmp_path / "empty.db").write_bytes(b"")
    with sqlite3.connect(tmp_path / "other.db") as other:
        other.execute("CREATE TABLE users (name text)")
    with open_database(tmp_path / "store.db") as database:
        with database.writing() as session:
            users.create(session, "ann")
        backup(database, tmp_path / "newer.db")
        backup(database, tmp_path / "damaged.db")
        with sqlite3.connect(tmp_path / "newer.db") as newer:
            newer.execute(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
        content = bytearray((tmp_path / "damaged.db").read_bytes())
        content[4096:] = bytes(len(content) - 4096)
        (tmp_path / "damaged.db").write_bytes(content)
        for name in ("words.db", "empty.db", "other.db", "newer.db", "damaged.db", "missing.db", ""):
            with pytest.raises(UserError):
                restore(database, tmp_path / name)
            assert names(database) == ["ann"], name
        for target in (tmp_path / "store.db", tmp_path / "no folder" / "copy.db"):
            with pytest.raises(UserError):
                backup(database, target)
        assert names(database) == ["ann"]


def test_for_postgresql_its_own_program_is_named(server: Server, tmp_path: Path) -> None:
    with open_database(server.url("migrated")) as database:
        with pytest.raises(UserError) as caught:
            backup(database, tmp_path / "copy")
        assert "pg_dump" in caught.value.hint and not list(tmp_path.iterdir())
        with pytest.raises(UserError) as caught:
            restore(database, tmp_path / "copy")
        assert "pg_restore" in caught.value.hint
    for command, program in ((backup_of, "pg_dump"), (restore_over, "pg_restore")):
        with pytest.raises(UserError) as caught:
            command(server.url("migrated"), tmp_path / "copy")
        assert program in caught.value.hint and server.url("migrated") not in str(caught.value)


def test_restoring_over_a_database_keeps_what_was_there(tmp_path: Path) -> None:
    place, copy = tmp_path / "store.db", tmp_path / "copy.db"
    with open_database(place) as database, database.writing() as session:
        users.create(session, "ann")
    backup_of(place, copy)
    with open_database(place) as database, database.writing() as session:
        users.create(session, "bob")
    kept = restore_over(place, copy)
    assert kept and kept.parent == tmp_path and kept.name.startswith("store.db.before-restore-")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    with open_database(place) as database:
        assert names(database) == ["ann"]
    with open_database(kept) as database:
        assert names(database) == ["ann", "bob"]
    again = restore_over(place, kept)  # and back
    assert again not in (None, kept)
    with open_database(place) as database:
        assert names(database) == ["ann", "bob"]
    assert restore_over(tmp_path / "new.db", copy) is None
    with open_database(tmp_path / "new.db") as database:
        assert names(database) == ["ann"]


def test_a_database_that_is_open_is_not_restored_over(tmp_path: Path) -> None:
    place, copy = tmp_path / "store.db", tmp_path / "copy.db"
    with open_database(place) as database:
        with database.writing() as session:
            users.create(session, "ann")
        backup_of(place, copy)  # a copy is made while it is open
        with database.writing() as session:
            users.create(session, "bob")
        program = (
            "import sys; from pathlib import Path; from rectune.serving.store.backup import restore_over;"
            "restore_over(*map(Path, sys.argv[1:]))"
        )
        command = [sys.executable, "-c", program, str(place), str(copy)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode and "another process has the database open" in done.stderr
        assert names(database) == ["ann", "bob"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy.db", "store.db"]
    assert restore_over(place, copy)


def test_what_is_no_backup_is_refused_and_leaves_no_files(tmp_path: Path) -> None:
    place = tmp_path / "store.db"
    with open_database(place) as database, database.writing() as session:
        users.create(session, "ann")
    backup_of(place, tmp_path / "newer.db")
    with sqlite3.connect(tmp_path / "newer.db") as newer:
        newer.execute(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
    (tmp_path / "words.db").write_text("hello " * 1000)
    before = sorted(path.name for path in tmp_path.iterdir())
    for name in ("words.db", "newer.db", "missing.db"):
        with pytest.raises(UserError):
            restore_over(place, tmp_path / name)
        assert sorted(path.name for path in tmp_path.iterdir()) == before, name
    with open_database(place) as database:
        assert names(database) == ["ann"]
    with pytest.raises(UserError, match="no database"):
        backup_of(tmp_path / "none.db", tmp_path / "copy.db")
    assert not (tmp_path / "none.db").exists()
    (tmp_path / "damaged.db").write_text("hello " * 1000)
    backup_of(place, tmp_path / "copy.db")
    with pytest.raises(UserError) as caught:
        restore_over(tmp_path / "damaged.db", tmp_path / "copy.db")
    assert "move the file away" in caught.value.hint
    assert (tmp_path / "damaged.db").read_text().startswith("hello")
