"""Tags out and in again: nothing lost, nothing doubled, nothing half taken in."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rectune.align.decisions import Decision, PromptNote, subject_of
from rectune.align.import_export import export_tags, import_tags
from rectune.align.tags import ImportCounts, TagStore
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
    store.keep(PromptNote("note", "p1", ANSWERS, "kim", 6.0, '말투가 "이상" \u2028 👨‍👩‍👧\t\\'))
    store.keep(PromptNote("flag", "p2", ANSWERS, "kim", 7.0, "flagged"))
    store.keep(PromptNote("flag", "p2", ANSWERS, "kim", 8.0, ""))
    return store


def test_the_round_trip_loses_nothing(tmp_path: Path) -> None:
    with filled(tmp_path / "a.sqlite") as store, TagStore(tmp_path / "b.sqlite") as other:
        assert export_tags(store, tmp_path / "t.jsonl") == 8
        assert import_tags(tmp_path / "t.jsonl", other) == ImportCounts(8, 0)
        assert other.history() == store.history()
        assert other.digest() == store.digest()
        export_tags(other, tmp_path / "u.jsonl")
        assert (tmp_path / "u.jsonl").read_bytes() == (tmp_path / "t.jsonl").read_bytes()
        assert import_tags(tmp_path / "t.jsonl", other) == ImportCounts(0, 8)
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
        store.keep(PromptNote("note", "p", ANSWERS, name, seconds, note))
        export_tags(store, tmp_path / "t.jsonl")
        import_tags(tmp_path / "t.jsonl", other)
        assert other.history() == store.history()


GOOD = {
    "schema": 1, "row": "decision", "kind": "tag", "prompt": "p", "answers": ["a", "b"],
    "best": "a", "worst": "b", "annotator": "kim", "time": 1.0, "seconds": 1.0, "repeat": False,
    "systems": [], "undone": None,
}  # fmt: skip
MARK = {k: GOOD[k] for k in ("schema", "prompt", "answers", "annotator", "time")} | {
    "row": "mark",
    "kind": "note",
}


@pytest.mark.parametrize(
    "line",
    [
        "{", "[]", "null", '"x"', "\udcff", "[" * 100_000,
        GOOD | {"schema": 2}, GOOD | {"more": 1}, GOOD | {"kind": "best"}, GOOD | {"worst": "a"},
        GOOD | {"best": "z"}, GOOD | {"kind": "tie"}, GOOD | {"answers": ["a"]},
        GOOD | {"answers": ["a", "b", "a"]}, GOOD | {"time": "1"}, GOOD | {"time": -1.0},
        GOOD | {"seconds": float("nan")}, GOOD | {"time": 10**400}, GOOD | {"repeat": 1},
        GOOD | {"annotator": "simulated"}, GOOD | {"annotator": "\x1b[2J"}, GOOD | {"systems": ["sft"]},
        GOOD | {"prompt": "p" * 65}, GOOD | {"undone": "yes"},
        GOOD | {"row": "x"}, GOOD | {"row": ["decision"]}, MARK, MARK | {"text": "\ud800"},
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
        assert import_tags(path, store) == ImportCounts(1, 0)
        assert store.tags()[0].time == 5.0


def test_files_that_cannot_be_read_or_written_are_said(tmp_path: Path) -> None:
    with TagStore(tmp_path / "t.sqlite") as store:
        with pytest.raises(UserError, match="cannot be read"):
            import_tags(tmp_path / "none.jsonl", store)
        with pytest.raises(UserError, match="cannot be written"):
            export_tags(store, tmp_path / "no" / "t.jsonl")


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
        with TagStore(both) as store:
            assert store.merge(sources) == ImportCounts(4, 1)
            assert {(t.prompt, t.annotator, t.best) for t in store.tags()} == {
                ("p1", "kim", "a"), ("p2", "kim", "c"), ("p2", "lee", "b"),
            }  # fmt: skip
            assert store.history()[0].count(early) == 1
            assert store.merge([one, other]) == ImportCounts(0, 5)


def test_what_was_undone_in_one_file_is_undone_in_both(tmp_path: Path) -> None:
    one, other = tmp_path / "a.sqlite", tmp_path / "b.sqlite"
    for path in (one, other):
        with TagStore(path) as store:
            store.keep(decision("p"))
    with TagStore(one) as store:
        store.undo("kim")
    with TagStore(other) as store:
        assert store.merge([one]) == ImportCounts(0, 1)
        assert store.tags() == []
        (row,) = store.history()[0]
        assert row.undone is not None
        assert replace(row, undone=None) == decision("p")


def test_a_file_may_be_merged_into_itself_and_given_twice(tmp_path: Path) -> None:
    one, other = tmp_path / "a.sqlite", tmp_path / "b.sqlite"
    for path, prompt in ((one, "p"), (other, "q")):
        with TagStore(path) as store:
            store.keep(decision(prompt))
            store.keep(PromptNote("note", prompt, ANSWERS, "kim", 6.0, "x"))
    with TagStore(one) as store:
        assert store.merge([one, other, other]) == ImportCounts(2, 0)
        assert [t.prompt for t in store.tags()] == ["p", "q"]
        assert [m.prompt for m in store.marks()] == ["p", "q"]


def test_a_source_that_is_no_tag_file_is_refused_and_nothing_is_merged(tmp_path: Path) -> None:
    filled(tmp_path / "a.sqlite").close()
    (tmp_path / "b.sqlite").write_bytes(b"something else" * 99)
    with TagStore(tmp_path / "c.sqlite") as store:
        with pytest.raises(UserError, match=r"b\.sqlite"):
            store.merge([tmp_path / "a.sqlite", tmp_path / "b.sqlite"])
        assert store.history() == ([], [])
    assert (tmp_path / "b.sqlite").read_bytes() == b"something else" * 99


def test_a_source_with_a_row_that_is_none_is_refused_and_nothing_is_merged(tmp_path: Path) -> None:
    filled(tmp_path / "a.sqlite").close()
    with closing(sqlite3.connect(tmp_path / "a.sqlite")) as file, file:
        file.execute("update decisions set answers = '[]' where prompt = 'p3'")
    with TagStore(tmp_path / "c.sqlite") as store:
        with pytest.raises(UserError, match=r"a\.sqlite: .*answers"):
            store.merge([tmp_path / "a.sqlite"])
        assert store.history() == ([], [])


def test_merging_while_somebody_tags_in_a_source_loses_nothing(tmp_path: Path) -> None:
    with TagStore(tmp_path / "a.sqlite") as busy, TagStore(tmp_path / "b.sqlite") as into:
        busy.keep(decision("p1"))
        assert into.merge([busy.path]).new == 1
        busy.keep(decision("p2"))
        assert into.merge([busy.path]) == ImportCounts(1, 1)
        assert into.history() == busy.history()
