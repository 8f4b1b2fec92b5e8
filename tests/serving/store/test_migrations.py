"""Migrations give exactly the tables that the models describe, one way and the other."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, inspect, text

from rectune.core.errors import UserError
from rectune.serving.store.address import parse_address
from rectune.serving.store.database import open_database
from rectune.serving.store.engines import make_engine, writing_engine
from rectune.serving.store.faults import DatabaseFault
from rectune.serving.store.migrate import VERSION_TABLE, downgrade, newest_revision
from rectune.serving.store.tables import Base

ROOT = Path(__file__).parents[3]

# What a schema is: SQLite keeps the statements, PostgreSQL says what it made of them.
SCHEMA = {
    "sqlite": "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND tbl_name NOT LIKE 'sqlite%'",
    "postgresql": """
        SELECT table_name || '.' || column_name,
            concat_ws(' ', data_type, is_nullable, column_default, collation_name, is_identity)
        FROM information_schema.columns WHERE table_schema = 'public'
        UNION ALL SELECT conrelid::regclass || '.' || conname, pg_get_constraintdef(oid)
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace
        UNION ALL SELECT tablename || '.' || indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
    """,
}


def schema(engine: Engine) -> Mapping[str, str]:
    with engine.connect() as connection:
        rows = connection.execute(text(SCHEMA[engine.dialect.name])).all()
    # SQLite writes a column that is added into the line of the last one.
    lines = {
        name: (line.strip(" ,\t") for line in said.replace(", ", "\n").splitlines()) for name, said in rows
    }
    return {
        name: " ".join(sorted(filter(None, found)))
        for name, found in lines.items()
        if VERSION_TABLE not in name
    }


def test_migrated_tables_are_those_of_the_models(empty: str) -> None:
    with open_database(empty) as database:
        migrated = schema(database.engine)
        with database.engine.connect() as connection:
            options = {"version_table": VERSION_TABLE, "compare_server_default": True}
            assert compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata) == []
        downgrade(writing_engine(database.engine), "base")
        assert schema(database.engine) == {}
        with writing_engine(database.engine).begin() as connection:
            Base.metadata.create_all(connection)
        assert schema(database.engine) == migrated
        assert len(migrated) > 2 * len(Base.metadata.tables)


def test_down_and_up_again(empty: str) -> None:
    with open_database(empty) as database:
        before = schema(database.engine)
        downgrade(writing_engine(database.engine), "base")
        assert set(inspect(database.engine).get_table_names()) == {VERSION_TABLE}
    with open_database(empty) as again:
        assert schema(again.engine) == before


def test_a_newer_database_is_refused_and_left_as_it_is(empty: str) -> None:
    with open_database(empty) as database:
        with database.writing() as session:
            session.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
        before = schema(database.engine)
        with pytest.raises(UserError, match="newer version of rectune") as caught:
            open_database(empty)
        assert newest_revision() in caught.value.hint
        assert schema(database.engine) == before


def test_tables_of_another_program_are_left_alone(empty: str) -> None:
    engine = make_engine(parse_address(empty))
    with writing_engine(engine).begin() as connection:
        connection.execute(text("CREATE TABLE users (name text)"))
    with pytest.raises(UserError, match="another program: users"):
        open_database(empty)
    assert inspect(engine).get_table_names() == ["users"]
    engine.dispose()


def test_a_failed_migration_leaves_no_half(empty: str) -> None:
    """A table bears the name of one of the last indexes: all that was made before it is undone."""
    engine = make_engine(parse_address(empty))
    with writing_engine(engine).begin() as connection:
        connection.execute(text("CREATE TABLE ix_messages_chat_id (a text)"))
    with pytest.raises(DatabaseFault, match="ix_messages_chat_id"):
        open_database(empty)
    assert inspect(engine).get_table_names() == ["ix_messages_chat_id"]
    engine.dispose()


def test_processes_that_open_at_once(empty: str) -> None:
    program = (
        "import sys; from rectune.serving.store.database import open_database; print('ready', flush=True);"
        "sys.stdin.readline(); open_database(sys.argv[1]).ping()"
    )
    command = [sys.executable, "-c", program, empty]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    started = [subprocess.Popen(command, cwd=ROOT, text=True, **pipes) for _ in range(3)]  # type: ignore[call-overload]
    for process in started:
        assert process.stdout.readline() == "ready\n"
    for process in started:
        process.stdin.write("\n")
        process.stdin.flush()
    for process in started:
        _, said = process.communicate(timeout=60)
        assert process.returncode == 0, said
    with open_database(empty) as database:
        assert set(inspect(database.engine).get_table_names()) == {VERSION_TABLE, *Base.metadata.tables}
