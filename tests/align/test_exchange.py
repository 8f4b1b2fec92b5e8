"""Tags out and in again: nothing lost, nothing doubled, nothing half taken in."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rectune.align.decisions import Decision, Mark, Written, subject_of
from rectune.align.exchange import Taken, export_tags, import_tags, merge_tags
from rectune.align.tags import TagStore
from rectune.core.errors import UserError

ANSWERS = ("a", "b", "c")


def decision(
    prompt: str, best: str = "a", time: float = 1.0, annotator: str = "kim", **more: object
) -> Decision:
    worst = "b" if best == "a" else "a"
    return Decision("tag", prompt, ANSWERS, best, worst, annotator, time, 2.0, **more)  # type: ignore[arg-type]


def filled(path: Path) -> TagStore:
    """A store with all that a tag file can hold."""
    store = TagStore(path)
    store.keep(decision("p1"))
    store.keep(decision("p1", "c", 2.0))
    store.keep(decision("p1", "c", 3.0, repeat=True))
    store.keep(Decision("bad", "p2", ANSWERS, "", "", "이 영희", 4.0, 0.5))
    store.keep(Decision("tag", "p3", ("x", "y"), "y", "x", "kim", 5.0, 1.5, systems=("dpo", "sft")))
    store.undo("kim", {subject_of("p1", ANSWERS)})
    store.mark(Mark("note", "p1", ANSWERS, "kim", 6.0, '말투가 "이상" \u2028 👨‍👩‍👧\t\\'))
    store.mark(Mark("flag", "p2", ANSWERS, "kim", 7.0, "flagged"))
    store.mark(Mark("flag", "p2", ANSWERS, "kim", 8.0, ""))
    return store


def test_the_round_trip_loses_nothing(tmp_path: Path) -> None:
    with filled(tmp_path / "a.sqlite") as store, TagStore(tmp_path / "b.sqlite") as other:
        assert export_tags(store, tmp_path / "t.jsonl") == 8
        assert import_tags(tmp_path / "t.jsonl", other) == Taken(8, 0)
        assert other.history() == store.history()
        assert other.digest() == store.digest()
        export_tags(other, tmp_path / "u.jsonl")
        assert (tmp_path / "u.jsonl").read_bytes() == (tmp_path / "t.jsonl").read_bytes()
        assert import_tags(tmp_path / "t.jsonl", other) == Taken(0, 8)
        assert other.history() == store.history()


NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8).filter(
    lambda text: text.isprintable() and bool(text.strip())
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=NAMES, note=st.text(st.characters(codec="utf-8"), max_size=40), seconds=st.floats(0, 1e12))
def test_any_name_note_and_time_survive(name: str, note: str, seconds: float, tmp_path: Path) -> None:
    for left in tmp_path.glob("*"):
        left.unlink()
    with TagStore(tmp_path / "a.sqlite") as store, TagStore(tmp_path / "b.sqlite") as other:
        store.keep(decision("p", annotator=name, time=seconds))
        store.mark(Mark("note", "p", ANSWERS, name, seconds, note))
        export_tags(store, tmp_path / "t.jsonl")
        import_tags(tmp_path / "t.jsonl", other)
        assert other.history() == store.history()


GOOD = {
    "schema": 1, "row": "decision", "kind": "tag", "prompt": "p", "answers": ["a", "b"], "best": "a", "worst": "b",
    "annotator": "kim", "time": 1.0, "seconds": 1.0, "repeat": False, "systems": [], "undone": None,
}  # fmt: skip
MARK = {k: GOOD[k] for k in ("schema", "prompt", "answers", "annotator", "time")} | {
    "row": "mark",
    "kind": "note",
}


@pytest.mark.parametrize(
    "line",
    [
        "{", "[]", "null", '"x"', "\udcff", "[" * 100_000,
        GOOD | {"schema": 2}, GOOD | {"more": 1}, GOOD | {"kind": "best"}, GOOD | {"worst": "a"}, GOOD | {"best": "z"},
        GOOD | {"kind": "tie"}, GOOD | {"answers": ["a"]}, GOOD | {"answers": ["a", "b", "a"]}, GOOD | {"time": "1"},
        GOOD | {"time": -1.0}, GOOD | {"seconds": float("nan")}, GOOD | {"time": 10**400}, GOOD | {"repeat": 1},
        GOOD | {"annotator": "simulated"}, GOOD | {"annotator": "\x1b[2J"}, GOOD | {"systems": ["sft"]},
        GOOD | {"prompt": "p" * 65}, GOOD | {"undone": "yes"}, MARK, MARK | {"text": "\ud800"},
        MARK | {"text": "x" * 3000}, {k: v for k, v in GOOD.items() if k != "worst"},
    ],
)  # fmt: skip
def test_a_broken_line_is_named_and_nothing_is_taken_in(line: object, tmp_path: Path) -> None:
    text = line if isinstance(line, str) else json.dumps(line)
    path = tmp_path / "t.jsonl"
    path.write_bytes((json.dumps(GOOD) + "\n\n" + text + "\n").encode("utf-8", "surrogateescape"))
    with TagStore(tmp_path / "t.sqlite") as store:
        with pytest.raises(UserError, match=r"t\.jsonl:3"):
            import_tags(path, store)
        assert store.history() == ([], [])


def test_whole_numbers_are_times_too_and_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(json.dumps(GOOD | {"time": 5}), encoding="utf-8-sig")
    with TagStore(tmp_path / "t.sqlite") as store:
        assert import_tags(path, store) == Taken(1, 0)
        assert store.tags()[0].time == 5.0


def test_files_that_cannot_be_read_or_written_are_said(tmp_path: Path) -> None:
    with TagStore(tmp_path / "t.sqlite") as store:
        with pytest.raises(UserError, match="cannot be read"):
            import_tags(tmp_path / "none.jsonl", store)
        with pytest.raises(UserError, match="cannot be written"):
            export_tags(store, tmp_path / "no" / "t.jsonl")
    with pytest.raises(UserError, match="no such tag file"):
        merge_tags([tmp_path / "none.sqlite"], tmp_path / "c.sqlite")
    assert not (tmp_path / "c.sqlite").exists()


def test_merging_keeps_duplicates_once_and_lets_the_later_of_two_count(tmp_path: Path) -> None:
    one, other, both = (tmp_path / f"{name}.sqlite" for name in "abc")
    shared_row, early, late = decision("p1"), decision("p2", "a", 10.0), decision("p2", "c", 20.0)
    with TagStore(one) as store:
        for row in (shared_row, late):
            store.keep(row)
    with TagStore(other) as store:
        for row in (early, shared_row, decision("p2", "b", 30.0, "lee")):
            store.keep(row)
    for sources in ([one, other], [other, one]):
        both.unlink(missing_ok=True)
        assert merge_tags(sources, both) == Taken(4, 0)
        with TagStore(both) as store:
            assert {(t.prompt, t.annotator, t.best) for t in store.tags()} == {
                ("p1", "kim", "a"), ("p2", "kim", "c"), ("p2", "lee", "b"),
            }  # fmt: skip
            assert [row.decision for row in store.history()[0]].count(early) == 1
    assert merge_tags([one, other], both) == Taken(0, 4)


def test_what_was_undone_in_one_file_is_undone_in_both(tmp_path: Path) -> None:
    one, other = tmp_path / "a.sqlite", tmp_path / "b.sqlite"
    for path in (one, other):
        with TagStore(path) as store:
            store.keep(decision("p"))
    with TagStore(one) as store:
        store.undo("kim")
    merge_tags([one], other)
    with TagStore(other) as store:
        assert store.tags() == []
        assert [(row.decision, row.undone is None) for row in store.history()[0]] == [(decision("p"), False)]


def test_a_write_that_breaks_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    with TagStore(tmp_path / "t.sqlite") as store:
        broken = Written(decision("p2", time=None), None)  # type: ignore[arg-type]
        with pytest.raises(UserError, match="cannot be used"):
            store.write([Written(decision("p1"), None), broken], [])
        assert store.history() == ([], [])
        store.keep(decision("p3"))
    with closing(sqlite3.connect(tmp_path / "t.sqlite")) as file:
        assert file.execute("select count(*) from decisions").fetchone() == (1,)
