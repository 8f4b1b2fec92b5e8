"""The catalogue and its versions, and finding titles."""

from __future__ import annotations

from dataclasses import asdict, replace
from threading import Thread

import pytest

from rectune.core.errors import UserError
from rectune.serving.store import items
from rectune.serving.store.database import Database
from rectune.serving.store.items import ItemEntry, Upserted

NOW = 1_800_000_000_000
TEA = ItemEntry("t", "Green Tea", ("drinks", "tea"), "From Boseong", 1990, ("price: 5",), "https://img/t.png")


def test_items_come_back_as_they_came(database: Database) -> None:
    with database.writing() as session:
        assert items.upsert_many(session, [TEA, ItemEntry("b", "Bread")], now=NOW) == Upserted(2, 0, 0, 1)
    with database.reading() as session:
        found = items.get_many(session, ["t", "unknown", "b", "t"])
        assert set(found) == {"t", "b"}
        row = found["t"]
        lists = {"categories": tuple(row.categories), "facts": tuple(row.facts)}
        assert {**{name: getattr(row, name) for name in asdict(TEA)}, **lists} == asdict(TEA)
        assert (row.version, row.updated) == (1, NOW)


def test_only_what_changes_makes_a_version(database: Database) -> None:
    with database.writing() as session:
        assert items.version(session) == 0
        many = [ItemEntry(f"i{number}", f"Title {number}") for number in range(1200)]
        assert items.upsert_many(session, [*many, TEA]) == Upserted(1201, 0, 0, 1)
        assert items.upsert_many(session, [*many, TEA]) == Upserted(0, 0, 1201, 1)
        assert items.upsert_many(session, []) == Upserted(0, 0, 0, 1)
        one = replace(TEA, facts=("price: 6",))
        assert items.upsert_many(session, [many[0], TEA, one, ItemEntry("n", "New")]) == Upserted(1, 1, 1, 2)
        changes = items.changes_since(session, 1)
        assert (
            [row.item_id for row in changes.items] == ["n", "t"]
            and changes.deleted == []
            and changes.version == 2
        )
        assert changes.items[1].facts == ["price: 6"]
        assert items.delete(session, ["n", "i7", "unknown"]) == 2 and items.delete(session, ["n"]) == 0
        assert items.version(session) == 3
        items.upsert_many(session, [ItemEntry("i7", "Again")])
        changes = items.changes_since(session, 1)
        assert [row.item_id for row in changes.items] == ["i7", "t"]
        assert (changes.deleted, changes.version) == (["n"], 4)
        assert items.changes_since(session, 4).items == [] == items.changes_since(session, 4).deleted
        assert items.count(session) == 1201


@pytest.mark.parametrize("wrong", [ItemEntry("", "x"), ItemEntry("a", " "), ItemEntry("a", "b\x00")])
def test_one_wrong_item_changes_nothing(database: Database, wrong: ItemEntry) -> None:
    with pytest.raises(UserError), database.writing() as session:
        items.upsert_many(session, [TEA, wrong])
    with database.reading() as session:
        assert items.count(session) == 0 == items.version(session)


def test_titles_are_found_by_their_beginning_and_then_within(database: Database) -> None:
    titles = [
        "Tea Time",
        "Green Tea",
        "TEA",
        "ＴＥＡ  House",
        "Steam",
        "100% Tea_Cake",
        "초록 차",
        "차 이야기",
    ]
    entries = [ItemEntry(f"i{number}", title) for number, title in enumerate(titles)]
    with database.writing() as session:
        items.upsert_many(session, [*entries, ItemEntry("h", "Tea Hidden", hidden=True)])
    with database.reading() as session:

        def found(words: str, limit: int = 10) -> list[str]:
            return [row.title for row in items.search(session, words, limit=limit)]

        assert found("tea") == ["TEA", "ＴＥＡ  House", "Tea Time", "100% Tea_Cake", "Green Tea", "Steam"]
        assert found("tea", 2) == ["TEA", "ＴＥＡ  House"] and found("tea", 4) == found("tea")[:4]
        assert found(" tea  house ") == ["ＴＥＡ  House"]
        assert found("차") == ["차 이야기", "초록 차"]
        assert found("100%") == ["100% Tea_Cake"] == found("a_c") and found("0%t") == found("a%c") == []
        assert found("") == found("  ") == found("zzz") == []


def test_very_long_titles_are_kept_and_found(database: Database) -> None:
    title = "초" * 5000
    with database.writing() as session:
        items.upsert_many(session, [ItemEntry("long", title)])
        assert [row.title for row in items.search(session, title)] == [title]


def test_pages_hold_every_item_once_in_one_order(database: Database) -> None:
    ids = ["B", "a", "b", "é", "z", "10", "9", "가"]
    with database.writing() as session:
        items.upsert_many(session, [ItemEntry(id, f"Title {id}", hidden=id == "z") for id in ids])
    with database.reading() as session:
        found: list[str] = []
        after = None
        while True:
            page = items.page(session, limit=3, after=after)
            found += [row.item_id for row in page.rows]
            if (after := page.after) is None:
                break
        assert found == sorted(ids)  # by code points, in both databases
        assert items.page(session, limit=8).after is None


def test_a_version_is_seen_before_the_next_one_begins(database: Database) -> None:
    """Who has read version 2 has seen all of version 1: nothing is missed by asking for what came after."""
    events: list[str] = []

    def write() -> None:
        with database.writing() as session:
            version = items.upsert_many(session, [ItemEntry("b", "B")]).version
            events.append(f"second has version {version}")

    other = Thread(target=write)
    with database.writing() as session:
        assert items.upsert_many(session, [TEA]).version == 1
        other.start()
        other.join(0.5)
        events.append("first ends")
    other.join()
    assert events == ["first ends", "second has version 2"]
    with database.reading() as session:
        assert [row.item_id for row in items.changes_since(session, 0).items] == ["b", "t"]
