"""The server itself deletes what is too old, and the page says after how many days."""

from __future__ import annotations

from pathlib import Path

import pytest

from rectune.core.errors import UserError
from rectune.recommender.recommender import Recommender
from rectune.serving.config import ServerConfig
from rectune.serving.store import feedback, sessions, users
from rectune.serving.store.columns import now_ms
from rectune.serving.store.database import open_database
from rectune.serving.store.feedback import FeedbackEntry
from rectune.serving.upkeep import Upkeep
from tests.serving.web.visitors import seen, sign_in
from tests.serving.world import world

DAY = 24 * 3600 * 1000


def store_with_two_marks(folder: Path) -> int:
    """Ann has a mark of 40 days ago, one of yesterday, and a session that is over."""
    now = now_ms()
    with open_database(folder / "store.db") as database, database.writing() as session:
        ann = users.create(session, "ann", now=now - 40 * DAY)
        for item, days in (("11", 40), ("12", 1)):
            feedback.put_many(session, [FeedbackEntry(ann.id, item, "like")], now=now - days * DAY)
        sessions.start(session, ann.id, now=now - 31 * DAY)
        return ann.id


@pytest.mark.parametrize(("days", "left"), [(30, ["12"]), (50, ["11", "12"]), (0, ["11", "12"])])
def test_a_server_that_starts_deletes_what_is_too_old(
    recommender: Recommender, tmp_path: Path, days: int, left: list[str]
):
    ann = store_with_two_marks(tmp_path)
    with world(recommender, tmp_path, keep_days=days) as server:
        with server.database.reading() as session:
            assert feedback.liked(session, ann) == left
            assert not users.export(session, ann)["sessions"]
        sign_in(server, "ann")
        said = f"older than {days} days" if days else "deletes nothing because of its age"
        assert said in seen(server, "/mine")


def test_what_was_deleted_is_counted(tmp_path: Path):
    store_with_two_marks(tmp_path)
    with open_database(tmp_path / "store.db") as database:
        upkeep = Upkeep(database, 30)
        assert upkeep.tidy() == {"feedback": 1, "sessions": 1}
        assert upkeep.tidy() == {}
        assert upkeep.tidy(now=now_ms() + 31 * DAY) == {"feedback": 1, "users": 1}


def test_days_that_cannot_be():
    with pytest.raises(UserError, match="days"):
        ServerConfig(recipe="demo", keep_days=-1)
