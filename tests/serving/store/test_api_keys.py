"""Keys of the API: told once, right only as a whole, over at once."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from rectune.core.errors import UserError
from rectune.serving.store import api_keys
from rectune.serving.store.database import Database
from rectune.serving.store.tables import ApiKey


def test_a_key_is_right_as_a_whole_only(database: Database) -> None:
    with database.writing() as session:
        key = api_keys.create(session, "shop", ["recommend", "items", "items"])
        other = api_keys.create(session, "app", ["admin"])
    with database.reading() as session:
        found = api_keys.verify(session, key)
        assert found is not None and (found.name, found.scopes) == ("shop", ["items", "recommend"])
        assert api_keys.allows(found, "items") and not api_keys.allows(found, "admin")
        mixed = key.rpartition("_")[0] + "_" + other.split("_", 2)[2]
        no_secret = "_".join(key.split("_")[:2]) + "_"
        for wrong in (
            "",
            key[:-1],
            key + "a",
            key.replace("rectune", "other"),
            mixed,
            no_secret,
            "a\x00",
            "rectune",
        ):
            assert api_keys.verify(session, wrong) is None, wrong
        for row in session.scalars(select(ApiKey)):
            assert not [value for value in vars(row).values() if str(value) in key and len(str(value)) > 20]


def test_a_revoked_key_is_over_and_listed(database: Database) -> None:
    with database.writing() as session:
        assert not api_keys.any_made(session)
        key, other = (api_keys.create(session, name, ["recommend"]) for name in ("b", "a"))
        row = api_keys.verify(session, key)
        assert row is not None
        assert api_keys.revoke(session, row.id, now=5) and not api_keys.revoke(session, row.id, now=6)
        assert not api_keys.revoke(session, "unknown")
    with database.reading() as session:
        assert api_keys.verify(session, key) is None and api_keys.verify(session, other) is not None
        assert [(row.name, row.revoked) for row in api_keys.list_all(session)] == [("a", None), ("b", 5)]
        assert api_keys.any_made(session)


def test_names_and_scopes_that_cannot_be(database: Database) -> None:
    with database.writing() as session:
        api_keys.create(session, "shop", ["recommend"])
        for name, scopes in (("shop", ["items"]), ("", ["items"]), ("x", []), ("y", ["recomend"])):
            with pytest.raises(UserError):
                api_keys.create(session, name, scopes)
        assert len(api_keys.list_all(session)) == 1
