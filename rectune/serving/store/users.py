"""Users: made, read, changed, exported, deleted. Clients name them by `external_id`, functions by `id`."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import delete as delete_rows
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from rectune.core.errors import UserError
from rectune.serving.store.columns import check_text, now_ms
from rectune.serving.store.paging import Page, page_size
from rectune.serving.store.statements import changed
from rectune.serving.store.tables import Base, User
from rectune.serving.store.user_tables import of_user, parents, shown_columns

EXPORT_FORMAT = 1
MAX_ID = 200  # characters
MAX_WORDS = 200  # characters of one entry of a profile
MAX_TASTES = 100
_TEXTS = ("locale", "age_band", "sex", "occupation")
PROFILE = (*_TEXTS, "tastes", "consented", "without_profile")


def check_id(value: str, what: str) -> str:
    """The id itself.

    Raises:
        UserError: it is empty, longer than `MAX_ID`, or has control characters or blanks at an end.
    """
    if not 0 < len(value) <= MAX_ID or value != value.strip() or not value.isprintable():
        hint = f"give 1 to {MAX_ID} printable characters without blanks at the ends"
        raise UserError(f"this cannot be the id of {what}", hint=hint)
    return check_text(value)


def create(
    session: Session, external_id: str | None = None, *, now: int | None = None, **profile: Any
) -> User:
    """A new user; a random id where none is given.

    Args:
        profile: any of `PROFILE`: texts `locale` ("en"), `age_band`, `sex`, `occupation`; `tastes`, a list of
            texts; `consented`, a time or None; `without_profile`: they chose to say nothing.

    Raises:
        UserError: the id is taken; a name or a value is none of these.
    """
    now = now_ms() if now is None else now
    chosen = secrets.token_hex(16) if external_id is None else check_id(external_id, "a user")
    start: dict[str, Any] = {"locale": "en", "tastes": [], "without_profile": False}
    user = User(external_id=chosen, created=now, updated=now, **start | _checked(profile))
    try:
        with session.begin_nested():
            session.add(user)
    except IntegrityError:
        raise UserError(f"the user {chosen} is there already", hint="change it, or take another id") from None
    return user


def find(session: Session, external_id: str) -> User | None:
    """The user of this id; None if there is none."""
    return session.scalar(select(User).where(User.external_id == external_id))


def of_row(session: Session, id: int) -> User | None:
    """The user of this row; None if there is none any more."""
    return session.get(User, id)


def page(session: Session, *, limit: int = 50, after: str | None = None) -> Page[User]:
    """All users, by their ids.

    Raises:
        UserError: the limit cannot be.
    """
    rows = select(User).order_by(User.external_id).limit(page_size(limit) + 1)
    if after is not None:
        rows = rows.where(User.external_id > after)
    found = session.scalars(rows).all()
    return Page(found[:limit], found[limit - 1].external_id if len(found) > limit else None)


def get(session: Session, external_id: str) -> User:
    """The user of this id.

    Raises:
        UserError: there is none.
    """
    if user := find(session, external_id):
        return user
    raise UserError(f"there is no user {external_id}", hint="create it first")


def locked(session: Session, *user_ids: int) -> Sequence[User]:
    """These users as they are now; until the transaction ends no other one changes them or what is theirs.

    Raises:
        UserError: one of them is not there (any more).
    """
    wanted = sorted(set(user_ids))  # in one order everywhere: two transactions never wait for each other
    found = session.scalars(
        select(User)
        .where(User.id.in_(wanted))
        .order_by(User.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    if len(found) != len(wanted):
        raise UserError("a user is not there any more")
    return found


def patch(session: Session, user_id: int, changes: Mapping[str, Any], *, now: int | None = None) -> User:
    """Change some entries of a profile (see `create`); None empties those that may be empty.

    Raises:
        UserError: there is no such user; a name or a value is none of a profile.
    """
    checked = _checked(changes)
    (user,) = locked(session, user_id)
    for name, value in checked.items():
        setattr(user, name, value)
    user.updated = now_ms() if now is None else now
    session.flush()
    return user


def delete(session: Session, user_id: int) -> bool:
    """Delete a user and everything of theirs; False if there was none."""
    return changed(session, delete_rows(User).where(User.id == user_id)) > 0


def export(session: Session, user_id: int, *, now: int | None = None) -> dict[str, Any]:
    """Everything that is kept of a user, ready for JSON: table -> rows, each column -> value.

    Hashes of tokens and codes are left out: they say nothing of the user.

    Raises:
        UserError: there is no such user.
    """
    found: dict[str, Any] = {"format": EXPORT_FORMAT, "exported": now_ms() if now is None else now}
    for name in parents():
        table = Base.metadata.tables[name]
        rows = select(*shown_columns(table)).where(of_user(table, user_id)).order_by(*table.primary_key)
        found[name] = [dict(row) for row in session.execute(rows).mappings()]
    if not found[User.__tablename__]:
        raise UserError("a user is not there any more")
    return found


def counts(session: Session, user_id: int) -> dict[str, int]:
    """How many rows each table has of a user."""
    found = {}
    for name in parents():
        table = Base.metadata.tables[name]
        rows = select(func.count()).select_from(table).where(of_user(table, user_id))
        found[name] = session.scalar(rows) or 0
    return found


def _checked(profile: Mapping[str, Any]) -> dict[str, Any]:
    if unknown := sorted(set(profile) - set(PROFILE)):
        hint = f"there are {', '.join(PROFILE)}"
        raise UserError(f"a profile has no {', '.join(unknown)}", hint=hint)
    for name, value in profile.items():
        if not _fits(name, value):
            raise UserError(f"{name} cannot be kept so", hint=_KINDS.get(name, _KINDS["text"]))
    return dict(profile)


_KINDS = {
    "tastes": f"give a list of at most {MAX_TASTES} texts of at most {MAX_WORDS} characters",
    "consented": "give a time in milliseconds since 1970, or null",
    "without_profile": "give true or false",
    "locale": "give the name of a language, as en",
    "text": f"give a text of at most {MAX_WORDS} characters, or null",
}


def _fits(name: str, value: Any) -> bool:
    if name == "tastes":
        return isinstance(value, list) and len(value) <= MAX_TASTES and all(map(_short, value))
    if name == "without_profile":
        return isinstance(value, bool)
    if name == "consented":
        return value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 0)
    return _short(value) if name == "locale" else value is None or _short(value)


def _short(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_WORDS
