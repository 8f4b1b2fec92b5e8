"""A column of texts from every kind of file and from a pipe; what is malformed is named with its line."""

import csv
import gzip
import io
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rectune.core.errors import UserError
from rectune.readers.drops import Drops
from rectune.readers.json_array import array_elements, objects_on_lines
from rectune.readers.texts import open_texts

TEXTS = [
    "a good answer",
    "",
    'with, "quotes";\nand a line\t',
    "조용한 영화",
    "nul \x00 here",
    "x" * 1_000_000,
]


def texts(file: Path, column: str = "", kind: str = "") -> list[str | None]:
    with open_texts(file, column, kind) as found:
        return list(found)


def lines(rows: list[str]) -> bytes:
    return "".join(json.dumps({"id": 1, "response": row}) + "\n" for row in rows).encode()


def array(rows: list[str]) -> bytes:
    return json.dumps(
        [{"response": row, "more": [{}]} for row in rows], indent=1, ensure_ascii=False
    ).encode()


def comma(rows: list[str]) -> bytes:
    written = io.StringIO(newline="")
    csv.writer(written).writerows([["id", "response"], *([1, row] for row in rows)])
    return written.getvalue().encode()


def tabs(rows: list[str]) -> bytes:
    written = io.StringIO(newline="")
    csv.writer(written, delimiter="\t").writerows([["id", "response"], *([1, row] for row in rows)])
    return written.getvalue().encode()


def parquet(rows: list[str]) -> bytes:
    written = io.BytesIO()
    schema = {"id": pl.Int64(), "response": pl.String()}
    pl.DataFrame({"id": [1] * len(rows), "response": rows}, schema=schema).write_parquet(written)
    return written.getvalue()


WRITERS: dict[str, Callable[[list[str]], bytes]] = {
    "a.jsonl": lines,
    "a.ndjson": lines,
    "a.json": array,
    "lines.json": lines,
    "a.csv": comma,
    "a.tsv": tabs,
    "a.parquet": parquet,
    "a.jsonl.gz": lambda rows: gzip.compress(lines(rows), mtime=0),
    "a.json.gz": lambda rows: gzip.compress(array(rows), mtime=0),
    "a.csv.gz": lambda rows: gzip.compress(comma(rows), mtime=0),
    "unpacked.csv.gz": comma,
    "bom.jsonl": lambda rows: b"\xef\xbb\xbf" + lines(rows),
    "bom.json": lambda rows: b"\xef\xbb\xbf \n" + array(rows),
    "bom.csv": lambda rows: b"\xef\xbb\xbf" + comma(rows),
    "crlf.jsonl": lambda rows: lines(rows).replace(b"\n", b"\r\n"),
    "blank.jsonl": lambda rows: b"\n\n" + lines(rows).replace(b"\n", b"\n \n"),
}


@pytest.fixture
def piped(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], Path]:
    """Puts bytes into standard input; gives the name it is read by."""

    def put(content: bytes) -> Path:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(content))))  # type: ignore[type-var]
        return Path("-")

    return put


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_gives_back_the_texts(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(WRITERS[name](TEXTS))
    assert texts(tmp_path / name) == TEXTS
    assert texts(tmp_path / name, "response") == TEXTS


@pytest.mark.parametrize("name", WRITERS)
def test_a_pipe_is_known_by_its_first_bytes(piped: Callable[[bytes], Path], name: str) -> None:
    assert texts(piped(WRITERS[name](TEXTS))) == TEXTS


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=30), min_size=1, max_size=10))
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv", "a.parquet"])
def test_any_texts_come_back(tmp_path: Path, name: str, rows: list[str]) -> None:
    (tmp_path / name).write_bytes(WRITERS[name](rows))
    assert texts(tmp_path / name, "response") == rows


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv", "a.csv.gz", "a.parquet"])
def test_a_file_without_a_byte_holds_no_texts(
    tmp_path: Path, piped: Callable[[bytes], Path], name: str
) -> None:
    (tmp_path / name).touch()
    assert texts(tmp_path / name) == texts(tmp_path / name, "other") == texts(piped(b"")) == []


@pytest.mark.parametrize("name", ["a.json", "a.csv", "a.parquet"])
def test_a_file_without_a_row_holds_no_texts(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(WRITERS[name]([]))
    assert texts(tmp_path / name, "" if name == "a.json" else "response") == []


def test_lone_surrogates_are_replaced_and_nulls_are_empty(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "a\\ud800b\\u0000"}\n{"text": null}\n')
    assert texts(tmp_path / "a.jsonl") == ["a?b\x00", ""]
    pl.DataFrame({"text": ["a", None]}).write_parquet(tmp_path / "a.parquet")
    assert texts(tmp_path / "a.parquet") == ["a", ""]


def test_in_a_csv_file_of_one_column_a_blank_line_is_an_empty_text(tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text("answer\nfirst\n\nlast\n")
    (tmp_path / "two.csv").write_text("n,answer\n1,first\n\n2,last\n")
    assert texts(tmp_path / "one.csv") == ["first", "", "last"]
    assert texts(tmp_path / "two.csv") == ["first", "last"]


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ({"prompt": "p", "response": "r"}, "response"),
        ({"title": "t", "text": "x"}, "text"),
        ({"text": "x", "response": "r"}, "response"),
        ({"n": 3, "answer": "a"}, "answer"),
    ],
)
def test_the_column_is_found(tmp_path: Path, row: dict[str, str], column: str) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps(row))
    pl.DataFrame([row]).write_csv(tmp_path / "a.csv")
    pl.DataFrame([row]).write_parquet(tmp_path / "a.parquet")
    for name in ("a.jsonl", "a.csv", "a.parquet"):
        assert texts(tmp_path / name) == [row[column]]


def test_text_in_any_of_arrows_types_is_text(tmp_path: Path) -> None:
    for kind in (pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())):
        table = pa.table({"n": [1, 2, 3], "a.b": pa.array(["x", None, "x"], kind)})
        pq.write_table(table, tmp_path / "a.parquet")
        assert texts(tmp_path / "a.parquet") == ["x", "", "x"]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.jsonl", b'{"a": "x", "b": "y"}', r"a\.jsonl: has 2 columns of text\n.*--column: a, b"),
        ("a.csv", b"a,b\nx,y\n", r"a\.csv: has 2 columns of text\n.*--column: a, b"),
        ("a.csv", b"a,b\n1,2\n", r"a\.csv: has 2 columns of text"),
        ("a.jsonl", b'{"n": 1}', r"a\.jsonl: has no columns of text\n.*--column: n"),
        ("a.jsonl", b'{"a\\u001b[2J": 1}', r"--column: a␛\[2J"),
        ("a.jsonl", b'{"text": "x"}\n\n{"other": 1}\n', r"a\.jsonl:3: has no text, only other"),
        ("a.jsonl", b'{"text": "x"}\n{"text": [1]}\n', r"a\.jsonl:2: its text is no text but a list"),
        (
            "a.jsonl",
            b'{"text": "x"}\nrubbish\n',
            r"a\.jsonl:2: malformed: not JSON, Expecting value at column 1",
        ),
        ("a.jsonl", b'{"text": "x"}\n{"text": "\xff"}\n', r"a\.jsonl:2: malformed: not UTF-8; 1 of 2 lines"),
        ("a.jsonl", b'\n{"text": "x"}\n"y"', r"a\.jsonl:3: malformed: a text, no object"),
        ("a.jsonl", b'{"text": ' + b"[" * 100_000, r"a\.jsonl:1: malformed"),
        ("a.jsonl", b'{"text": ' + b"9" * 10_000 + b"}", r"a\.jsonl:1: malformed: Exceeds the limit"),
        ("a.jsonl", b'{"text": "raw \x00"}', r"a\.jsonl:1: malformed: not JSON, Invalid control"),
        ("a.json", b'[{"text": "x"},\n {"text": "y"', r"a\.json:2: malformed"),
        ("a.json", b'[{"text": "x"}\n {"text": "y"}]', r"a\.json:2: malformed: “\{” in place of “\]”"),
        ("a.json", b'[{"text": "x"},\n]', r"a\.json:2: malformed"),
        ("a.json", b'[{"text": "x"}]\n[]', r"a\.json:2: malformed: “\[” after the end"),
        ("a.json", b'[{"text": "x"},\n3]', r"a\.json:2: malformed: a number, no object"),
        ("a.json", b'[{"text": "\xff"}]', r"a\.json:1: malformed: not UTF-8"),
        ("a.json", b"[" * 100_000, r"a\.json:1: malformed"),
        ("a.csv", b'a,text\n1,x\n2,"y', r"a\.csv:3: malformed CSV: a quote opens no field, or does not"),
        ("a.csv", b"a,text\n1,x\n2,y,z\n", r"a\.csv:3: has more than the 2 fields that the header has"),
        ("a.csv", b"a,text\n1,x\n2,\xff\n", r"a\.csv:3: malformed: not UTF-8"),
        ("a.csv", "a,text".encode("utf-16"), r"a\.csv:1: malformed: not UTF-8"),
        ("a.parquet", b"rubbish", r"a\.parquet: cannot be read"),
        ("a.parquet", parquet(["x"])[:-20] + b"y" * 16 + b"PAR1", r"a\.parquet: cannot be read"),
        (
            "a.jsonl.gz",
            gzip.compress(lines(["x"] * 9999), mtime=0)[:100],
            r"a\.jsonl\.gz: cannot be read to its end",
        ),
        ("a.txt", b"x", r"a\.txt: unknown kind of file: the name ends in \.txt\n.*--format"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=words):
        texts(tmp_path / name)


def read(file: Path, share: float = 0.01) -> tuple[list[str | None], Drops]:
    drops = Drops(malformed_limit=share)
    with open_texts(file, "text", drops=drops) as found:
        return list(found), drops


@pytest.mark.parametrize(
    ("name", "good", "bad", "why"),
    [
        ("a.jsonl", '{"text": "x"}', "rubbish", "malformed: not JSON, Expecting value at column 1"),
        ("a.jsonl", '{"text": "x"}', "[1]", "malformed: a list, no object"),
        ("a.jsonl", '{"text": "x"}', '{"other": 1}', "has no text, only other"),
        ("a.jsonl", '{"text": "x"}', '{"text": 3}', "its text is no text but a number"),
        ("a.jsonl", '{"text": "x"}', '{"text": "\udcff"}', "malformed: not UTF-8"),
        ("a.jsonl", '{"text": "x"}', '{"text": "a", "text": "b"}', "has the key text twice in one object"),
        ("a.json", '{"text": "x"},', "3,", "malformed: a number, no object"),
        ("a.json", '{"text": "x"},', '{"text": "a", "text": "b"},', "has the key text twice in one object"),
        ("a.csv", "1,x", "2,y,z", "has more than the 2 fields that the header has"),
        ("a.csv", "1,x", '2,"y"z', "malformed CSV: "),
        ("a.csv", "1,x", "2,\udcff", "malformed: not UTF-8"),
    ],
)
def test_one_malformed_line_in_a_hundred_is_counted_and_keeps_its_place(
    tmp_path: Path, name: str, good: str, bad: str, why: str
) -> None:
    begin, end = {"a.jsonl": ("", ""), "a.json": ("[", '{"text": "x"}]'), "a.csv": ("n,text\n", "")}[name]
    rows = [good] * 50 + [bad] + [good] * (99 - 50 - bool(end))
    content = begin + "\n".join(rows) + "\n" + end
    (tmp_path / name).write_bytes(content.encode("utf-8", "surrogateescape"))
    found, drops = read(tmp_path / name)
    assert found == ["x"] * 50 + [None] + ["x"] * 49
    assert drops.counts == {"malformed line": 1}
    line = 52 if name == "a.csv" else 51
    assert drops.first["malformed line"][0].startswith(f"{name}:{line}: {why}")
    with pytest.raises(UserError, match=rf"{name}:{line}: .*; 1 of 100 lines are malformed"):
        read(tmp_path / name, share=0.009)


def test_the_first_lines_may_be_malformed_too(tmp_path: Path) -> None:
    for name, begin, bad, good in (
        ("a.jsonl", "", "no", '{"text": "x"}'),
        ("a.csv", "n,text\n", "no", "1,x"),
    ):
        (tmp_path / name).write_text(begin + f"{bad}\n" * 150 + f"{good}\n" * 29_850)
        found, drops = read(tmp_path / name)
        assert found == [None] * 150 + ["x"] * 29_850 and drops.counts == {"malformed line": 150}


def test_a_quote_that_does_not_close_costs_its_own_line(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    for behind in (9, 500):
        path.write_text("n,text\n" + "1,x\n" * 990 + '2,"y\n' + "1,x\n" * behind)
        found, drops = read(path)
        assert found == ["x"] * 990 + [None] + ["x"] * behind
        assert drops.counts == {"malformed line": 1}
        assert drops.first["malformed line"][0].startswith("a.csv:992: malformed CSV: ")


@pytest.mark.parametrize("between", [1, 50, 300])
def test_what_lies_between_two_stray_quotes_is_no_single_text(tmp_path: Path, between: int) -> None:
    """The second quote ends a field, so that the lines between them read as one text of several lines."""
    path = tmp_path / "a.csv"
    path.write_text("n,text\n" + "1,x\n" * 500 + '2,"y\n' + "1,x\n" * between + '1,z"\n' + "1,x\n" * 500)
    found, drops = read(path)
    assert found == ["x"] * 500 + [None] + ["x"] * between + ['z"'] + ["x"] * 500
    assert drops.counts == {"malformed line": 1}


def test_texts_longer_than_what_is_looked_at_together_come_whole(tmp_path: Path) -> None:
    rows = ['first, "quoted"\n' + "x" * 3_000_000 + "\nlast", "y", "z\u2028\x0b\x85" * 200_000]
    (tmp_path / "a.csv").write_bytes(comma(rows))
    assert texts(tmp_path / "a.csv") == rows


def test_a_file_of_rubbish_is_not_read_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("rubbish\n" * 100_000)
    with pytest.raises(UserError, match="1,000 of 1,000 lines are malformed"):
        read(tmp_path / "a.jsonl")


def test_a_file_in_another_encoding_is_refused_with_the_encoding(tmp_path: Path) -> None:
    rows = [f"{n},조용한 영화와 책" for n in range(50)]
    (tmp_path / "a.csv").write_bytes("\n".join(["n,text", *rows]).encode("cp949"))
    with pytest.raises(UserError, match=r"a\.csv:2: malformed: not UTF-8[\s\S]*cp949"):
        read(tmp_path / "a.csv")


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.parquet"])
def test_a_column_that_is_not_there_is_named_at_once(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(WRITERS[name](["x"]))
    with pytest.raises(UserError, match=r"absent[\s\S]*response"), open_texts(tmp_path / name, "absent"):
        raise AssertionError("it was opened")


def test_what_is_no_file_is_named(tmp_path: Path) -> None:
    for path, words in ((tmp_path / "absent.csv", "no such file"), (tmp_path, "cannot be read")):
        with pytest.raises(UserError, match=words):
            texts(path)
    with pytest.raises(UserError, match="unknown format xml"):
        texts(tmp_path / "a", kind="xml")


def test_a_format_that_is_given_counts_for_more_than_the_name(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(comma(["x"]))
    assert texts(tmp_path / "a.txt", kind="csv") == ["x"]


def test_errors_of_whoever_reads_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(lines(["x"]))
    with pytest.raises(BrokenPipeError), open_texts(tmp_path / "a.jsonl"):
        raise BrokenPipeError


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv", "a.jsonl.gz"])
def test_a_file_is_not_held_in_memory(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(WRITERS[name](["x" * 1000] * 20_000))
    tracemalloc.start()
    with open_texts(tmp_path / name) as found:
        assert sum(1 for _ in found) == 20_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 << 20


def test_a_line_without_an_end_is_given_up() -> None:
    lines = io.BufferedReader(io.BytesIO(b'{"text": "x"}\n{"text": "' + b"x" * 2000))  # type: ignore[type-var]
    array = io.BufferedReader(io.BytesIO(b'[{"text": "x"},\n{"text": "' + b"x" * 20_000))  # type: ignore[type-var]
    for found in (
        objects_on_lines(lines, "a", 1, longest=1000),
        array_elements(array, "a", 1, longest=1000, chunk=100),
    ):
        assert next(found) == (1, {"text": "x"})
        with pytest.raises(UserError, match="a:2: "):
            next(found)
    assert array.tell() < 5000
