"""A full disk harms no tag file, and two programs may make one at once."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from rectune.align.decisions import Decision
from rectune.align.tags import TagStore
from rectune.core.errors import UserError
from tests.align.examples import make_tasks, no_file_above, session

ANSWERS = ("a", "b", "c")


def decision(number: int, annotator: str = "kim") -> Decision:
    return Decision("tie", f"p{number}", ANSWERS, "", "", annotator, 8.0, 1.0)


def log_size(store: TagStore) -> int:
    """Bytes of the log that SQLite writes first."""
    return store.path.with_name(store.path.name + "-wal").stat().st_size


def _open(path: str, annotator: str) -> None:
    with TagStore(Path(path)) as store:
        store.keep(decision(1, annotator))


def test_programs_that_make_a_file_at_once_make_it_once(tmp_path: Path) -> None:
    path = tmp_path / "t.sqlite"
    context = multiprocessing.get_context("spawn")
    people = [context.Process(target=_open, args=(str(path), name)) for name in ("kim", "lee", "park")]
    for person in people:
        person.start()
    for person in people:
        person.join()
    assert [person.exitcode for person in people] == [0, 0, 0]
    with TagStore(path) as store:
        assert {d.annotator for d in store.decisions()} == {"kim", "lee", "park"}


def test_a_file_that_could_not_be_made_can_be_made_later(tmp_path: Path) -> None:
    with no_file_above(2000), pytest.raises(UserError, match="cannot be used"):
        TagStore(tmp_path / "t.sqlite")
    with TagStore(tmp_path / "t.sqlite") as store:
        store.keep(decision(1))
        assert len(store.decisions()) == 1


def test_a_full_disk_is_one_error_keeps_the_task_on_show_and_what_was_decided(tmp_path: Path) -> None:
    with TagStore(tmp_path / "t.sqlite") as store:
        tasks = make_tasks(100)
        at = session(store, tasks)
        at.decide(0, 1)
        with no_file_above(log_size(store) + 40_000):
            with pytest.raises(UserError, match="cannot be used"):
                for _ in tasks:
                    at.decide(0, 1)
            stuck = at.place
            assert at.choice is None
            with pytest.raises(UserError, match="cannot be used"):
                for _ in tasks:
                    at.write_note("x" * 2000)
        assert 0 < stuck < 99
        at.go(stuck)
        at.decide(2, 3)
        assert at.place == stuck + 1
        assert len(store.tags()) == stuck + 1


def test_what_does_not_fit_whole_is_not_taken_in_at_all(tmp_path: Path) -> None:
    with TagStore(tmp_path / "t.sqlite") as store, TagStore(tmp_path / "other.sqlite") as other:
        store.keep(decision(0))
        other.take_in(map(decision, range(1, 2000)), [])
        for taking in (
            lambda: store.take_in(map(decision, range(1, 2000)), []),
            lambda: store.merge([other.path]),
        ):
            with no_file_above(log_size(store) + 60_000), pytest.raises(UserError, match="cannot be used"):
                taking()
            assert store.decisions() == [decision(0)]
        assert store.merge([other.path]).new == 1999
