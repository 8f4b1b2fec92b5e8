"""What is older than the service keeps it goes, and nothing else does."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from rectune.core.errors import UserError
from rectune.serving.store import feedback, items, jobs, sessions, users
from rectune.serving.store.database import Database
from rectune.serving.store.feedback import FeedbackEntry
from rectune.serving.store.items import ItemEntry
from rectune.serving.store.retention import delete_older
from rectune.serving.store.tables import Base
from tests.serving.store.people import DAY, known_everywhere, shown

NOW = 1_800_000_000_000


def rows(database: Database) -> dict[str, int]:
    with database.reading() as session:
        counts = {
            name: session.scalar(select(func.count()).select_from(table)) or 0
            for name, table in Base.metadata.tables.items()
        }
    return {name: count for name, count in counts.items() if count}


def test_old_rows_go_with_their_user_and_new_ones_stay(database: Database) -> None:
    with database.writing() as session:
        known_everywhere(session, "new", now=NOW - DAY)
    kept = rows(database)
    with database.writing() as session:
        known_everywhere(session, "old", now=NOW - 31 * DAY)
        shown(session, None, "a", now=NOW - 31 * DAY)  # nobody's
        job = jobs.add(session, "index", {}, now=NOW - 31 * DAY)
        job.state, job.finished = "done", NOW - 31 * DAY
        session.flush()
        assert delete_older(session, 32, now=NOW)["users"] == 0
    assert sum(rows(database).values()) > 2 * sum(kept.values())
    with database.writing() as session:
        counts = delete_older(session, 30, now=NOW)
        assert users.find(session, "old") is None and users.find(session, "new") is not None
    assert (counts["users"], counts["recommendations"], counts["feedback"]) == (1, 3, 1)
    assert rows(database) == kept
    with database.writing() as session:
        assert set(delete_older(session, 30, now=NOW).values()) == {0}


def test_who_still_comes_keeps_the_profile_and_loses_the_old_rows(database: Database) -> None:
    old, new = NOW - 31 * DAY, NOW - DAY
    with database.writing() as session:
        names = ("session", "code", "patch", "feedback", "shown", "nothing")
        ids = {name: users.create(session, name, now=old).id for name in names}
        feedback.put_many(session, [FeedbackEntry(id, "a", "like") for id in ids.values()], now=old)
        token = sessions.start(session, ids["session"], lifetime_ms=60 * DAY, now=old)
        sessions.renew(session, token, now=new)
        sessions.user_of_code(session, sessions.new_code(session, ids["code"], now=old), now=new)
        users.patch(session, ids["patch"], {"tastes": ["tea"]}, now=new)
        feedback.put_many(session, [FeedbackEntry(ids["feedback"], "b", "like")], now=new)
        shown(session, ids["shown"], "a", now=new)
        sessions.new_code(session, ids["nothing"], now=old)
        delete_older(session, 30, now=NOW)
        assert [name for name in names if users.find(session, name) is None] == ["nothing"]
        assert feedback.liked(session, ids["feedback"]) == ["b"]
        assert feedback.liked(session, ids["session"]) == []


def test_what_is_brought_along_from_years_ago_is_kept_from_the_day_it_came(database: Database) -> None:
    with database.writing() as session:
        ann = users.create(session, "ann", now=NOW)
        feedback.put_many(session, [FeedbackEntry(ann.id, "a", "like", time=NOW - 4000 * DAY)], now=NOW)
        assert delete_older(session, 30, now=NOW + 29 * DAY)["feedback"] == 0
        assert delete_older(session, 30, now=NOW + 31 * DAY)["feedback"] == 1


def test_the_catalogue_stays(database: Database) -> None:
    with database.writing() as session:
        items.upsert_many(session, [ItemEntry("a", "A")], now=NOW - 1000 * DAY)
        delete_older(session, 1, now=NOW)
        assert items.count(session) == 1


@pytest.mark.parametrize("days", [0, -1, float("nan")])
def test_days_that_cannot_be(database: Database, days: float) -> None:
    with database.writing() as session, pytest.raises(UserError, match="days"):
        delete_older(session, days)
