"""The tag file: durable, append-only, undone step by step, and never harmed when it cannot be read."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rectune.align.decisions import Decision, Kind, attached, check_annotator, subject_of
from rectune.align.tag_file import VERSION
from rectune.align.tags import TagStore
from rectune.core.errors import UserError

ANSWERS = ("a", "b", "c", "d", "e")


def tag(
    prompt: str, best: str = "a", worst: str = "b", annotator: str = "kim", time: float = 1.0
) -> Decision:
    return Decision("tag", prompt, ANSWERS, best, worst, annotator, time, 2.5)


def without_pick(kind: Kind, prompt: str, seconds: float = 1.0) -> Decision:
    return Decision(kind, prompt, ANSWERS, "", "", "kim", 2.0, seconds)


def undone(store: TagStore, only: str = "") -> str | None:
    """Undo kim's last decision, on one prompt or on any; the prompt."""
    decision = store.undo("kim", {subject_of(only, ANSWERS)} if only else None)
    return decision and decision.prompt


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tags" / "default.sqlite"


def test_what_was_added_is_read_again_as_it_was(path: Path) -> None:
    with TagStore(path) as store:
        store.keep(tag("p1"))
        store.keep(tag("p2", annotator="lee"))
    with TagStore(path) as store:
        assert store.tags() == [tag("p1"), tag("p2", annotator="lee")]
        assert store.tags("lee") == [tag("p2", annotator="lee")]


def test_a_tag_survives_a_kill_right_after_the_call(path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path\n"
        "from rectune.align.tags import TagStore; from rectune.align.decisions import Decision\n"
        "TagStore(Path(sys.argv[1])).keep(Decision('tag', 'p', ('a', 'b'), 'a', 'b', 'kim', 1.0, 2.0))\n"
        "os.kill(os.getpid(), 9)"
    )
    died = subprocess.run(
        [sys.executable, "-c", program, str(path)], env=os.environ | {"PYTHONPATH": str(Path.cwd())}
    )
    assert died.returncode == -signal.SIGKILL
    with TagStore(path) as store:
        assert [t.prompt for t in store.tags()] == ["p"]


def test_the_latest_tag_counts_and_undoing_it_brings_the_earlier_one_back(path: Path) -> None:
    with TagStore(path) as store:
        store.keep(tag("p", best="a"))
        store.keep(tag("p", best="c"))
        assert [t.best for t in store.tags()] == ["c"]
        assert undone(store) == "p"
        assert [t.best for t in store.tags()] == ["a"]


def test_undo_takes_back_one_annotators_decisions_only_and_down_to_nothing(path: Path) -> None:
    with TagStore(path) as store:
        store.keep(tag("p1"))
        store.keep(without_pick("skip", "p2"))
        store.keep(tag("p3", annotator="lee"))
        assert [undone(store), undone(store), undone(store)] == ["p2", "p1", None]
        assert [t.annotator for t in store.tags()] == ["lee"]


def test_undo_leaves_decisions_on_other_prompts_and_answers_alone(path: Path) -> None:
    with TagStore(path) as store:
        store.keep(tag("here"))
        store.keep(tag("elsewhere"))
        assert undone(store, "here") == "here"
        assert store.undo("kim", {subject_of("elsewhere", ("a", "b"))}) is None
        assert [t.prompt for t in store.tags()] == ["elsewhere"]


def test_nothing_is_deleted_by_undo(path: Path) -> None:
    with TagStore(path) as store:
        store.keep(tag("p"))
        store.undo("kim")
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("select count(*), count(undone) from decisions").fetchone() == (1, 1)


def test_a_skip_is_a_decision_but_no_tag(path: Path) -> None:
    with TagStore(path) as store:
        store.keep(tag("p"))
        store.keep(without_pick("skip", "p"))
        assert store.tags() == []
        assert [d.kind for d in store.decisions()] == ["skip"]


@pytest.mark.parametrize(("best", "worst"), [("a", "a"), ("a", "z"), ("z", "a")])
def test_best_and_worst_must_be_two_of_the_answers(path: Path, best: str, worst: str) -> None:
    with TagStore(path) as store, pytest.raises(ValueError, match="two different answers"):
        store.keep(tag("p", best, worst))


@pytest.mark.parametrize("name", ["simulated", "", "  ", "a\nb", "\x1b[2J", "x" * 65])
def test_names_that_no_person_may_have(path: Path, name: str) -> None:
    with pytest.raises(UserError, match="name"):
        check_annotator(name)
    with TagStore(path) as store:
        with pytest.raises((UserError, ValueError)):
            store.keep(tag("p", annotator=name))
        assert store.tags() == []


def test_the_digest_is_of_the_content_and_not_of_the_file(tmp_path: Path) -> None:
    one, other = TagStore(tmp_path / "one.sqlite"), TagStore(tmp_path / "other.sqlite")
    for prompt in ("p1", "p2"):
        one.keep(tag(prompt))
    for prompt in ("p2", "p3", "p1"):
        other.keep(tag(prompt, time=99.0))
    assert one.digest() != other.digest()
    assert undone(other, "p3") == "p3"
    before = one.digest()
    assert before == other.digest()
    one.close()  # folds the log into the file
    assert not list(tmp_path.glob("one.sqlite-*"))
    with TagStore(tmp_path / "one.sqlite") as again:
        assert again.digest() == before


def test_the_digest_of_some_prompts_does_not_see_the_others(path: Path) -> None:
    with TagStore(path) as store:
        store.keep(tag("p1"))
        before = store.digest([("p1", ANSWERS)])
        store.keep(tag("p2"))
        assert store.digest([("p1", ANSWERS)]) == before
        store.keep(tag("p1", best="d"))
        assert store.digest([("p1", ANSWERS)]) != before


def test_a_tag_attaches_where_best_and_worst_are_and_an_exact_one_goes_first(path: Path) -> None:
    with TagStore(path) as store:
        store.keep(tag("p", "a", "b"))
        store.keep(Decision("tag", "p", ("a", "c"), "c", "a", "kim", 2.0, 1.0))
        decisions = store.decisions()
    assert [d.best for d in attached(decisions, ANSWERS)] == ["a"]
    assert [d.best for d in attached(decisions, ("a", "c", "x"))] == ["c"]
    assert attached(decisions, ("b", "c")) == []


@pytest.mark.parametrize(
    "content", [b"not a database, but quite long" * 50, b"SQLite format 3\0" + b"\xff" * 4096]
)
def test_a_damaged_file_is_refused_named_and_kept(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"default\.sqlite"):
        TagStore(path)
    assert path.read_bytes() == content


def test_a_file_with_an_overwritten_page_is_refused_and_kept(path: Path) -> None:
    with TagStore(path) as store:
        for number in range(200):
            store.keep(tag(f"p{number}"))
    content = bytearray(path.read_bytes())
    content[4096:8192] = b"\x5a" * 4096
    path.write_bytes(content)
    with pytest.raises(UserError, match="damaged"):
        TagStore(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("step", [-1, 1])
def test_a_file_of_another_version_is_refused_and_kept(path: Path, step: int) -> None:
    with TagStore(path) as store:
        store.keep(tag("p"))
    with closing(sqlite3.connect(path)) as file:
        file.execute(f"pragma user_version = {VERSION + step}")
    content = path.read_bytes()
    with pytest.raises(UserError, match="another rectune"):
        TagStore(path)
    assert path.read_bytes() == content


def test_a_place_that_cannot_hold_a_file_is_an_error_for_people(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder.sqlite").mkdir()
    for path in (tmp_path / "file" / "t.sqlite", tmp_path / "folder.sqlite"):
        with pytest.raises(UserError, match=r"t\.sqlite|folder\.sqlite"):
            TagStore(path)


def test_another_programs_database_is_refused_and_kept(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as file:
        file.execute("create table answers (text)")
    content = path.read_bytes()
    with pytest.raises(UserError, match="no tag file"):
        TagStore(path)
    assert path.read_bytes() == content


def _annotate(path: str, name: str, count: int) -> None:
    with TagStore(Path(path)) as store:
        for number in range(count):
            store.keep(tag(f"p{number}", annotator=name))


def test_two_annotators_at_once_lose_nothing(path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    people = [
        context.Process(target=_annotate, args=(str(path), name, 40)) for name in ("kim", "lee", "park")
    ]
    for person in people:
        person.start()
    for person in people:
        person.join()
    assert [person.exitcode for person in people] == [0, 0, 0]
    with TagStore(path) as store:
        assert len(store.tags()) == 120


def test_a_file_that_another_program_is_just_making_is_waited_for(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("begin exclusive")
        threading.Timer(0.2, other.execute, ("commit",)).start()
        with TagStore(path) as store:
            store.keep(tag("p"))
            assert len(store.tags()) == 1


ACTIONS = st.lists(
    st.one_of(st.tuples(st.just("add"), st.integers(0, 3), st.integers(1, 4)), st.just(("undo", 0, 0)))
)


@settings(max_examples=25, deadline=None)
@given(actions=ACTIONS)
def test_the_store_is_a_stack_of_decisions(
    actions: list[tuple[str, int, int]], tmp_path_factory: object
) -> None:
    path = tmp_path_factory.mktemp("stack") / "t.sqlite"  # type: ignore[attr-defined]
    stack: list[tuple[str, str]] = []
    with TagStore(path) as store:
        for number, (action, prompt, worst) in enumerate(actions):
            if action == "add":
                store.keep(tag(f"p{prompt}", "a", ANSWERS[worst], time=float(number)))
                stack.append((f"p{prompt}", ANSWERS[worst]))
            else:
                assert undone(store) == (stack.pop()[0] if stack else None)
        assert {t.prompt: t.worst for t in store.tags()} == dict(stack)


def test_the_same_row_again_counts_as_the_latest(path: Path) -> None:
    """A clock that was set back can give the very same row twice."""
    with TagStore(path) as store:
        for best in ("a", "c", "a"):
            store.keep(tag("p", best))
        assert [t.best for t in store.tags()] == ["a"]
        assert undone(store) == "p"
        assert [t.best for t in store.tags()] == ["c"]
        store.keep(tag("p", "a"))
        assert [t.best for t in store.tags()] == ["a"]


def test_a_row_that_is_no_decision_is_said_and_nothing_is_taken_for_one(path: Path) -> None:
    with TagStore(path) as store:
        store.keep(tag("p"))
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("update decisions set worst = best")
    with TagStore(path) as store, pytest.raises(UserError, match="two different answers"):
        store.tags()


def test_more_files_than_sqlite_joins_are_refused_and_nothing_is_taken_in(tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.sqlite" for number in range(11)]
    for file in files:
        TagStore(file).close()
    with TagStore(tmp_path / "all.sqlite") as store:
        assert store.merge(files[:10]).new == 0
        with pytest.raises(UserError, match="11 tag files are more than the 10"):
            store.merge(files)


@pytest.mark.parametrize(
    ("typed", "counts"),
    [("kim ", "kim"), ("\u1100\u1175\u11b7\u1106\u1175\u11ab", "김민"), ("kim   min", "kim min")],
)
def test_two_ways_of_typing_a_name_are_one_person(path: Path, typed: str, counts: str) -> None:
    with TagStore(path) as store:
        for time, name in enumerate((typed, counts)):
            store.keep(Decision("tie", "p", ANSWERS, "", "", name, time, 1.0))
        (only,) = store.decisions()
        assert only.annotator == counts
        assert store.decisions(typed) == store.decisions(counts) == [only]
        assert store.undo(typed) is not None and store.undo(counts) is not None
        assert store.decisions() == []


def test_a_file_of_before_that_holds_a_name_as_it_was_typed_is_read_as_the_same_person(path: Path) -> None:
    with TagStore(path) as store:
        store.keep(Decision("tie", "p", ANSWERS, "", "", "kim", 1.0, 1.0))
    with sqlite3.connect(path) as base:
        base.execute("update decisions set annotator = 'kim '")
    with TagStore(path) as store:
        store.keep(Decision("bad", "p", ANSWERS, "", "", "kim", 2.0, 1.0))
        assert [decision.kind for decision in store.decisions()] == ["bad"]
        assert [decision.kind for decision in store.standing("kim ")] == ["bad"]
