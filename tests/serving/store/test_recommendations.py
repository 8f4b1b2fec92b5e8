"""Answers as they were shown, and what a chain of them has shown."""

from __future__ import annotations

import pytest

from rectune.core.errors import UserError
from rectune.serving.store import feedback, recommendations, users
from rectune.serving.store.database import Database
from rectune.serving.store.feedback import FeedbackEntry
from rectune.serving.store.recommendations import ShownItem
from tests.serving.store.people import shown, user

NOW = 1_800_000_000_000


def test_an_answer_comes_back_as_it_was_shown(database: Database) -> None:
    items = [
        ShownItem("b", 0.25, "좋은 책 😀", "model", ["x", {"n": 1.5}]),
        ShownItem("a"),
    ]
    request = {"query": "tea \x00 books", "n": 2, "z": None, "a": [1, True]}
    with database.writing() as session:
        ann = user(session, "ann").id
        kept = recommendations.record(session, ann, request, items, strategy="ease", took_ms=12, now=NOW)
    with database.reading() as session:
        found = recommendations.find(session, kept.id)
        assert recommendations.find(session, "unknown") is None
    assert found is not None
    row, rows = found
    assert (row.user_id, row.strategy, row.took_ms, row.created) == (ann, "ease", 12, NOW)
    assert row.request == request and list(row.request) == list(request)
    assert [(r.place, r.item_id, r.score, r.reason, r.reason_by, r.evidence) for r in rows] == [
        (1, "b", 0.25, "좋은 책 😀", "model", ["x", {"n": 1.5}]),
        (2, "a", None, "", "", []),
    ]


def test_a_chain_knows_all_that_it_has_shown(database: Database) -> None:
    with database.writing() as session:
        ann = user(session, "ann").id
        first = shown(session, ann, "a", "b", now=NOW)
        second = shown(session, ann, "c", "a", previous=first.id, now=NOW + 1)
        third = shown(session, ann, "d", previous=second.id, now=NOW + 2)
        shown(session, ann, "x", previous=first.id, now=NOW + 3)
        assert recommendations.shown_before(session, third.id) == ["a", "b", "c", "d"]
        assert recommendations.shown_before(session, first.id) == ["a", "b"]
        assert recommendations.shown_before(session, "unknown") == []


def test_nobody_goes_on_with_what_another_was_shown(database: Database) -> None:
    with database.writing() as session:
        ann, bob = user(session, "ann").id, user(session, "bob").id
        anns, nobodys = shown(session, ann, "a").id, shown(session, None, "b").id
        assert recommendations.shown_before(session, shown(session, None, "c", previous=nobodys).id) == [
            "b",
            "c",
        ]
        for who, previous in ((bob, anns), (None, anns), (ann, nobodys), (ann, "unknown")):
            with pytest.raises(UserError, match="got no recommendation"):
                shown(session, who, "c", previous=previous)
        with pytest.raises(UserError):
            shown(session, bob + 100, "a")


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, "\ud800", b"bytes"])
def test_what_is_not_json_is_refused(database: Database, value: object) -> None:
    with pytest.raises(UserError, match="JSON"), database.writing() as session:
        recommendations.record(session, None, {"value": value}, [], strategy="ease", took_ms=1)


def test_feedback_outlives_the_answer_that_it_was_given_to(database: Database) -> None:
    with database.writing() as session:
        ann, bob = user(session, "ann").id, user(session, "bob").id
        answer = shown(session, None, "a")
        feedback.put_many(
            session, [FeedbackEntry(who, "a", "like", recommendation=answer.id) for who in (ann, bob)]
        )
        session.delete(answer)
        session.flush()
        users.delete(session, bob)
    with database.reading() as session:
        (row,) = feedback.page(session, ann).rows
        assert row.recommendation_id is None and row.item_id == "a"
