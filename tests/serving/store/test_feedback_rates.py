"""Rates of positive feedback, worked out by hand."""

from __future__ import annotations

import pytest
from sqlalchemy.orm import Session

from rectune.core.stats.intervals import wilson
from rectune.serving.store import feedback, recommendations, statistics, users
from rectune.serving.store.database import Database
from rectune.serving.store.feedback import FeedbackEntry
from rectune.serving.store.feedback_rates import ArmDifference, ArmRate, arm_rates, strategy_rates
from rectune.serving.store.recommendations import ShownItem
from tests.serving.store.people import DAY

NOW = 1_800_000_000_000


def answer(
    session: Session, user: int | None, *items: str, strategy: str = "history",
    arm: tuple[str, str] | None = None, now: int = NOW,
) -> str:  # fmt: skip
    """An answer with these items; gives its id."""
    shown = [ShownItem(item) for item in items]
    return recommendations.record(session, user, {}, shown, strategy=strategy, took_ms=1, arm=arm, now=now).id


def said(session: Session, user: int, item: str, type: str, of: str | None) -> None:
    """Feedback that names an answer."""
    entry = FeedbackEntry(user, item, type, time=NOW, recommendation=of)  # type: ignore[arg-type]
    feedback.put_many(session, [entry])


def test_what_makes_an_answer_positive(database: Database) -> None:
    with database.writing() as session:
        ann, bob = users.create(session, "ann").id, users.create(session, "bob").id
        said(session, ann, "a", "like", answer(session, ann, "a", "b"))  # positive
        said(session, bob, "b", "click", answer(session, bob, "a", "b"))  # positive
        both = answer(session, ann, "c", "d")  # positive once, whatever is said of the other item
        said(session, ann, "c", "like", both)
        said(session, ann, "d", "click", both)
        said(session, ann, "e", "dislike", answer(session, ann, "e"))
        said(session, ann, "f", "seen", answer(session, ann, "f"))
        said(session, ann, "not shown", "like", answer(session, ann, "g"))
        answer(session, bob, "h")
        said(session, bob, "h", "like", None)  # names no answer
        answer(session, bob)  # holds no item: not counted
        said(session, bob, "i", "like", answer(session, None, "i"))  # nobody's: not counted
        taken_back = answer(session, bob, "j", strategy="popular")
        said(session, bob, "j", "like", taken_back)
        assert [one.positive for one in strategy_rates(session)] == [3, 1]
        said(session, bob, "j", "dislike", taken_back)
    with database.reading() as session:
        history, popular = strategy_rates(session)
    assert (history.strategy, history.answers, history.positive, history.people) == ("history", 7, 3, 2)
    assert history.rate == 3 / 7 and history.interval == wilson(3, 7)
    assert (popular.strategy, popular.answers, popular.positive, popular.people) == ("popular", 1, 0, 1)


def test_arms_count_each_person_once(database: Database) -> None:
    one, two = ("bm25 or ease", "bm25"), ("bm25 or ease", "ease")
    with database.writing() as session:
        ann, bob, cay = (users.create(session, name).id for name in ("ann", "bob", "cay"))
        for at in range(4):  # one of four
            id = answer(session, ann, f"a{at}", arm=one)
            if not at:
                said(session, ann, "a0", "like", id)
        said(session, bob, "b", "click", answer(session, bob, "b", arm=one))  # one of one
        answer(session, cay, "c", arm=two)
        answer(session, cay, "c", arm=("hybrid or ease", "ease"))  # another experiment
        answer(session, cay, "c")  # in none
    with database.reading() as session:
        assert arm_rates(session, "bm25 or ease") == {
            "bm25": ArmRate("bm25", people=2, answers=5, positive=2, shares=1.25),
            "ease": ArmRate("ease", people=1, answers=1, positive=0, shares=0.0),
        }
        assert arm_rates(session, "nothing") == {}
    rate = ArmRate("bm25", 2, 5, 2, 1.25)
    assert rate.rate == 0.625 and rate.interval == wilson(1.25, 2)


def test_whether_there_is_a_difference() -> None:
    """Newcombe 1998, table II, method 10: 56/70 and 48/80 differ by 0.2, from 0.0524 to 0.3339."""
    found = ArmDifference.of(ArmRate("a", 80, 80, 48, 48.0), ArmRate("b", 70, 70, 56, 56.0))
    assert found and found.found and found.enough
    assert found.value == pytest.approx(0.2)
    assert found.interval == pytest.approx((0.0524, 0.3339), abs=5e-5)
    other = ArmDifference.of(ArmRate("a", 70, 70, 56, 56.0), ArmRate("b", 80, 80, 48, 48.0))
    assert other and other.found and other.interval == pytest.approx((-0.3339, -0.0524), abs=5e-5)
    same = ArmDifference.of(ArmRate("a", 40, 40, 20, 20.0), ArmRate("b", 40, 40, 22, 22.0))
    assert same and same.enough and not same.found
    few = ArmDifference.of(ArmRate("a", 29, 29, 0, 0.0), ArmRate("b", 40, 40, 40, 40.0))
    assert few and few.interval[0] > 0 and not few.enough and not few.found
    assert ArmDifference.of(ArmRate("a"), ArmRate("b", 1, 1, 1, 1.0)) is None


def test_answers_of_each_day(database: Database) -> None:
    midnight = NOW // DAY * DAY
    times = (midnight, midnight + DAY - 1, midnight - 1, midnight - 2 * DAY, midnight - 3 * DAY)
    with database.writing() as session:
        for time in times:
            answer(session, None, "a", now=time)
        found = statistics.answers_by_day(session, 3, now=midnight + 5)
    assert found == [(midnight - 2 * DAY, 1), (midnight - DAY, 1), (midnight, 2)]
