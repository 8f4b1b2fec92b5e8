"""Personas are kept with their earlier versions, and nobody's change overwrites another."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rectune.core.errors import UserError
from rectune.dialogue.knowledge import Claim, Persona
from rectune.serving.store import personas, users
from rectune.serving.store.database import Database

CLAIM = Claim(
    "c1", "likes", "category", "Horror", ("a", "b"), 2, 5, 3.25, True, "no", "You like it.", "model", "kept"
)
FIRST = Persona((CLAIM, Claim("c2", "avoids", "taste", "war", quote="no war")), ("One.", "Two."), "model", 1)


def test_a_persona_comes_back_as_it_was_kept(database: Database) -> None:
    with database.writing() as session:
        ann = users.create(session, "ann").id
        assert personas.find(session, ann) == (Persona(), "")
        assert personas.put(session, ann, FIRST, "x", 0)
    with database.reading() as session:
        assert personas.find(session, ann) == (FIRST, "x")
        assert personas.versions(session, ann) == []


def test_what_it_was_before_is_kept_up_to_a_number(database: Database) -> None:
    with database.writing() as session:
        ann, bob = (users.create(session, name).id for name in ("ann", "bob"))
        for user in (ann, bob):
            assert personas.put(session, user, FIRST, "x", 0)
        for version in range(2, personas.KEPT + 4):
            assert personas.put(session, ann, replace(FIRST, version=version), "x", version - 1)
        found = personas.versions(session, ann)
        latest = personas.KEPT + 2
        assert [one.version for one in found] == list(range(latest, latest - personas.KEPT, -1))
        assert found[0] == replace(FIRST, version=latest)
        assert personas.versions(session, bob) == []


def test_words_that_were_taken_back_are_in_no_earlier_version(database: Database) -> None:
    with database.writing() as session:
        ann = users.create(session, "ann").id
        assert personas.put(session, ann, FIRST, "x", 0)
        assert personas.put(session, ann, replace(FIRST, version=2), "x", 1)
        assert len(personas.versions(session, ann)) == 1
        assert personas.put(session, ann, Persona(FIRST.claims[:1], version=3), "x", 2)
        assert personas.versions(session, ann) == []
        assert "no war" not in str(users.export(session, ann))


def test_who_was_wording_a_persona_brings_no_words_back_that_were_taken_back(database: Database) -> None:
    worded = replace(FIRST, portrait=("You want no war.",), version=1)
    with database.writing() as session:
        ann = users.create(session, "ann").id
        assert personas.put(session, ann, FIRST, "x", 0)
        personas.take_back(session, ann, {"no war"})
        assert not personas.put(session, ann, worded, "x", FIRST.version)
        assert "no war" not in str(users.export(session, ann))


def test_a_change_of_another_version_changes_nothing(database: Database) -> None:
    with database.writing() as session:
        ann = users.create(session, "ann").id
        assert personas.put(session, ann, FIRST, "x", 0)
        assert not personas.put(session, ann, Persona(version=1), "y", 0)
        assert personas.find(session, ann) == (FIRST, "x")
        assert personas.put(session, ann, FIRST, "y", 1), "only what it rests on is new"
        assert personas.find(session, ann) == (FIRST, "y") and personas.versions(session, ann) == []
        with pytest.raises(UserError):
            personas.put(session, ann + 1, FIRST, "x", 0)
