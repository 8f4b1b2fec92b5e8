"""Keys of the HTTP API: `rectune_ID_SECRET`. The id finds the row, the secret is compared by its hash."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable, Sequence

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from rectune.core.errors import UserError
from rectune.serving.store.columns import now_ms
from rectune.serving.store.sessions import sha256
from rectune.serving.store.statements import changed
from rectune.serving.store.tables import ApiKey
from rectune.serving.store.users import check_id

SCOPES = ("recommend", "feedback", "items", "users", "chats", "models", "admin")
"""What a key may allow: groups of endpoints; `admin` is keys and backups."""

_PREFIX = "rectune"


def create(session: Session, name: str, scopes: Iterable[str], *, now: int | None = None) -> str:
    """A new key, told this once.

    Args:
        name: for people, to tell keys apart; unique.
        scopes: of `SCOPES`, at least one.

    Raises:
        UserError: the name is taken or cannot be; there is no such scope.
    """
    chosen = sorted(set(scopes))
    if not chosen or set(chosen) - set(SCOPES):
        says = f"there is no scope {', '.join(sorted(set(chosen) - set(SCOPES)))}" if chosen else "no scope"
        raise UserError(says, hint=f"give some of {', '.join(SCOPES)}")
    id, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
    row = ApiKey(
        id=id, name=check_id(name, "a key"), secret_sha256=sha256(secret), scopes=chosen,
        created=now_ms() if now is None else now,
    )  # fmt: skip
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:
        raise UserError(f"there is a key {name} already", hint="take another name") from None
    return f"{_PREFIX}_{id}_{secret}"


def verify(session: Session, key: str) -> ApiKey | None:
    """The row of a key that is right and not revoked, else None. Its time tells nothing of the secret."""
    prefix, _, rest = key.partition("_")
    id, _, secret = rest.partition("_")
    row = session.get(ApiKey, id) if prefix == _PREFIX and id.isalnum() and id.isascii() else None
    kept = row.secret_sha256 if row else sha256("")
    right = hmac.compare_digest(kept, sha256(secret))
    return row if row and right and row.revoked is None else None


def allows(key: ApiKey, scope: str) -> bool:
    """Whether a key may use a group of endpoints; see `SCOPES`."""
    return scope in key.scopes


def list_all(session: Session) -> Sequence[ApiKey]:
    """All keys, revoked ones too, by their names."""
    return session.scalars(select(ApiKey).order_by(ApiKey.name)).all()


def any_made(session: Session) -> bool:
    """Whether there is a key, revoked ones too."""
    return session.scalar(select(ApiKey.id).limit(1)) is not None


def revoke(session: Session, id: str, *, now: int | None = None) -> bool:
    """End a key at once; False if there is none, or it has ended."""
    now = now_ms() if now is None else now
    return (
        changed(session, update(ApiKey).where(ApiKey.id == id, ApiKey.revoked.is_(None)).values(revoked=now))
        > 0
    )
