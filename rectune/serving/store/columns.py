"""Types of columns that behave alike in SQLite and PostgreSQL, and the time that they are filled with."""

from __future__ import annotations

import json
import time
from typing import Any

from sqlalchemy import JSON, Dialect, Text, TypeDecorator
from sqlalchemy.types import TypeEngine

from rectune.core.errors import UserError

SECRET = {"secret": True}
"""`info` of columns that are never exported: hashes of tokens and codes."""


def now_ms() -> int:
    """Milliseconds since 1970, UTC: the unit of every time in the database."""
    return time.time_ns() // 1_000_000


def check_text(text: str) -> str:
    """The text itself.

    Raises:
        UserError: it holds NUL or half a surrogate pair. PostgreSQL takes neither, so SQLite gets neither.
    """
    if "\x00" in text:
        raise UserError("a text holds the character NUL", hint="leave it out")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UserError("a text is not Unicode: it holds half a surrogate pair", hint="send UTF-8") from None
    return text


class PlainText(TypeDecorator[str]):
    """Text that is compared by code points in both databases, whatever the server's locale is."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """PostgreSQL's collation "C" is what SQLite does anyway."""
        return dialect.type_descriptor(Text(collation="C" if dialect.name == "postgresql" else None))

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Refuse what one of the databases cannot keep; see `check_text`."""
        return None if value is None else check_text(value)


class Json(TypeDecorator[Any]):
    """Lists and mappings as JSON text; numbers are finite, the order of keys stays."""

    impl = JSON
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """Refuse what is not JSON before the database does, which would name no reason."""
        try:
            json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
        except (TypeError, ValueError) as problem:
            raise UserError(f"a value cannot be kept as JSON: {type(problem).__name__}") from None
        return value
