"""Which tables hold rows of a user, as the foreign keys say, so that none is forgotten where it counts."""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Table, select

from rectune.serving.store.columns import SECRET
from rectune.serving.store.tables import Base, User


@cache
def parents() -> dict[str, str]:
    """Tables that hang on `users`, each with the table whose deleted rows take its own with them."""
    found = {User.__tablename__: ""}
    for table in Base.metadata.sorted_tables:  # a table comes after those that it refers to
        whole = [key.column.table.name for key in table.foreign_keys if key.ondelete == "CASCADE"]
        above = sorted((name for name in whole if name in found), key=lambda name: name != User.__tablename__)
        if above and table.name not in found:
            found[table.name] = above[0]
    return found


def of_user(table: Table, user_id: int) -> ColumnElement[bool]:
    """The condition that a row of such a table is this user's."""
    above = parents()[table.name]
    if not above:
        return table.c.id == user_id
    (key,) = (
        key for key in table.foreign_keys if key.column.table.name == above and key.ondelete == "CASCADE"
    )
    if above == User.__tablename__:
        return key.parent == user_id
    upper = Base.metadata.tables[above]
    return key.parent.in_(select(key.column).where(of_user(upper, user_id)))


def shown_columns(table: Table) -> list[Any]:
    """The columns that a user may see: all but hashes of secrets, and the number of the user inside."""
    return [
        column
        for column in table.columns
        if not (SECRET.items() <= column.info.items() or column.name == "user_id")
        and not (table.name == User.__tablename__ and column.primary_key)
    ]
