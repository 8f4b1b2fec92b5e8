"""`rectune database`: a copy of the service's database, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rectune.cli.serve import Database, default_database
from rectune.cli.shared_options import Runs

database_app = typer.Typer(help="Copies of the service's database.", no_args_is_help=True)


@database_app.command("backup")
def backup(
    file: Annotated[Path, typer.Argument(help="Where the copy is written.")],
    database: Database = "",
    runs: Runs = Path("runs"),
) -> None:
    """Write one consistent copy of SQLite's file, while the server goes on. PostgreSQL has pg_dump."""
    from rectune.core.extras import needs_extra

    with needs_extra("rectune database", "sqlalchemy", "alembic"):
        from rectune.serving.store.backup import backup_of

    backup_of(database or default_database(runs), file)
    typer.echo(f"written: {file}")


@database_app.command("restore")
def restore(
    file: Annotated[Path, typer.Argument(help="A copy that `rectune database backup` wrote.")],
    database: Database = "",
    runs: Runs = Path("runs"),
) -> None:
    """Put a copy in the place of SQLite's file; what was there is kept beside it. No server may run."""
    from rectune.core.extras import needs_extra

    with needs_extra("rectune database", "sqlalchemy", "alembic"):
        from rectune.serving.store.backup import restore_over

    kept = restore_over(database or default_database(runs), file)
    typer.echo(f"restored from {file}" + (f"; what was there is kept as {kept}" if kept else ""))
