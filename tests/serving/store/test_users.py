"""Users: what is kept of them, what they get, and that nothing of them stays."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from rectune.core.errors import UserError
from rectune.serving.store import sessions, users
from rectune.serving.store.database import Database, open_database
from rectune.serving.store.tables import Base
from tests.serving.store.people import known_everywhere

NOW = 1_800_000_000_000
NOT_OF_USERS = {"items", "catalogue_versions", "api_keys"}


def everything(session: Session) -> Mapping[str, list[dict[str, Any]]]:
    """All rows of all tables."""
    return {
        name: [dict(row) for row in session.execute(select(table)).mappings()]
        for name, table in Base.metadata.tables.items()
    }


def test_a_new_user_is_found_by_the_id_given_or_by_a_random_one(database: Database) -> None:
    with database.writing() as session:
        users.create(session, "ann", locale="ko", tastes=["차"], consented=NOW, now=NOW)
        one, other = users.create(session), users.create(session, without_profile=True)
    with database.reading() as session:
        ann = users.get(session, "ann")
        assert (ann.locale, ann.tastes, ann.consented, ann.created) == ("ko", ["차"], NOW, NOW)
        assert (ann.age_band, ann.without_profile) == (None, False)
        assert users.get(session, other.external_id).without_profile
        assert len({one.external_id, other.external_id}) == 2 and len(one.external_id) == 32
        assert users.find(session, "bob") is None
        with pytest.raises(UserError, match="no user bob"):
            users.get(session, "bob")


def test_an_id_is_taken_once_and_the_transaction_goes_on(database: Database) -> None:
    with database.writing() as session:
        users.create(session, "ann")
        with pytest.raises(UserError, match="ann is there already"):
            users.create(session, "ann")
        users.create(session, "bob")
    with database.reading() as session:
        assert users.find(session, "bob") is not None


@pytest.mark.parametrize("id", ["", " ann", "ann\n", "a\x00b", "\ud800", "x" * 201])
def test_ids_that_cannot_be(database: Database, id: str) -> None:
    with database.writing() as session, pytest.raises(UserError):
        users.create(session, id)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "Ann"}, {"locale": None}, {"locale": ""}, {"age_band": 30}, {"tastes": "tea"},
        {"tastes": [1]}, {"tastes": ["x"] * 101}, {"without_profile": 1}, {"consented": True},
        {"occupation": "x" * 201},
    ],
)  # fmt: skip
def test_profiles_that_cannot_be_change_nothing(database: Database, change: dict[str, Any]) -> None:
    with database.writing() as session:
        ann = users.create(session, "ann", occupation="nurse")
    with database.writing() as session, pytest.raises(UserError):
        users.patch(session, ann.id, {"sex": "f"} | change)
    with database.reading() as session:
        assert (users.get(session, "ann").occupation, users.get(session, "ann").sex) == ("nurse", None)


@pytest.mark.parametrize("text", ["a\x00b", "\ud800"])
def test_texts_that_one_database_cannot_keep_are_refused_by_both(database: Database, text: str) -> None:
    for change in ({"occupation": text}, {"tastes": [text]}):
        if change == {"tastes": ["a\x00b"]}:
            continue  # JSON writes it as an escape, which both keep
        with pytest.raises(UserError), database.writing() as session:
            users.create(session, "ann", **change)
    with database.reading() as session:
        assert users.find(session, "ann") is None


def test_a_patch_changes_what_it_names(database: Database) -> None:
    with database.writing() as session:
        ann = users.create(session, "ann", occupation="nurse", sex="f", now=NOW)
        users.patch(session, ann.id, {"sex": None, "tastes": ["tea"]}, now=NOW + 5)
    with database.reading() as session:
        ann = users.get(session, "ann")
        assert (ann.occupation, ann.sex, ann.tastes, ann.updated) == ("nurse", None, ["tea"], NOW + 5)
    with database.writing() as session, pytest.raises(UserError, match="not there"):
        users.patch(session, ann.id + 1, {"sex": "f"})


def test_a_deleted_user_is_mentioned_nowhere(database: Database) -> None:
    with database.writing() as session:
        known_everywhere(session, "ann", now=NOW)
        before = everything(session)
        eve = known_everywhere(session, "eve", now=NOW)
        known = everything(session)
        grown = {name for name, rows in known.items() if len(rows) == 2 * len(before[name]) > 0}
        assert grown == set(known) - NOT_OF_USERS
        assert all("eve" in json.dumps(known[name]) for name in grown - {"sessions", "personal_codes"})
    with database.writing() as session:
        assert users.delete(session, eve.id) and not users.delete(session, eve.id)
    with database.reading() as session:
        assert everything(session) == before
    assert "eve" not in json.dumps(before)


def test_bytes_of_a_deleted_user_are_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "store.db"
    with open_database(file) as database:
        with database.writing() as session:
            eve = known_everywhere(session, "evemarker", now=NOW)
        with database.writing() as session:
            known_everywhere(session, "annmarker", now=NOW)
            users.delete(session, eve.id)
    (content,) = [path.read_bytes() for path in tmp_path.iterdir()]
    assert b"annmarker" in content and b"evemarker" not in content


def test_the_id_inside_is_not_given_again(database: Database) -> None:
    with database.writing() as session:
        first = users.create(session, "ann").id
        users.delete(session, first)
        assert users.create(session, "bob").id > first


def test_an_export_is_everything_of_one_user_and_no_secret(database: Database) -> None:
    with database.writing() as session:
        ann = known_everywhere(session, "ann", now=NOW)
        known_everywhere(session, "eve", now=NOW)
        token = sessions.start(session, ann.id, now=NOW)
        stored = everything(session)
    with database.reading() as session:
        export = users.export(session, ann.id, now=NOW + 1)
    text = json.dumps(export)
    assert "eve" not in text and token not in text and "sha256" not in text
    assert (export.pop("format"), export.pop("exported")) == (1, NOW + 1)
    assert set(export) == set(stored) - NOT_OF_USERS
    for name, rows in export.items():
        own = [
            row
            for row in stored[name]
            if row.get("user_id", ann.id) == ann.id and "eve" not in json.dumps(row)
        ]
        assert len(rows) == len(own) > 0
        hidden = set(own[0]) - set(rows[0])
        assert hidden <= {"user_id", "token_sha256", "code_sha256"} | ({"id"} if name == "users" else set())
        assert all({key: row[key] for key in rows[0]} in rows for row in own)
    with database.reading() as session, pytest.raises(UserError):
        users.export(session, ann.id + 100)


def test_changes_from_many_threads_are_all_there(database: Database, place: str) -> None:
    """Eight threads that read and then write; half of them over another opening, as another process."""
    with database.writing() as session:
        ann = users.create(session, "ann")

    def add(opened: Database, thread: int) -> None:
        for number in range(10):
            with opened.writing() as session:
                (row,) = users.locked(session, ann.id)
                users.patch(session, ann.id, {"tastes": [*row.tastes, f"{thread} {number}"]})

    with open_database(place) as second:
        threads = [Thread(target=add, args=((database, second)[number % 2], number)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    with database.reading() as session:
        tastes = users.get(session, "ann").tastes
    assert sorted(tastes) == sorted(f"{thread} {number}" for thread in range(8) for number in range(10))
