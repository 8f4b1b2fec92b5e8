"""Files of one record a line: JSON, Python literals, JSON arrays, plain and packed, whole and torn."""

import gzip
import json
import random
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rectune.core.errors import UserError
from rectune.readers.cells import number, whole
from rectune.readers.drops import Drops, Sizes
from rectune.readers.json_records import batches, columns, item_table, records, scan_scalars
from rectune.readers.raw import item_columns

SCHEMA: dict[str, pl.DataType] = {"u": pl.String(), "r": pl.Float64(), "t": pl.Int64()}

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
mappings = st.dictionaries(texts, scalars, max_size=5)


SMALL = Sizes(chunk=50, piece=20, scanned=7)  # borders of chunks fall everywhere


def scanned(
    path: Path,
    drops: Drops | None = None,
    schema: Mapping[str, pl.DataType] = SCHEMA,
    sizes: Sizes = Sizes(),  # noqa: B008
) -> list[Any]:
    return [row for batch in scan_scalars(path, schema, drops or Drops(), sizes) for row in batch.rows()]


def made(count: int) -> list[dict[str, Any]]:
    return [
        {"u": f"사람{i}", "r": i / 2, "t": 10**12 + i, "text": "<br>\n" * (i % 9), "in": {"u": 1}}
        for i in range(count)
    ]


def written(path: Path, rows: list[dict[str, Any]], how: Callable[[Any], str] = json.dumps) -> Path:
    path.write_text("".join(how(row) + "\n" for row in rows), encoding="utf-8")
    return path


# What a line may be -----------------------------------------------------------------------------------------


@given(st.lists(mappings, min_size=1, max_size=4), st.booleans())
def test_mappings_come_back_however_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]], packed: bool
) -> None:
    forms = [
        form for row in rows for form in (json.dumps(row), json.dumps(row, ensure_ascii=False), repr(row))
    ]
    data = "\n".join(forms).encode()
    path = tmp_path_factory.getbasetemp() / ("any.json.gz" if packed else "any.json")
    path.write_bytes(gzip.compress(data, 1) if packed else data)
    assert list(records(path, Drops())) == [row for row in rows for _ in range(3)]


def test_marks_blank_lines_and_a_missing_last_line_end_are_read_over(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_bytes(b'\xef\xbb\xbf{"u": "a"}\r\n\r\n  \n{"u": "b"}\r\n{"u": "c"}')
    drops = Drops()
    assert [row["u"] for row in records(path, drops)] == ["a", "b", "c"]
    assert [row[0] for row in scanned(path, drops)] == ["a", "b", "c"]
    assert drops.counts == {}


def test_literals_are_read_and_never_run(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    ran = tmp_path / "ran"
    path.write_text(
        f"{{u'u': 'a', 'r': __import__('pathlib').Path({str(ran)!r}).touch()}}\n{{u'u': 'b', 'r': 1L}}\n"
    )
    drops = Drops(malformed_limit=1.0)
    assert list(records(path, drops)) == []
    assert scanned(path, drops) == []
    assert drops.counts == {"malformed line": 4}
    assert not ran.exists()


def test_numbers_keep_their_digits_and_the_unreadable_is_null() -> None:
    assert [whole(value) for value in (2**62 + 1, "77", "7.9", 2**63, 1e300, True, "x", None, [1])] == [
        2**62 + 1, 77, 7, None, None, None, None, None, None,
    ]  # fmt: skip
    assert [number(value) for value in ("2.5", 10**400, "inf", "nan", False)] == [2.5, None, None, None, None]


# Columns ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["json", "json.gz"])
def test_columns_are_the_records_whatever_their_form(tmp_path: Path, ending: str) -> None:
    rows = made(60)
    expected = [(row["u"], row["r"], row["t"]) for row in rows]
    array = tmp_path / "array.json"
    array.write_text(json.dumps(rows, indent=1))
    for path in (
        written(tmp_path / "json.json", rows),
        written(tmp_path / "unescaped.json", rows, lambda row: json.dumps(row, ensure_ascii=False)),
        written(tmp_path / "literals.json", rows, repr),
        array,
    ):
        if ending == "json.gz":
            packed = path.with_suffix(".json.gz")
            packed.write_bytes(gzip.compress(path.read_bytes()))
            path = packed
        assert scanned(path, sizes=SMALL) == expected, path.name


def test_odd_lines_are_mended_and_cost_their_neighbours_nothing(tmp_path: Path) -> None:
    path = tmp_path / "odd.json"
    good = [json.dumps(row) for row in made(5000)]
    odd = ['{"u": 5, "r": "2.5", "t": 1.0}', '{"u": null, "r": [1], "t": "12"}', '{"u": "cut off', "[1]"]
    path.write_text("\n".join([*good[:4000], *odd, *good[4000:]]))
    drops = Drops()
    rows = scanned(path, drops, sizes=Sizes(piece=2000))
    assert len(rows) == 5002
    assert rows[4000:4002] == [("5", 2.5, 1), (None, None, 12)]
    assert rows[4999] == ("사람4997", 2498.5, 10**12 + 4997)
    assert drops.counts == {"malformed line": 2}
    assert drops.first["malformed line"][0].startswith("odd.json:4003: ")


def test_batches_are_joined_to_a_useful_size(tmp_path: Path) -> None:
    path = written(tmp_path / "r.json", made(350))
    sizes = Sizes(chunk=1000, scanned=100)
    heights = [batch.height for batch in scan_scalars(path, SCHEMA, Drops(), sizes)]
    assert sum(heights) == 350
    assert all(100 <= height < 130 for height in heights[:-1])


def test_rows_become_columns_in_batches() -> None:
    schema = {"n": pl.Int64()}
    assert [batch["n"].to_list() for batch in batches(((i,) for i in range(5)), schema, 2)] == [
        [0, 1],
        [2, 3],
        [4],
    ]
    assert columns(((i,) for i in range(20)), schema, 7)["n"].to_list() == list(range(20))
    assert columns((), schema).schema == pl.Schema(schema)
    table = item_table(({"item_id": str(i), "marks": [None]} for i in range(20)), 7)
    assert table["item_id"].to_list() == [str(i) for i in range(20)]
    assert table.schema == item_table(()).schema == pl.Schema(item_columns())


# Arrays -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("indent", [None, 0, 2])
def test_a_file_may_be_one_array(tmp_path: Path, indent: int | None) -> None:
    rows = made(30)
    path = tmp_path / "r.json"
    for content in (
        json.dumps(rows, indent=indent),
        "\ufeff\n" + json.dumps(rows, indent=indent, ensure_ascii=False) + "\n\n",
    ):
        path.write_text(content, encoding="utf-8")
        assert list(records(path, Drops(), SMALL)) == rows


def test_elements_that_are_no_records_are_counted_where_they_stand(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_text('[\n{"u": "a"},\n7,\n{"u": "b"}\n]')
    drops = Drops(malformed_limit=0.5)
    assert [row["u"] for row in records(path, drops)] == ["a", "b"]
    assert drops.first == {"malformed line": ["r.json:3: holds no record in braces"]}


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ('[\n{"u": "a"},\n{"u": "b"', 3),
        ('[{"u": "a"},\n{"u": b}]', 2),
        ('[{"u": 1}]\n[{"u": 2}]', 2),
        ("[{", 1),
    ],
)
def test_an_array_that_is_not_whole_is_an_error_and_never_half_a_file(
    tmp_path: Path, content: str, line: int
) -> None:
    path = tmp_path / "r.json"
    path.write_text(content)
    for sizes in (SMALL, Sizes()):
        with pytest.raises(UserError, match=rf"r\.json:{line}: malformed: .*\n.*array"):
            list(records(path, Drops(), sizes))


def test_a_malformed_element_is_not_searched_for_through_the_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "r.json.gz"
    content = gzip.compress(b'[{"u": oops}' + random.Random(1).randbytes(100_000).hex().encode())
    path.write_bytes(content[:-8])  # torn: reading on to its end would say so
    with pytest.raises(UserError, match="malformed: not JSON"):
        list(records(path, Drops(), Sizes(chunk=50, longest=200)))


# Files that are not what they seem --------------------------------------------------------------------------


def test_every_torn_packed_file_is_one_error_that_names_it(tmp_path: Path) -> None:
    path = tmp_path / "r.json.gz"
    whole_file = gzip.compress(b"".join(json.dumps(row).encode() + b"\n" for row in made(50)))
    for length in range(len(whole_file)):
        path.write_bytes(whole_file[:length])
        for read in (lambda: list(records(path, Drops())), lambda: scanned(path)):
            with pytest.raises(UserError) as caught:
                read()
            assert (caught.value.where, caught.value.hint) == (
                str(path),
                "get the file again, or fix it",
            )
    path.write_bytes(whole_file)
    assert len(scanned(path)) == 50
    path.write_bytes(whole_file * 2)
    assert len(scanned(path)) == 100


def test_what_is_no_packed_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "r.json.gz"
    path.write_bytes(b"<html>not found</html>")
    with pytest.raises(UserError, match=r"r.json.gz: is a page of the web"):
        scanned(path)


@pytest.mark.parametrize("name", ["r.json", "r.json.gz"])
def test_empty_and_missing_files_are_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with pytest.raises(UserError, match=f"{name}: cannot be read"):
        scanned(path)
    path.touch()
    with pytest.raises(UserError, match=f"{name}: is empty"):
        list(records(path, Drops()))


def test_the_first_rows_come_before_the_file_was_read_to_its_end(tmp_path: Path) -> None:
    rng = random.Random(2)
    path = tmp_path / "r.json.gz"
    rows = [{"u": rng.randbytes(200).hex(), "r": 1.0, "t": i} for i in range(2000)]
    path.write_bytes(gzip.compress(b"".join(json.dumps(row).encode() + b"\n" for row in rows))[:-9])
    found = scan_scalars(path, SCHEMA, Drops(), Sizes(chunk=1000, scanned=10))
    assert next(found)["t"].to_list()[:10] == list(range(10))
    with pytest.raises(UserError, match="cut off"):
        list(found)


def test_reading_can_be_broken_off(tmp_path: Path) -> None:
    before = threading.active_count()
    found = records(written(tmp_path / "r.json", made(1000)), Drops())
    next(found)
    found.close()
    assert threading.active_count() == before


@pytest.mark.parametrize(("limit", "passes"), [(0.04, False), (0.05, True)])
def test_the_limit_on_malformed_lines_is_the_callers(tmp_path: Path, limit: float, passes: bool) -> None:
    path = tmp_path / "r.json"
    path.write_text('{"u": "a"}\n' * 95 + "broken\n" * 5)
    for read in (lambda drops: list(records(path, drops)), lambda drops: scanned(path, drops)):
        drops = Drops(malformed_limit=limit)
        if passes:
            assert len(read(drops)) == 95
            assert drops.counts == {"malformed line": 5}
            assert drops.first["malformed line"][0].startswith("r.json:96: ")
        else:
            with pytest.raises(UserError, match=r"r.json:96: .*5 of 100 lines"):
                read(drops)


# Keys that stand twice --------------------------------------------------------------------------------------

TWICE = '{"u": "a", "r": 1, "in": {"x": 1, "x": 2}}'


@pytest.mark.parametrize("twice", ['{"u": "a", "r": 1, "u": "b"}', TWICE, TWICE.replace("2", "1")])
@pytest.mark.parametrize("as_array", [False, True])
def test_a_record_with_a_key_twice_in_one_object_is_malformed(
    tmp_path: Path, twice: str, as_array: bool
) -> None:
    lines = [json.dumps({"u": f"u{n}", "r": n}) for n in range(300)]
    lines[123] = twice
    text = "[" + ",\n".join(lines) + "]" if as_array else "\n".join(lines) + "\n"
    path = tmp_path / "a.json"
    path.write_text(text)
    for read in (lambda drops: [row["u"] for row in records(path, drops)],
                 lambda drops: [row[0] for row in scanned(path, drops)]):  # fmt: skip
        drops = Drops()
        assert read(drops) == [f"u{n}" for n in range(300) if n != 123]
        assert drops.counts == {"malformed line": 1}
        (place,) = drops.first["malformed line"]
        assert place.startswith("a.json:124: has the key ") and place.endswith("twice in one object")
        with pytest.raises(UserError, match=r"a\.json:124: has the key \w twice in one object; 1 of 300"):
            read(Drops(malformed_limit=0.0))


def test_in_a_large_file_keys_that_stand_twice_in_many_lines_are_found_by_a_sample(tmp_path: Path) -> None:
    # Every tenth line but the first ones; 3 MB are one chunk, of which a hundred lines are looked at.
    lines = [json.dumps({"u": f"u{n}", "r": n, "text": "x" * 60}) for n in range(30_000)]
    for n in range(1005, 30_000, 10):
        lines[n] = '{"u": "a", "r": 1, "u": "b"}'
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(lines) + "\n")
    drops = Drops(malformed_limit=1.0)
    assert len(scanned(path, drops)) == 27_100 and drops.counts == {"malformed line": 2900}


def test_equal_keys_in_different_objects_are_none_that_stand_twice(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"u": "a", "in": {"u": 1, "more": [{"u": 1}, {"u": 2}]}}\n')
    drops = Drops()
    assert [row["u"] for row in records(path, drops)] == ["a"] and not drops.counts
