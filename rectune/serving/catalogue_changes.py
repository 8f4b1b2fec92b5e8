"""Changes of the catalogue: kept in the store at once, together with the job that serves them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy.orm import Session

from rectune.core.types import Item
from rectune.serving.answers import Conflict, NotFound
from rectune.serving.catalogue import LiveCatalogue
from rectune.serving.store import items, jobs
from rectune.serving.store.database import Database
from rectune.serving.store.items import ItemEntry
from rectune.serving.store.tables import CatalogueItem, Job

KIND = "items"  # of jobs
STEPS = 3  # of a job: what is wanted is read, index and rankers are made, it is served


def upsert(database: Database, catalogue: LiveCatalogue, entries: Sequence[ItemEntry]) -> Job:
    """Add items, or change them; returns the job after which they are served.

    Raises:
        UserError: an id or a title cannot be; then nothing is kept.
    """
    with database.writing() as session:
        version = items.upsert_many(session, entries).version
        job = _job(session, version, len(entries))
    catalogue.show([entry.item_id for entry in entries], version)
    return job


def delete(database: Database, catalogue: LiveCatalogue, item_id: str) -> Job:
    """Delete an item, of the store or of the catalogue that the server was started with.

    The row of one that the server was started with stays, hidden: else it would be back at the next start.

    Raises:
        NotFound: there is no such item.
        Conflict: it is the last one.
    """
    base = catalogue.base.items
    with database.writing() as session:
        items.lock(session)
        row = items.get_many(session, [item_id]).get(item_id)
        if row.hidden if row else item_id not in base:
            raise NotFound("the catalogue has no such item", hint="find one: GET /api/v1/items?query=…")
        if _is_last(session, base):
            raise Conflict("this is the last item of the catalogue", hint="add another one first")
        if item_id in base:
            version = items.upsert_many(session, [_hidden(base[item_id])]).version
        else:
            items.delete(session, [item_id])
            version = items.version(session)
        job = _job(session, version, 1)
    catalogue.hide(item_id, version)
    return job


def merged(base: Mapping[str, Item], rows: Iterable[CatalogueItem], domain: str) -> list[Item]:
    """The items of the catalogue: those that the server was started with, as the store changes them.

    Args:
        base: what the server was started with, by id.
        rows: all items of the store, hidden ones too.
        domain: of all items.

    Returns:
        In the order of `base`; what only the store has comes after it, in the order of the rows.
    """
    found: dict[str, Item | None] = dict(base)
    for row in rows:
        found[row.item_id] = None if row.hidden else _item(row, domain)
    return [item for item in found.values() if item is not None]


def images_of(base: Mapping[str, str], rows: Iterable[CatalogueItem]) -> dict[str, str]:
    """What names the pictures of the items: as the server was started with, as the store changes it."""
    found = {**base, **{row.item_id: row.image for row in rows}}
    return {item_id: image for item_id, image in found.items() if image}


def _job(session: Session, version: int, count: int) -> Job:
    return jobs.add(session, KIND, {"version": version, "items": count}, total=STEPS)


def _is_last(session: Session, base: Mapping[str, Item]) -> bool:
    if items.count(session) > 1:
        return False
    every = items.changes_since(session, 0).items
    return len(merged(base, every, "")) < 2


def _hidden(item: Item) -> ItemEntry:
    return ItemEntry(
        item.item_id, item.title, item.categories, item.description, item.year, item.facts, hidden=True
    )


def _item(row: CatalogueItem, domain: str) -> Item:
    return Item(
        domain, row.item_id, row.title, tuple(row.categories), row.description, row.year, tuple(row.facts)
    )
