"""Personas: the latest one of each user, and a bounded number of those before."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any, NamedTuple

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from rectune.dialogue.knowledge import Claim, Persona
from rectune.serving.store import tables, users
from rectune.serving.store.columns import now_ms

KEPT = 20  # earlier versions of a user

_FIELDS = frozenset(field.name for field in fields(Claim))


class StoredPersona(NamedTuple):
    """A persona, and a hash of what it was inferred from; an empty one before the first."""

    persona: Persona = Persona()
    basis: str = ""


def find(session: Session, user_id: int) -> StoredPersona:
    """The latest persona of a user; an empty one of version 0 where there is none."""
    row = session.get(tables.Persona, user_id)
    return StoredPersona(_persona(row), row.basis) if row else StoredPersona()


def put(
    session: Session, user_id: int, persona: Persona, basis: str, before: int, *, now: int | None = None
) -> bool:
    """Keep a persona in the place of the one of version `before`; that one is kept as an earlier version.

    Where words that the user said are in it no more, they took them back: then no earlier version is kept.

    Args:
        persona: of a version above `before`, or of the same where only `basis` is new.
        basis: a hash of what it was inferred from.
        before: the version that it was made from; 0 for none.

    Returns:
        False where another version has come meanwhile; nothing is kept then.

    Raises:
        UserError: the user is not there any more.
    """
    now = now_ms() if now is None else now
    users.locked(session, user_id)
    row = session.get(tables.Persona, user_id, populate_existing=True)
    if (row.version if row else 0) != before:
        return False
    if row is None:
        row = tables.Persona(user_id=user_id, claims=[], portrait=[], version=0, created=now)
        session.add(row)
    elif _quotes(row.claims) - {claim.quote for claim in persona.claims}:
        session.execute(delete(tables.PersonaVersion).where(tables.PersonaVersion.user_id == user_id))
    elif before and persona.version != before:
        _keep_version(session, row, now)
    row.claims = [_json(claim) for claim in persona.claims]
    row.portrait, row.worded_by = list(persona.portrait), persona.worded_by
    row.version, row.basis, row.updated = persona.version, basis, now
    session.flush()
    return True


def take_back(session: Session, user_id: int, quotes: Collection[str]) -> None:
    """The user took words back: claims that rest on them go, with earlier versions and the portrait, at once.

    What else there is, is inferred anew when the persona is asked for next. The version grows, so that who
    worked on the one before (a model that words it, say) does not bring the words back.
    """
    row = session.get(tables.Persona, user_id, populate_existing=True)
    if row is None or not _quotes(row.claims) & set(quotes):
        return
    row.claims = [claim for claim in row.claims if claim.get("quote") not in quotes]
    row.portrait, row.basis, row.version = [], "", row.version + 1
    session.execute(delete(tables.PersonaVersion).where(tables.PersonaVersion.user_id == user_id))
    session.flush()


def versions(session: Session, user_id: int) -> list[Persona]:
    """The earlier versions that are kept, the latest first."""
    kept = tables.PersonaVersion
    rows = select(kept).where(kept.user_id == user_id).order_by(kept.version.desc())
    return [_persona(row) for row in session.scalars(rows)]


def _keep_version(session: Session, row: tables.Persona, now: int) -> None:
    kept = tables.PersonaVersion
    session.add(
        kept(
            user_id=row.user_id, version=row.version, claims=row.claims, portrait=row.portrait,
            worded_by=row.worded_by, created=now,
        )
    )  # fmt: skip
    session.flush()
    latest = select(kept.version).where(kept.user_id == row.user_id).order_by(kept.version.desc())
    old = session.scalars(latest.offset(KEPT)).all()
    if old:
        session.execute(delete(kept).where(kept.user_id == row.user_id, kept.version.in_(old)))


def _quotes(rows: Sequence[Mapping[str, Any]]) -> set[str]:
    return {row["quote"] for row in rows if row.get("quote")}


def _json(claim: Claim) -> dict[str, Any]:
    """A claim ready for JSON, without what is empty."""
    told = asdict(claim) | {"item_ids": list(claim.item_ids)}
    return {name: value for name, value in told.items() if value or name in ("id", "stance", "state")}


def _claims(rows: Sequence[Mapping[str, Any]]) -> tuple[Claim, ...]:
    """What `_json` gave; what no claim has, or lacks what each has, is of another version: it is left."""
    able = (row for row in rows if {"id", "stance", "aspect", "value"} <= row.keys())
    return tuple(
        Claim(**{k: v for k, v in row.items() if k in _FIELDS} | {"item_ids": tuple(row.get("item_ids", ()))})
        for row in able
    )


def _persona(row: tables.Persona | tables.PersonaVersion) -> Persona:
    return Persona(_claims(row.claims), tuple(row.portrait), row.worded_by, row.version)  # type: ignore[arg-type]
