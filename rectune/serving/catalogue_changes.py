"""Changes of the catalogue: kept in the store at once, together with the job that serves them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

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
        Conflict: no item would be left that is not hidden.
    """
    with database.writing() as session:
        job = _upserted(session, catalogue, entries)
    _seen(catalogue, entries, job)
    return job


def put(
    database: Database, catalogue: LiveCatalogue,
    made: Mapping[str, Callable[[ItemEntry | None], ItemEntry]],
) -> Job:  # fmt: skip
    """Add items, or change them from what is kept of them now; returns the job after which they are served.

    Args:
        database, catalogue: of the server.
        made: item id -> gives the item, from how it is kept (hidden ones too), or from None where it is new.

    Raises:
        UserError, Conflict: as `upsert`.
    """
    with database.writing() as session:
        items.lock(session)
        rows = items.get_many(session, list(made))
        entries = [of(_entry(rows.get(item_id), catalogue, item_id)) for item_id, of in made.items()]
        job = _upserted(session, catalogue, entries)
    _seen(catalogue, entries, job)
    return job


def change(
    database: Database, catalogue: LiveCatalogue, item_id: str, altered: Callable[[ItemEntry], ItemEntry]
) -> Job:
    """Change an item as it is kept now, a hidden one too; returns the job after which that is served.

    Raises:
        NotFound: there is no such item.
        UserError, Conflict: as `upsert`.
    """
    with database.writing() as session:
        items.lock(session)
        entry = altered(kept(session, catalogue, item_id))
        job = _upserted(session, catalogue, [entry])
    _seen(catalogue, [entry], job)
    return job


def kept(session: Session, catalogue: LiveCatalogue, item_id: str) -> ItemEntry:
    """An item as the store has it, else as the server was started with it, served already or not.

    Raises:
        NotFound: there is no such item.
    """
    found = _entry(items.get_many(session, [item_id]).get(item_id), catalogue, item_id)
    if found is None:
        raise NotFound("the catalogue has no such item", hint="find one: GET /api/v1/items?query=…")
    return found


def _entry(row: CatalogueItem | None, catalogue: LiveCatalogue, item_id: str) -> ItemEntry | None:
    """An item as the row of the store has it, else as the server was started with it, picture included."""
    if row is not None:
        return entry_of_row(row)
    item = catalogue.base.items.get(item_id)
    return entry_of(item, image=catalogue.base_images.get(item_id, "")) if item else None


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
            entry = replace(kept(session, catalogue, item_id), hidden=True)
            version = items.upsert_many(session, [entry]).version
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


def entry_of(item: Item, image: str = "") -> ItemEntry:
    """An item as the store takes it; `image` names its picture."""
    return ItemEntry(
        item.item_id, item.title, item.categories, item.description, item.year, item.facts, image
    )


def entry_of_row(row: CatalogueItem) -> ItemEntry:
    """An item of the store as it takes it."""
    return ItemEntry(
        row.item_id, row.title, tuple(row.categories), row.description, row.year, tuple(row.facts),
        row.image, row.hidden,
    )  # fmt: skip


def _upserted(session: Session, catalogue: LiveCatalogue, entries: Sequence[ItemEntry]) -> Job:
    version = items.upsert_many(session, entries).version
    if any(entry.hidden for entry in entries):
        every = items.changes_since(session, 0).items
        if not merged(catalogue.base.items, every, ""):
            raise Conflict("no item of the catalogue would be left", hint="add another one first")
    return _job(session, version, len(entries))


def _seen(catalogue: LiveCatalogue, entries: Sequence[ItemEntry], job: Job) -> None:
    """What was hidden is in no answer from now on, what is there again may be."""
    version = job.payload["version"]
    catalogue.show([entry.item_id for entry in entries if not entry.hidden], version)
    for entry in entries:
        if entry.hidden:
            catalogue.hide(entry.item_id, version)


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


def _item(row: CatalogueItem, domain: str) -> Item:
    return Item(
        domain, row.item_id, row.title, tuple(row.categories), row.description, row.year, tuple(row.facts)
    )
