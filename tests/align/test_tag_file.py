"""Older tag files are brought up to date beside a copy; a full disk harms nothing."""

from __future__ import annotations

import multiprocessing
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from rectune.align.decisions import Decision, Mark
from rectune.align.tag_file import VERSION
from rectune.align.tags import TagStore
from rectune.core.errors import UserError
from tests.align.examples import make_tasks, session

ANSWERS = ("a", "b", "c")

# What version 1 made, and two decisions in it, one undone.
OLD = """
pragma journal_mode = wal;
create table decisions (
    id integer primary key autoincrement, kind text not null, prompt text not null, answers text not null,
    best text not null, worst text not null, annotator text not null, time real not null, seconds real not null,
    undone real
);
insert into decisions values (1, 'tag', 'p', '["a", "b", "c"]', 'a', 'b', 'kim', 5.0, 2.0, null);
insert into decisions values (2, 'skip', 'q', '["a", "b", "c"]', '', '', 'kim', 6.0, 2.0, 7.0);
pragma application_id = 1919247220;
pragma user_version = 1;
"""


def old_file(path: Path) -> Path:
    with closing(sqlite3.connect(path)) as file:
        file.executescript(OLD)
    return path


def rows(path: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as file:
        return file.execute(
            "select kind, prompt, best, worst, time, undone from decisions order by id"
        ).fetchall()


def version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as file:
        return int(file.execute("pragma user_version").fetchone()[0])


def test_a_file_of_version_1_is_brought_up_to_date_and_a_copy_kept(tmp_path: Path) -> None:
    path = old_file(tmp_path / "t.sqlite")
    before = rows(path)
    with TagStore(path) as store:
        assert [(t.prompt, t.best) for t in store.tags()] == [("p", "a")]
        store.keep(Decision("tie", "q", ANSWERS, "", "", "kim", 8.0, 1.0))
        store.mark(Mark("flag", "p", ANSWERS, "kim", 9.0, "x"))
    assert version(path) == VERSION
    copy = tmp_path / "t.v1.sqlite"
    assert (version(copy), rows(copy)) == (1, before)
    with TagStore(path):
        pass
    assert sorted(p.name for p in tmp_path.glob("*.sqlite")) == ["t.sqlite", "t.v1.sqlite"]


def test_the_digest_is_what_version_1_gave_so_that_nothing_is_trained_anew(tmp_path: Path) -> None:
    from rectune.core.types import content_id

    with TagStore(old_file(tmp_path / "t.sqlite")) as store:
        assert store.digest() == content_id("tags", 1, [("tag", "p", ("a", "b", "c"), "a", "b", "kim")])


def test_an_earlier_copy_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "t.v1.sqlite").write_bytes(b"mine")
    with TagStore(old_file(tmp_path / "t.sqlite")):
        pass
    assert (tmp_path / "t.v1.sqlite").read_bytes() == b"mine"
    assert version(tmp_path / "t.v1-2.sqlite") == 1


def test_when_the_copy_cannot_be_made_the_old_file_stays_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = old_file(tmp_path / "t.sqlite")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("rectune.align.tag_file._copy", full)
    with pytest.raises(UserError, match="No space left"):
        TagStore(path)
    assert version(path) == 1
    monkeypatch.undo()
    with TagStore(path) as store:
        assert len(store.tags()) == 1


def _open(path: str) -> None:
    with TagStore(Path(path)) as store:
        store.keep(Decision("tie", "new", ANSWERS, "", "", "lee", 8.0, 1.0))


def test_two_programs_that_find_an_old_file_bring_it_up_to_date_once(tmp_path: Path) -> None:
    path = old_file(tmp_path / "t.sqlite")
    context = multiprocessing.get_context("spawn")
    people = [context.Process(target=_open, args=(str(path),)) for _ in range(2)]
    for person in people:
        person.start()
    for person in people:
        person.join()
    assert [person.exitcode for person in people] == [0, 0]
    assert [p.name for p in tmp_path.glob("*.v1*.sqlite")] == ["t.v1.sqlite"]
    assert len(rows(path)) == 4


def test_a_full_disk_is_one_error_keeps_the_task_on_show_and_what_was_decided(tmp_path: Path) -> None:
    with TagStore(tmp_path / "t.sqlite") as store:
        tasks = make_tasks(400)
        at = session(store, tasks)
        at.decide(0, 1)
        pages = store._connection.execute("pragma page_count").fetchone()[0]
        store._connection.execute(f"pragma max_page_count = {pages + 1}")
        with pytest.raises(UserError, match="full"):
            for _ in tasks:
                at.decide(0, 1)
        stuck = at.place
        assert at.choice is None
        with pytest.raises(UserError, match="full"):
            at.write_note("x" * 50_000)
        store._connection.execute("pragma max_page_count = 1000000")
        at.decide(2, 3)
        assert at.place == stuck + 1
        assert len(store.tags()) == stuck + 1
