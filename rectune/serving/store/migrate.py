"""Bringing a database's tables to the newest revision, and back (Alembic; the steps are in `migrations/`)."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect, text

from rectune.core.errors import UserError
from rectune.serving.store.tables import Base

VERSION_TABLE = (
    "rectune_revision"  # its own: a PostgreSQL database may hold another program's alembic_version
)
_LOCK = 0x7265_6374_756E_6501  # PostgreSQL's advisory locks bear numbers; this one is "rectune" and a 1


def newest_revision() -> str:
    """The revision that this program works with."""
    return str(ScriptDirectory.from_config(_config()).get_current_head())


def revision_of(connection: Connection) -> str | None:
    """The revision of a database's tables; None where there are none."""
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    return context.get_current_revision()


def upgrade(engine: Engine, where: str) -> None:
    """To the newest revision, in one transaction; processes that do so at the same time wait for each other.

    Args:
        engine: of writing transactions; SQLite's are one at a time by themselves.
        where: the database as it is shown.

    Raises:
        UserError: the tables are of a newer revision than this program knows, or of another program.
    """
    with engine.begin() as connection:
        _lock(connection)
        found = revision_of(connection)
        _check(connection, found, where)
        if found != newest_revision():
            command.upgrade(_config(connection), "head")


def downgrade(engine: Engine, revision: str) -> None:
    """Back to an earlier revision, or to `base`: no tables. What the later ones hold is lost."""
    with engine.begin() as connection:
        _lock(connection)
        command.downgrade(_config(connection), revision)


def _lock(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _LOCK})


def _check(connection: Connection, found: str | None, where: str) -> None:
    if found is None:
        foreign = sorted(set(inspect(connection).get_table_names()) & set(Base.metadata.tables))
        if foreign:
            says = f"it holds tables of another program: {', '.join(foreign)}"
            raise UserError(says, where=where, hint="give a database of its own")
        return
    if found not in {one.revision for one in ScriptDirectory.from_config(_config()).walk_revisions()}:
        says = f"the database was written by a newer version of rectune (its revision is {found})"
        raise UserError(says, where=where, hint=f"update rectune, which knows {newest_revision()} at most")


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", "rectune.serving.store:migrations")
    config.attributes["connection"] = connection
    return config
