"""Where the database is: a file, or a URL of PostgreSQL; and how that is shown without its password."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from rectune.core.errors import UserError
from rectune.core.extras import require

_HINT = "give a file, as data/rectune.db, or postgresql://USER:PASSWORD@HOST:PORT/DATABASE"


@dataclass(frozen=True)
class Address:
    """`url` is SQLAlchemy's, with its driver; `file` is set for SQLite; `shown` holds no password."""

    url: URL
    file: Path | None
    shown: str

    def scrubbed(self, text: str) -> str:
        """A text of the database's driver without the passwords of the URL."""
        secrets = {self.url.password, *self.url.normalized_query.get("password", ())}
        for secret in secrets - {None, ""}:
            text = text.replace(str(secret), "***")
        return text


def parse_address(place: str | Path) -> Address:
    """A path, `sqlite:///PATH`, or `postgresql://…`, which gets the driver psycopg.

    Raises:
        UserError: it is none of these, or names no file; the URL is not repeated, it may hold a password.
        MissingExtra: it is PostgreSQL's, and its driver is not installed.
    """
    if isinstance(place, Path) or "://" not in place:
        return _sqlite(Path(place))
    try:
        url = make_url(place)
    except (ArgumentError, ValueError):  # their words would repeat parts of it
        raise UserError("the URL of the database cannot be read", hint=_HINT) from None
    backend = url.drivername.partition("+")[0]
    if backend == "sqlite":
        if url.database in (None, "", ":memory:") or url.query:
            raise UserError("SQLite needs a file, and takes no options", where="sqlite://", hint=_HINT)
        return _sqlite(Path(str(url.database)))
    if backend not in ("postgresql", "postgres"):
        raise UserError(f"no database of the kind {backend} is supported", hint=_HINT)
    require([("psycopg", "a PostgreSQL database")])
    where = f"{url.host or ''}{f':{url.port}' if url.port else ''}"
    return Address(
        url.set(drivername="postgresql+psycopg"), None, f"postgresql://{where}/{url.database or ''}"
    )


def _sqlite(file: Path) -> Address:
    if str(file) in ("", ".", ":memory:"):
        raise UserError("SQLite needs a file", where=str(file), hint=_HINT)
    file = file.expanduser().absolute()
    return Address(URL.create("sqlite+pysqlite", database=str(file)), file, str(file))
