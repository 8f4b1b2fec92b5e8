"""Sessions and personal codes: told once, kept as hashes, over in time."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from rectune.core.errors import UserError
from rectune.serving.store import sessions, users
from rectune.serving.store.database import Database
from rectune.serving.store.tables import PersonalCode, UserSession

NOW = 1_800_000_000_000


def test_a_token_finds_its_user_until_it_expires(database: Database) -> None:
    with database.writing() as session:
        ann, bob = users.create(session, "ann"), users.create(session, "bob")
        token = sessions.start(session, ann.id, lifetime_ms=100, now=NOW)
        other = sessions.start(session, bob.id, lifetime_ms=100, now=NOW)
    assert token != other and len(token) == 43  # 32 bytes in base64
    with database.reading() as session:
        found = sessions.find_user(session, token, now=NOW + 99)
        assert found is not None and found.id == ann.id
        assert sessions.find_user(session, token, now=NOW + 100) is None
        for wrong in ("", token[:-1], token + "a", "\ud800", "a\x00"):
            assert sessions.find_user(session, wrong, now=NOW) is None
        rows = session.scalars(select(UserSession)).all()
        assert all(token not in vars(row).values() and len(row.token_sha256) == 64 for row in rows)


def test_use_makes_a_session_last_but_brings_none_back(database: Database) -> None:
    with database.writing() as session:
        ann = users.create(session, "ann")
        token = sessions.start(session, ann.id, lifetime_ms=100, now=NOW)
        assert sessions.renew(session, token, lifetime_ms=100, now=NOW + 90)
        assert sessions.find_user(session, token, now=NOW + 150) is not None
        assert not sessions.renew(session, token, lifetime_ms=100, now=NOW + 190)
        assert not sessions.renew(session, "another", lifetime_ms=100, now=NOW)


def test_signing_out_here_and_everywhere(database: Database) -> None:
    with database.writing() as session:
        ann, bob = users.create(session, "ann"), users.create(session, "bob")
        first, second, third = (sessions.start(session, ann.id, now=NOW) for _ in range(3))
        others = sessions.start(session, bob.id, now=NOW)
        assert sessions.end(session, first) and not sessions.end(session, first)
        assert sessions.find_user(session, second, now=NOW) is not None
        assert sessions.end_all(session, ann.id) == 2
        assert sessions.find_user(session, third, now=NOW) is None
        assert sessions.find_user(session, others, now=NOW) is not None
        assert sessions.delete_expired(session, now=NOW) == 0
        assert sessions.delete_expired(session, now=NOW + sessions.LIFETIME_MS) == 1


def test_a_code_is_read_as_people_write_it_and_replaced_by_the_next(database: Database) -> None:
    with database.writing() as session:
        ann = users.create(session, "ann")
        users.create(session, "bob")
        code = sessions.new_code(session, ann.id, now=NOW)
        assert len(code) == 23 and not set(code) & set("OIL")
        typed = code.lower().replace("-", " ").replace("0", "o").replace("1", "l")
        for written in (code, typed, code.replace("-", "")):
            found = sessions.user_of_code(session, written, now=NOW + 7)
            assert found is not None and found.id == ann.id
        row = session.scalars(select(PersonalCode)).one()
        assert row.used == NOW + 7 and code.replace("-", "") not in (row.code_sha256, code)
        assert sessions.user_of_code(session, "", now=NOW) is None
        assert sessions.user_of_code(session, code[:-1], now=NOW) is None
        newer = sessions.new_code(session, ann.id, now=NOW)
        assert newer != code and sessions.user_of_code(session, code, now=NOW) is None
        with pytest.raises(UserError):
            sessions.new_code(session, ann.id + 100)
