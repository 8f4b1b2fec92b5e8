"""Jobs: in their order, by one worker each, and again where a worker died."""

from __future__ import annotations

from collections import Counter
from threading import Barrier, Thread

from rectune.serving.store import jobs, users
from rectune.serving.store.database import Database
from rectune.serving.store.jobs import MAX_ATTEMPTS
from rectune.serving.store.tables import Job
from tests.serving.store.people import user

NOW = 1_800_000_000_000


def now(database: Database, id: int) -> Job:
    with database.reading() as session:
        job = jobs.find(session, id)
    assert job is not None
    return job


def test_a_job_from_the_queue_to_its_end(database: Database) -> None:
    with database.writing() as session:
        first = jobs.add(session, "index", {"version": 3}, total=10, now=NOW)
        second = jobs.add(session, "persona", {})
    with database.writing() as session:
        taken = jobs.take_next(session, now=NOW + 1)
    assert taken is not None and taken.id == first.id
    found = now(database, first.id)
    assert (found.state, found.payload, found.total, found.started) == (
        "running",
        {"version": 3},
        10,
        NOW + 1,
    )
    with database.writing() as session:
        assert jobs.heartbeat(session, taken, progress=4, now=NOW + 2)
    assert (now(database, first.id).progress, now(database, first.id).heartbeat) == (4, NOW + 2)
    with database.writing() as session:
        assert jobs.finish(session, taken, now=NOW + 3)
        assert not jobs.finish(session, taken) and not jobs.heartbeat(session, taken)
        assert not jobs.fail(session, taken, "late")
        other = jobs.take_next(session)
        assert other is not None and other.id == second.id
        assert jobs.fail(session, other, "no items", now=NOW + 4)
        assert jobs.take_next(session) is None
    assert (now(database, first.id).state, now(database, first.id).finished) == ("done", NOW + 3)
    assert (now(database, second.id).state, now(database, second.id).error) == ("failed", "no items")
    with database.reading() as session:
        assert jobs.find(session, 999) is None


def test_only_the_kinds_that_a_worker_can_do(database: Database) -> None:
    with database.writing() as session:
        jobs.add(session, "index", {})
        wanted = jobs.add(session, "persona", {})
        assert jobs.take_next(session, ["other"]) is None and jobs.take_next(session, []) is None
        taken = jobs.take_next(session, ["persona", "other"])
        assert taken is not None and taken.id == wanted.id


def test_two_workers_never_take_the_same(database: Database) -> None:
    with database.writing() as session:
        ids = [jobs.add(session, "index", {}).id for _ in range(40)]
    taken: list[int] = []
    barrier = Barrier(6)

    def work() -> None:
        barrier.wait()
        while True:
            with database.writing() as session:
                job = jobs.take_next(session)
            if job is None:
                return
            taken.append(job.id)

    threads = [Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(taken) == Counter(ids)


def test_a_worker_that_waits_does_not_wait_for_one_that_has_not_ended(database: Database) -> None:
    """PostgreSQL only: SQLite's writers are one at a time."""
    if database.is_sqlite:
        return
    with database.writing() as session:
        ids = [jobs.add(session, "index", {}).id for _ in range(2)]
    with database.writing() as one, database.writing() as other:
        taken = [jobs.take_next(session) for session in (one, other, other)]
        assert [job and job.id for job in taken] == [*ids, None]


def test_what_a_dead_worker_left_is_taken_up_and_no_longer_its_own(database: Database) -> None:
    with database.writing() as session:
        id = jobs.add(session, "index", {}).id
        dead = jobs.take_next(session, now=NOW)
        assert dead is not None
        session.expunge(dead)
        assert jobs.requeue_abandoned(session, silent_ms=100, now=NOW + 99) == 0
        assert jobs.requeue_abandoned(session, silent_ms=100, now=NOW + 100) == 1
        session.expire_all()
        again = jobs.take_next(session, now=NOW + 101)
        assert again is not None and (again.id, again.attempts, again.progress) == (id, 2, 0)
        assert not jobs.heartbeat(session, dead) and not jobs.finish(session, dead)
        assert jobs.finish(session, again)
        assert jobs.requeue_abandoned(session, silent_ms=0, now=NOW + 10**6) == 0
    assert now(database, id).state == "done"


def test_a_job_that_kills_its_process_each_time_ends(database: Database) -> None:
    with database.writing() as session:
        id = jobs.add(session, "index", {}).id
    for attempt in range(1, MAX_ATTEMPTS + 1):
        with database.writing() as session:
            job = jobs.take_next(session, now=NOW)
            assert job is not None and job.attempts == attempt
        with database.writing() as session:
            assert jobs.requeue_abandoned(session, silent_ms=0, now=NOW + 1) == 1
    with database.writing() as session:
        assert jobs.take_next(session) is None
    assert now(database, id).state == "failed" and "ended 3 times" in now(database, id).error
    assert now(database, id).finished == NOW + 1


def test_a_users_job_goes_with_the_user(database: Database) -> None:
    with database.writing() as session:
        ann = user(session, "ann").id
        id = jobs.add(session, "persona", {"words": "ann wrote"}, user_id=ann).id
        job = jobs.take_next(session)
        assert job is not None
        users.delete(session, ann)
        assert not jobs.finish(session, job)
        session.expire_all()
        assert jobs.find(session, id) is None
