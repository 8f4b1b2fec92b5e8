"""Feedback: one row a user, item and type, whatever is repeated, late or at the same time."""

from __future__ import annotations

import math
from threading import Thread
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text

from rectune.core.errors import UserError
from rectune.serving.store import feedback, recommendations, users
from rectune.serving.store.database import Database
from rectune.serving.store.feedback import FeedbackEntry, Written
from rectune.serving.store.tables import FEEDBACK_TYPES, Feedback, FeedbackType
from tests.serving.store.people import shown, user

NOW = 1_800_000_000_000


def test_the_same_entries_again_change_nothing(database: Database) -> None:
    with database.writing() as session:
        ann, bob = user(session, "ann").id, user(session, "bob").id
        entries = [
            FeedbackEntry(person, f"i{number}", type, value=number / 2, time=NOW + number)
            for person in (ann, bob)
            for number in range(400)
            for type in ("seen", "like")
        ]
        assert feedback.put_many(session, entries) == Written(added=1600)
    with database.writing() as session:
        assert feedback.put_many(session, entries) == Written(unchanged=1600)
        assert feedback.put_many(session, []) == Written()
        assert session.scalar(text("SELECT count(*) FROM feedback")) == 1600


def test_the_latest_counts_and_the_late_change_nothing(database: Database) -> None:
    with database.writing() as session:
        ann = user(session, "ann").id
        first = FeedbackEntry(ann, "a", "like", 3.0, NOW)
        assert feedback.put_many(session, [first]) == Written(added=1)
        assert feedback.put_many(session, [FeedbackEntry(ann, "a", "like", 5.0, NOW + 1)]) == Written(
            changed=1
        )
        assert feedback.put_many(session, [first]) == Written(late=1)
        row = session.scalars(select(Feedback)).one()
        assert (row.value, row.time) == (5.0, NOW + 1)


def test_like_and_dislike_end_each_other(database: Database) -> None:
    with database.writing() as session:
        ann = user(session, "ann").id
        like, dislike = (
            FeedbackEntry(ann, "a", "like", time=NOW),
            FeedbackEntry(ann, "a", "dislike", time=NOW + 1),
        )
        feedback.put_many(session, [like, FeedbackEntry(ann, "a", "seen", time=NOW)])
        feedback.put_many(session, [dislike])
        assert feedback.liked(session, ann) == []
        assert (
            feedback.item_ids(session, ann, ["dislike"]) == {"a"} == feedback.item_ids(session, ann, ["seen"])
        )
        assert feedback.put_many(session, [like]) == Written(late=1)  # it was said before
        assert feedback.put_many(session, [FeedbackEntry(ann, "a", "like", time=NOW + 2)]) == Written(added=1)
        assert feedback.item_ids(session, ann, ["dislike"]) == set()
        assert feedback.liked(session, ann) == ["a"]
        again = [like, dislike, FeedbackEntry(ann, "b", "like"), FeedbackEntry(ann, "b", "dislike")]
        feedback.put_many(session, again, now=NOW)
        assert feedback.liked(session, ann) == ["a"] and feedback.item_ids(session, ann, ["dislike"]) == {"b"}


ENTRIES = st.lists(
    st.builds(
        FeedbackEntry,
        user_id=st.just(0),
        item_id=st.sampled_from(["a", "b"]),
        type=st.sampled_from(FEEDBACK_TYPES),
        value=st.sampled_from([None, 1.0, 2.0]),
        time=st.integers(0, 6),
    ),
    max_size=12,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(entries=ENTRIES)
def test_together_or_one_by_one_or_twice_is_the_same(
    database: Database, entries: list[FeedbackEntry]
) -> None:
    def state(user_id: int) -> set[Any]:
        rows = session.scalars(select(Feedback).where(Feedback.user_id == user_id))
        return {(row.item_id, row.type, row.value, row.time) for row in rows}

    with database.writing() as session:
        people = [users.create(session).id for _ in range(2)]
        own = [[FeedbackEntry(person, *_rest(entry)) for entry in entries] for person in people]
        feedback.put_many(session, own[0])
        for entry in own[1]:
            feedback.put_many(session, [entry])
        once = state(people[0])
        assert once == state(people[1])
        likes, dislikes = ({row[0] for row in once if row[1] == type} for type in ("like", "dislike"))
        assert not likes & dislikes
        for item, type, _, time in once:  # the latest of its kind, and not said before its opposite
            assert time == max(e.time or 0 for e in entries if (e.item_id, e.type) == (item, type))


def _rest(entry: FeedbackEntry) -> tuple[Any, ...]:
    return entry.item_id, entry.type, entry.value, entry.time


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": "love"}, {"value": math.nan}, {"value": math.inf}, {"time": -1}, {"time": 2**60},
        {"item_id": ""}, {"item_id": "a\x00"}, {"user_id": 999}, {"recommendation": "unknown"},
    ],
)  # fmt: skip
def test_one_wrong_entry_keeps_none(database: Database, wrong: dict[str, Any]) -> None:
    with database.writing() as session:
        ann = user(session, "ann").id
    good = FeedbackEntry(ann, "good", "like")
    entry = FeedbackEntry(**({"user_id": ann, "item_id": "a", "type": "like"} | wrong))
    with pytest.raises(UserError), database.writing() as session:
        feedback.put_many(session, [good, entry])
    with database.reading() as session:
        assert feedback.item_ids(session, ann) == set()


def test_a_recommendation_must_be_the_users_own_or_nobodys(database: Database) -> None:
    with database.writing() as session:
        ann, bob = user(session, "ann").id, user(session, "bob").id
        own, others, nobodys = (shown(session, person, "a").id for person in (ann, bob, None))
        for answer in (own, nobodys):
            feedback.put_many(session, [FeedbackEntry(ann, answer, "click", recommendation=answer)])
        with pytest.raises(UserError, match=others):
            feedback.put_many(session, [FeedbackEntry(ann, "a", "click", recommendation=others)])
        assert recommendations.find(session, own) is not None


def test_pages_hold_everything_once_though_rows_come_in_between(database: Database) -> None:
    with database.writing() as session:
        ann, bob = user(session, "ann").id, user(session, "bob").id
        # three at each time, so that the time alone does not say where a page ends
        entries = [FeedbackEntry(ann, f"i{number}", "seen", time=NOW + number // 3) for number in range(23)]
        feedback.put_many(
            session, [*entries, FeedbackEntry(bob, "b", "seen"), FeedbackEntry(ann, "l", "like")]
        )
        found: list[Feedback] = []
        after = None
        for _ in range(5):
            page = feedback.page(session, ann, type="seen", limit=5, after=after)
            found += page.rows
            after = page.after
            feedback.put_many(session, [FeedbackEntry(ann, f"new {after}", "seen", time=NOW + 100)])
        assert after is None
        assert {row.item_id for row in found} == {entry.item_id for entry in entries} and len(found) == 23
        assert [row.time for row in found] == sorted((row.time for row in found), reverse=True)
        for wrong in ("", "5", "5-", "a-b", "5-5-5", "9" * 50):
            with pytest.raises(UserError, match="cursor"):
                feedback.page(session, ann, after=wrong)
        for limit in (0, -1, 1001):
            with pytest.raises(UserError, match="limit"):
                feedback.page(session, ann, limit=limit)


def test_deleting_by_type_or_whole(database: Database) -> None:
    with database.writing() as session:
        ann, bob = user(session, "ann").id, user(session, "bob").id
        types: tuple[FeedbackType, ...] = ("seen", "like", "click")
        feedback.put_many(session, [FeedbackEntry(who, "a", type) for who in (ann, bob) for type in types])
        assert feedback.delete(session, ann, "a", "like") == 1 and feedback.liked(session, ann) == []
        assert feedback.delete(session, ann, "a") == 2 and feedback.delete(session, ann, "a") == 0
        assert feedback.liked(session, bob) == ["a"]


def test_likes_are_oldest_first(database: Database) -> None:
    with database.writing() as session:
        ann = user(session, "ann").id
        for item, time in (("b", 3), ("a", 1), ("c", 2)):
            feedback.put_many(session, [FeedbackEntry(ann, item, "like", time=time)])
        assert feedback.liked(session, ann) == ["a", "c", "b"]


def test_what_was_shown_without_reaction_oldest_first(database: Database) -> None:
    with database.writing() as session:
        ann, bob = user(session, "ann").id, user(session, "bob").id
        shown(session, ann, "a", "b", "c", now=NOW)
        shown(session, ann, "d", "a", now=NOW + 10)
        shown(session, bob, "e", now=NOW)
        feedback.put_many(session, [FeedbackEntry(ann, "b", "click"), FeedbackEntry(bob, "c", "like")])
        assert feedback.shown_without_reaction(session, ann) == ["c", "a", "d"]


def test_opposite_feedback_at_the_same_time_leaves_one(database: Database) -> None:
    with database.writing() as session:
        ann = user(session, "ann").id
    failed: list[BaseException] = []

    def say(type: FeedbackType) -> None:
        try:
            for number in range(15):
                with database.writing() as session:
                    feedback.put_many(session, [FeedbackEntry(ann, f"i{number}", type, time=NOW)])
        except BaseException as error:
            failed.append(error)

    threads = [Thread(target=say, args=(type,)) for type in ("like", "dislike", "like", "dislike")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    with database.reading() as session:
        likes, dislikes = (feedback.item_ids(session, ann, [type]) for type in ("like", "dislike"))
    assert not likes & dislikes and len(likes | dislikes) == 15
