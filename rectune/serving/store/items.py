"""The catalogue: items come, change and go. Every change is a version, which tells an index what is new."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import delete as delete_rows
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.orm import Session

from rectune.core.errors import UserError
from rectune.serving.store.columns import now_ms
from rectune.serving.store.paging import Page, page_size
from rectune.serving.store.statements import blocks, changed
from rectune.serving.store.tables import CatalogueItem, CatalogueVersion
from rectune.serving.store.users import check_id

SEARCHED = 500  # characters of a title: PostgreSQL's index takes 2,700 bytes
_LOCK = 0x7265_6374_756E_6502  # PostgreSQL's advisory locks bear numbers; see `lock`
_LAST = chr(0x10FFFF)


@dataclass(frozen=True)
class ItemEntry:
    """An item as it comes: fields as of `rectune.core.types.Item`; `image` is an address or empty.

    A `hidden` one stays known, and is neither recommended nor found.
    """

    item_id: str
    title: str
    categories: tuple[str, ...] = ()
    description: str = ""
    year: int | None = None
    facts: tuple[str, ...] = ()
    image: str = ""
    hidden: bool = False


@dataclass(frozen=True)
class Upserted:
    """What became of items, and the catalogue's version after it."""

    added: int
    changed: int
    unchanged: int
    version: int


@dataclass(frozen=True)
class Changes:
    """What an index of an earlier version must do: read these items anew, and drop these ids."""

    version: int
    items: Sequence[CatalogueItem]
    deleted: Sequence[str]


def upsert_many(session: Session, entries: Iterable[ItemEntry], *, now: int | None = None) -> Upserted:
    """Add items, and change those that are there; where nothing changes the version stays.

    Of several entries of one id the last counts.

    Raises:
        UserError: an id or a title cannot be.
    """
    now = now_ms() if now is None else now
    rows = {entry.item_id: _row(entry) for entry in entries}
    lock(session)
    added: list[dict[str, Any]] = []
    altered: list[dict[str, Any]] = []
    for block in blocks(list(rows)):
        known = {row.item_id: row for row in _rows(session, block)}
        for item_id in block:
            if item_id not in known:
                added.append(rows[item_id])
            elif any(getattr(known[item_id], name) != value for name, value in rows[item_id].items()):
                altered.append(rows[item_id])
        session.expunge_all()
    unchanged = len(rows) - len(added) - len(altered)
    if not added and not altered:
        return Upserted(0, 0, unchanged, version(session))
    current = _new_version(session, len(added) + len(altered), [], now)
    stamp = {"version": current, "updated": now}
    for some in blocks(added):
        session.execute(insert(CatalogueItem), [row | stamp for row in some])
    for some in blocks(altered):
        session.execute(update(CatalogueItem), [row | stamp for row in some])
    return Upserted(len(added), len(altered), unchanged, current)


def delete(session: Session, ids: Iterable[str], *, now: int | None = None) -> int:
    """Delete items; returns how many there were. Feedback to them stays, their ids may come again."""
    now = now_ms() if now is None else now
    lock(session)
    gone: list[str] = []
    for block in blocks(sorted(set(ids))):
        there = select(CatalogueItem.item_id).where(CatalogueItem.item_id.in_(block))
        gone += session.scalars(there.order_by(CatalogueItem.item_id))
        changed(session, delete_rows(CatalogueItem).where(CatalogueItem.item_id.in_(block)))
    if gone:
        _new_version(session, 0, gone, now)
    return len(gone)


def get_many(session: Session, ids: Sequence[str]) -> Mapping[str, CatalogueItem]:
    """The items of these ids, as far as they are there."""
    return {row.item_id: row for block in blocks(list(dict.fromkeys(ids))) for row in _rows(session, block)}


def page(session: Session, *, limit: int = 50, after: str | None = None) -> Page[CatalogueItem]:
    """All items, hidden ones too, by their ids.

    Raises:
        UserError: the limit cannot be.
    """
    rows = select(CatalogueItem).order_by(CatalogueItem.item_id).limit(page_size(limit) + 1)
    if after is not None:
        rows = rows.where(CatalogueItem.item_id > after)
    found = session.scalars(rows).all()
    return Page(found[:limit], found[limit - 1].item_id if len(found) > limit else None)


def search(session: Session, words: str, *, limit: int = 10) -> list[CatalogueItem]:
    """Items by their titles, for a picker: those that begin with the words, then those that contain them.

    Case and the width of letters do not matter. Hidden items are not found; no words find nothing.

    Raises:
        UserError: the limit cannot be.
    """
    page_size(limit)
    wanted = fold(words)
    if not wanted:
        return []
    title = CatalogueItem.search_title
    begins = (title >= wanted) & (title < wanted + _LAST)  # both databases answer this from the index
    rows = select(CatalogueItem).where(~CatalogueItem.hidden).order_by(title, CatalogueItem.item_id)
    found = list(session.scalars(rows.where(begins).limit(limit)))
    if len(found) < limit:
        contains = title.contains(wanted, autoescape=True)
        found += session.scalars(rows.where(contains, ~begins).limit(limit - len(found)))
    return found


def fold(title: str) -> str:
    """How titles are compared: without case, width of letters, and runs of blanks."""
    return " ".join(unicodedata.normalize("NFKC", title).casefold().split())[:SEARCHED]


def version(session: Session) -> int:
    """The catalogue's version; 0 before the first item."""
    return session.scalar(select(func.max(CatalogueVersion.version))) or 0


def count(session: Session) -> int:
    """How many items there are, without hidden ones."""
    rows = select(func.count()).select_from(CatalogueItem).where(~CatalogueItem.hidden)
    return session.scalar(rows) or 0


def changes_since(session: Session, since: int) -> Changes:
    """What has changed after a version: items that came or changed (hidden ones too), ids that went."""
    rows = select(CatalogueItem).where(CatalogueItem.version > since).order_by(CatalogueItem.item_id)
    found = session.scalars(rows).all()
    lists = select(CatalogueVersion.deleted).where(CatalogueVersion.version > since)
    gone = {item_id for ids in session.scalars(lists) for item_id in ids} - {row.item_id for row in found}
    return Changes(version(session), found, sorted(gone))


def _rows(session: Session, ids: Sequence[str]) -> Sequence[CatalogueItem]:
    return session.scalars(select(CatalogueItem).where(CatalogueItem.item_id.in_(ids))).all()


def _row(entry: ItemEntry) -> dict[str, Any]:
    check_id(entry.item_id, "an item")
    if not entry.title.strip():
        raise UserError("an item has no title", where=entry.item_id, hint="give one, or leave the item out")
    row = asdict(entry) | {"categories": list(entry.categories), "facts": list(entry.facts)}
    return row | {"search_title": fold(entry.title)}


def _new_version(session: Session, upserted: int, deleted: list[str], now: int) -> int:
    row = CatalogueVersion(created=now, upserted=upserted, deleted=deleted)
    session.add(row)
    session.flush()
    return row.version


def lock(session: Session) -> None:
    """One change of the catalogue at a time: else a version could appear after a later one was read."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _LOCK})
