"""`rectune serve` and `rectune keys`: the service, and the keys of its API."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rectune.cli.shared_options import Runs

if TYPE_CHECKING:
    from rectune.serving.store.database import Database as Store

keys_app = typer.Typer(help="Keys of the service's API.", no_args_is_help=True)

_SCOPES = "recommend,feedback,items,users,models"
Database = Annotated[
    str,
    typer.Option(
        help="A file of SQLite, or postgresql://USER:PASSWORD@HOST/NAME; runs/service.sqlite by default.",
    ),
]


def serve(
    recipe: Annotated[str, typer.Argument(help="The recipe of a run, as demo; or give --catalogue.")] = "",
    catalogue: Annotated[
        Path | None, typer.Option(help="CSV, TSV, JSON lines, JSON or Parquet of items, or a folder.")
    ] = None,
    domain: Annotated[
        str, typer.Option(help="The kind of items of the catalogue; or which domain of the run.")
    ] = "",
    facts: Annotated[str, typer.Option(help="Further columns of the catalogue, as price,city.")] = "",
    database: Database = "",
    host: Annotated[
        str, typer.Option(help="Another one than this machine's needs an API key.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes a free one.")] = 8000,
    model: Annotated[
        str,
        typer.Option(
            help="A GGUF file, `embedded`, `none`, or a server as http://HOST:PORT/v1#NAME; else the run's "
            "own, or the embedded one."
        ),
    ] = "",
    slots: Annotated[int, typer.Option(help="Answers that the model writes together.")] = 4,
    wording_seconds: Annotated[
        float,
        typer.Option(
            help="That the model has to word an answer, half of them until something passes the checks; then "
            "plain sentences stand."
        ),
    ] = 4.5,
    require_key: Annotated[
        bool, typer.Option("--require-key", help="Need an API key even where the database has none yet.")
    ] = False,
    allowed_host: Annotated[
        list[str] | None, typer.Option(help="A name that clients reach it by; may be repeated.")
    ] = None,
    https: Annotated[
        bool, typer.Option("--https", help="Browsers come by HTTPS, through a proxy: cookies go out only so.")
    ] = False,
    image_host: Annotated[
        list[str] | None,
        typer.Option(help="Another host whose pictures the page may show, as https://covers.example.org."),
    ] = None,
    compare: Annotated[
        str, typer.Option(help="A second ranker, as bm25, for half of the users; /admin compares them.")
    ] = "",
    keep_days: Annotated[
        int, typer.Option(help="Days after which what users said is deleted; 0 keeps it without end.")
    ] = 0,
    trusted_proxy: Annotated[
        list[str] | None,
        typer.Option(
            help="A proxy's address or network: its X-Forwarded-For says who asks; may be repeated."
        ),
    ] = None,
    images: Annotated[Path | None, typer.Option(help="A folder of pictures of items.")] = None,
    image_column: Annotated[
        str, typer.Option(help="The column of the catalogue that names each item's picture, as cover.")
    ] = "",
    search_url: Annotated[
        str, typer.Option(help="Where to look for an item, as 'https://www.example.org/search?q={title}'.")
    ] = "",
    use_profile: Annotated[
        bool,
        typer.Option(
            "--use-profile",
            help="Rankers that learnt from what users state get age, sex and occupation of who agreed.",
        ),
    ] = False,
    runs: Runs = Path("runs"),
) -> None:
    """Serve the page and the API by HTTP until SIGTERM."""
    from rectune.core.extras import needs_extra

    with needs_extra("rectune serve", "fastapi", "uvicorn", "sqlalchemy", "alembic"):
        from rectune.serving.config import Limits, ServerConfig
        from rectune.serving.server import serve as run

    names = tuple(name.strip() for name in facts.split(",") if name.strip())
    run(
        ServerConfig(
            host, port, database or default_database(runs), catalogue, recipe, domain, names, model, runs,
            slots, require_key, tuple(allowed_host or ()), https, tuple(image_host or ()), compare=compare,
            keep_days=keep_days, images=images, image_column=image_column, search_url=search_url,
            limits=Limits(wording_seconds=wording_seconds), trusted_proxies=tuple(trusted_proxy or ()),
            use_profile=use_profile,
        )
    )  # fmt: skip


@keys_app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="For people, to tell keys apart.")],
    scopes: Annotated[
        str, typer.Option(help="What it may do, of: recommend, feedback, items, users, chats, models, admin.")
    ] = _SCOPES,
    database: Database = "",
    runs: Runs = Path("runs"),
) -> None:
    """Make a key; it is shown this once."""
    from rectune.serving.store import api_keys

    with _database(database, runs) as store, store.writing() as session:
        key = api_keys.create(session, name, [one.strip() for one in scopes.split(",") if one.strip()])
    typer.echo(key)


@keys_app.command("list")
def list_keys(database: Database = "", runs: Runs = Path("runs")) -> None:
    """All keys, without their secrets."""
    from rectune.serving.store import api_keys

    with _database(database, runs) as store, store.reading() as session:
        for key in api_keys.list_all(session):
            typer.echo(
                f"{key.id}  {key.name}  {','.join(key.scopes)}{'' if key.revoked is None else '  revoked'}"
            )


@keys_app.command("revoke")
def revoke(
    id: Annotated[str, typer.Argument(help="As `rectune keys list` says it.")],
    database: Database = "",
    runs: Runs = Path("runs"),
) -> None:
    """End a key at once."""
    from rectune.core.errors import UserError
    from rectune.serving.store import api_keys

    with _database(database, runs) as store, store.writing() as session:
        if not api_keys.revoke(session, id):
            raise UserError(f"there is no key {id} that could be revoked", hint="see: rectune keys list")


def default_database(runs: Path) -> str:
    """Where the database is if none is named."""
    return str(runs / "service.sqlite")


@contextmanager
def _database(place: str, runs: Path) -> Iterator[Store]:
    from rectune.serving.store.database import open_database

    with open_database(place or default_database(runs)) as found:
        yield found
