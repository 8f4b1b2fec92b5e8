"""Sessions of browsers, and personal codes to come back with on another device.

Tokens and codes are random and long, so a plain SHA-256 hides them: none can be guessed. They
are looked up by that hash, whose place in an index tells nothing of the token.
"""

from __future__ import annotations

import hashlib
import secrets

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from rectune.serving.store import users
from rectune.serving.store.columns import now_ms
from rectune.serving.store.statements import changed
from rectune.serving.store.tables import PersonalCode, User, UserSession

TOKEN_BYTES = 32  # 256 bits
LIFETIME_MS = 30 * 24 * 3600 * 1000
NOTED_MS = 3600 * 1000  # that a use may lie before the next one is noted: else every page would be a write
CODE_LENGTH = 20  # letters of 5 bits: 100 bits
_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's: none looks like another one
_ALIKE = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})


def sha256(secret: str) -> str:
    """The hash that is kept in place of a secret, as 64 hex digits."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()


def start(session: Session, user_id: int, *, lifetime_ms: int = LIFETIME_MS, now: int | None = None) -> str:
    """A new session's token, told this once."""
    now = now_ms() if now is None else now
    token = secrets.token_urlsafe(TOKEN_BYTES)
    session.add(
        UserSession(
            user_id=user_id, token_sha256=sha256(token), created=now, last_seen=now, expires=now + lifetime_ms
        )
    )
    session.flush()
    return token


def find_user(session: Session, token: str, *, now: int | None = None) -> User | None:
    """Whose session this is; None where there is none, or it has expired."""
    now = now_ms() if now is None else now
    valid = select(UserSession.user_id).where(
        UserSession.token_sha256 == sha256(token), UserSession.expires > now
    )
    return session.scalar(select(User).where(User.id.in_(valid)))


def renew(session: Session, token: str, *, lifetime_ms: int = LIFETIME_MS, now: int | None = None) -> bool:
    """Note that the session was used, and let it last on; False where there is none, or it has expired."""
    now = now_ms() if now is None else now
    statement = (
        update(UserSession)
        .where(UserSession.token_sha256 == sha256(token), UserSession.expires > now)
        .values(last_seen=now, expires=now + lifetime_ms)
    )
    return changed(session, statement) > 0


def is_due(session: Session, token: str, *, now: int | None = None) -> bool:
    """Whether the use of a session is to be noted (`renew`): the last one lies `NOTED_MS` back or more."""
    now = now_ms() if now is None else now
    seen = select(UserSession.last_seen).where(UserSession.token_sha256 == sha256(token))
    last = session.scalar(seen)
    return last is not None and last <= now - NOTED_MS


def end(session: Session, token: str) -> bool:
    """Sign out; False where there was no such session."""
    return changed(session, delete(UserSession).where(UserSession.token_sha256 == sha256(token))) > 0


def end_all(session: Session, user_id: int) -> int:
    """Sign out everywhere; returns how many sessions there were."""
    return changed(session, delete(UserSession).where(UserSession.user_id == user_id))


def count(session: Session, user_id: int, *, now: int | None = None) -> int:
    """How many browsers are signed in as this user."""
    valid = UserSession.expires > (now_ms() if now is None else now)
    rows = select(func.count()).select_from(UserSession).where(UserSession.user_id == user_id, valid)
    return session.scalar(rows) or 0


def delete_expired(session: Session, *, now: int | None = None) -> int:
    """Delete sessions that are over; returns how many."""
    now = now_ms() if now is None else now
    return changed(session, delete(UserSession).where(UserSession.expires <= now))


def new_code(session: Session, user_id: int, *, now: int | None = None) -> str:
    """A user's personal code, told this once, as XXXXX-XXXXX-XXXXX-XXXXX; an earlier one ends.

    Raises:
        UserError: there is no such user.
    """
    now = now_ms() if now is None else now
    code = "".join(secrets.choice(_LETTERS) for _ in range(CODE_LENGTH))
    users.locked(session, user_id)
    session.execute(delete(PersonalCode).where(PersonalCode.user_id == user_id))
    session.add(PersonalCode(user_id=user_id, code_sha256=sha256(code), created=now, used=None))
    session.flush()
    return "-".join(code[place : place + 5] for place in range(0, CODE_LENGTH, 5))


def find_code(session: Session, user_id: int) -> PersonalCode | None:
    """What is known of a user's personal code: when it was made and used. The code itself is not kept."""
    return session.get(PersonalCode, user_id)


def user_of_code(session: Session, code: str, *, now: int | None = None) -> User | None:
    """Whose personal code this is, and note its use; None where it is nobody's.

    Small letters, blanks and hyphens do not matter; O is read as 0, I and L as 1.
    """
    now = now_ms() if now is None else now
    kept = sha256(code.upper().translate(_ALIKE))
    found = session.scalar(select(PersonalCode.user_id).where(PersonalCode.code_sha256 == kept))
    if found is None:
        return None
    session.execute(update(PersonalCode).where(PersonalCode.user_id == found).values(used=now))
    return session.get(User, found)
