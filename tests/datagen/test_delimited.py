"""Delimited files: read back as written, in batches, with malformed lines counted and located."""

import csv
import gzip
import io
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rectune.core.errors import UserError
from rectune.datagen.datasets.delimited import Dialect, read_delimited, scan_delimited
from rectune.datagen.datasets.raw import Drops, Sizes

NOTES = {"id": pl.String(), "note": pl.String()}
RATED = {"user": pl.String(), "item": pl.String(), "value": pl.Float32(), "time": pl.Int64()}
RATINGS = "user,item,value,time\n"

# Anything but lone surrogates, which UTF-8 cannot hold.
texts = st.text(st.characters(exclude_categories=["Cs"])) | st.text('",;\n\r \\a', max_size=12)
small_chunks = st.sampled_from([7, 60, 1 << 20])


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("delimited") / "table.csv"


def ratings(path: Path, body: str, limit: float = 0.5, chunk: int = 1 << 20) -> tuple[pl.DataFrame, Drops]:
    path.write_text(RATINGS + body, encoding="utf-8")
    drops = Drops(malformed_limit=limit)
    return read_delimited(path, RATED, list(RATED), drops, sizes=Sizes(chunk=chunk)), drops


def written(rows: Sequence[Sequence[str]], separator: str) -> str:
    stream = io.StringIO()
    csv.writer(stream, delimiter=separator).writerows(rows)
    return stream.getvalue()


@given(st.lists(st.tuples(texts, texts), max_size=8), st.sampled_from(",;\t|"), small_chunks)
@example([('5" disk', "a\r\nb"), ('""', "\ufeff\0")], ",", 7)
@example([("x", "l\n" * 150)], ",", 7)
def test_what_was_written_is_read_back(
    path: Path, rows: list[tuple[str, str]], separator: str, chunk: int
) -> None:
    numbered = [(f"r{place}", *row) for place, row in enumerate(rows)]
    table = written([("id", "note", "more"), *numbered], separator)
    path.write_bytes(table.encode())
    drops, schema = Drops(), NOTES | {"more": pl.String()}
    read = read_delimited(path, schema, ["id"], drops, Dialect(separator), Sizes(chunk=chunk))
    assert read.fill_null("").rows() == numbered
    assert drops.counts == {}


BROKEN = st.sampled_from(
    ["u,i,2.0,5,more", "u,i,2.0,5,,,", "u,i,two,5", "u,i,nan,5", "u,i,2.0", ",i,2.0,5", "u,i,2.0,1e99"]
)


@given(st.lists(texts, max_size=6), st.data(), small_chunks)
def test_a_malformed_line_is_counted_and_located_wherever_it_stands(
    path: Path, items: list[str], data: st.DataObject, chunk: int
) -> None:
    rows = [written([("u", f"i{item}", "1.5", "7")], ",") for item in items]
    place, line = data.draw(st.integers(0, len(rows))), data.draw(BROKEN)
    if line == "u,i,2.0,5,,,":  # separators at the end of a line hold nothing
        line = "u,i,2.0,5,x,,"
    before = "".join([RATINGS, *rows[:place]])
    path.write_bytes("".join([before, line + "\r\n", *rows[place:]]).encode())
    drops = Drops(malformed_limit=1.0)
    read = read_delimited(path, RATED, list(RATED), drops, sizes=Sizes(chunk=chunk))
    assert read["item"].to_list() == [f"i{item}" for item in items]
    assert drops.counts == {"malformed line": 1}
    assert drops.first["malformed line"].startswith(f"table.csv:{before.count(chr(10)) + 1}: has ")


@given(st.integers(0, 30), small_chunks)
def test_a_quote_that_never_closes_costs_one_line(path: Path, place: int, chunk: int) -> None:
    rows = [f'u{number},"i, {number}",1,2\n' for number in range(30)]
    rows.insert(place, 'u,"open,1,2\n')
    read, drops = ratings(path, "".join(rows), chunk=chunk)
    assert read["item"].to_list() == [f"i, {number}" for number in range(30)]
    where = f"table.csv:{place + 2}: a quote opens here and does not close as it should"
    assert (drops.counts, drops.first) == ({"malformed line": 1}, {"malformed line": where})


def test_quotes_that_open_nothing_are_text(path: Path) -> None:
    read, drops = ratings(
        path, 'a,5" disk,1,2\nb,3" disk,1,2\nc,"say ""x""",1,2\nd,say "x",1,2\ne,"shut" open,1,2\nf,g,1,2\n'
    )
    assert read["item"].to_list() == ['5" disk', '3" disk', 'say "x"', 'say "x"', "g"]
    assert drops.first["malformed line"].startswith("table.csv:6: a quote opens here")


def test_blank_lines_white_space_and_line_ends(path: Path) -> None:
    body = "\na,b, 2.5 , 7\r\n\r\n c ,d,3,8\n,,,\n\ne,f,1,9"
    read, drops = ratings(path, body)
    assert read.rows() == [("a", "b", 2.5, 7), (" c ", "d", 3.0, 8), ("e", "f", 1.0, 9)]
    assert drops.counts == {}


def test_byte_order_mark_and_bytes_that_are_no_utf8(path: Path) -> None:
    path.write_bytes("\ufeffid,note\n1,caf".encode() + b"\xe9\n2,ok\n")
    assert read_delimited(path, NOTES, ["id"], Drops()).rows() == [("1", "caf\ufffd"), ("2", "ok")]


def test_another_type_is_malformed_where_none_is_required_and_no_value_is_not(path: Path) -> None:
    path.write_text(
        'id,year,note\n1,1999,a\n2,,b\n3,"",c\n4,DK Publishing,d\n5,1e400,e\n6,NULL,f\n7, 12 ,g\n',
        encoding="utf-8",
    )
    schema = {"id": pl.String(), "year": pl.Int32()}
    drops = Drops(malformed_limit=1.0)
    read = read_delimited(path, schema, ["id"], drops, Dialect(null="NULL"))
    assert read.rows() == [("1", 1999), ("2", None), ("3", None), ("6", None), ("7", 12)]
    assert drops.first == {"malformed line": "table.csv:5: has an unusable year"}
    assert drops.counts == {"malformed line": 2}


def test_more_malformed_lines_than_may_be_is_an_error_that_says_where(path: Path) -> None:
    body = "".join(f"u,i{number},1,2\n" for number in range(97)) + "u,i\n" * 3
    read, drops = ratings(path, body, limit=0.03)
    assert (read.height, drops.counts) == (97, {"malformed line": 3})
    with pytest.raises(UserError, match="has no value; 3 of 100 lines are malformed") as caught:
        ratings(path, body, limit=0.029)
    assert caught.value.where == f"{path}:99"


def test_batches_are_bounded_and_in_order(path: Path) -> None:
    path.write_text(
        RATINGS + "".join(f"u,i{number},1,{number}\n" for number in range(1000)), encoding="utf-8"
    )
    batches = list(scan_delimited(path, RATED, list(RATED), Drops(), sizes=Sizes(chunk=1000)))
    assert max(batch.height for batch in batches) <= 100
    assert pl.concat(batches)["time"].to_list() == list(range(1000))


def test_drops_are_told_when_the_file_was_read_to_its_end(path: Path) -> None:
    path.write_text(RATINGS + "u,i\n" + "u,i,1,2\n" * 9, encoding="utf-8")
    drops = Drops(malformed_limit=0.2)
    batches = scan_delimited(path, RATED, list(RATED), drops, sizes=Sizes(chunk=10))
    next(batches)
    assert drops.counts == {}
    list(batches)
    assert drops.counts == {"malformed line": 1}


def test_gzip_and_a_gzip_that_ends_too_soon(tmp_path: Path) -> None:
    packed = gzip.compress(
        (RATINGS + "".join(f"u{n},i{n * 7919 % 1000},1,{n}\n" for n in range(5000))).encode()
    )
    file = tmp_path / "ratings.csv.gz"
    file.write_bytes(packed)
    assert read_delimited(file, RATED, list(RATED), Drops())["time"].to_list() == list(range(5000))
    for broken in (
        packed[: len(packed) // 2],
        packed[:-4],
        packed[:500] + b"\0" * 50 + packed[550:],
        b"not packed",
    ):
        file.write_bytes(broken)
        with pytest.raises(UserError, match="cannot be read") as caught:
            list(scan_delimited(file, RATED, list(RATED), Drops(malformed_limit=1.0)))
        assert caught.value.where == str(file)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "is empty"),
        (b"user,item,rating\n", "has no column value, time"),
        (b"\x00\xff\xfe\n", "has no column user"),
    ],
)
def test_files_that_are_not_what_they_seem(path: Path, content: bytes, found: str) -> None:
    path.write_bytes(content)
    with pytest.raises(UserError, match=found) as caught:
        list(scan_delimited(path, RATED, list(RATED), Drops()))
    assert str(path) in str(caught.value.where)
    with pytest.raises(UserError, match="cannot be read"):
        list(scan_delimited(path.parent / "gone.csv", RATED, list(RATED), Drops()))


def test_a_line_without_end_is_not_read_into_memory(path: Path) -> None:
    path.write_bytes(RATINGS.encode() + b"x" * 5000)
    with pytest.raises(UserError, match="a line of 1,000 bytes or more"):
        list(scan_delimited(path, RATED, list(RATED), Drops(), sizes=Sizes(100, longest=1000)))


def test_columns_of_one_name_and_spaces_in_the_header(path: Path) -> None:
    path.write_text(" note , id,note,,\nfirst,1,second,x,y\n", encoding="utf-8")
    assert read_delimited(path, NOTES, ["id"], Drops()).rows() == [("1", "first")]


# Dialects ---------------------------------------------------------------------------------------------------


def noted(path: Path, content: bytes, dialect: Dialect) -> list[tuple[str, ...]]:
    path.write_bytes(content)
    return read_delimited(path, NOTES, ["id"], Drops(), dialect).rows()


def test_separators_of_several_characters(path: Path) -> None:
    dialect = Dialect("::", quoted=False, header=("id", "note", "rest"))
    content = b'1::Star Wars: Episode IV::x\n2::"Great" Cats::y|z\n'
    assert noted(path, content, dialect) == [("1", "Star Wars: Episode IV"), ("2", '"Great" Cats')]


def test_latin_1_unless_it_is_utf8(path: Path) -> None:
    dialect = Dialect("|", quoted=False, header=("id", "note"), encoding="latin-1")
    assert noted(path, "1|Misérables\n".encode("latin-1"), dialect) == [("1", "Misérables")]
    assert noted(path, "1|Misérables\n".encode(), dialect) == [("1", "Misérables")]


def test_backslash_escapes(path: Path) -> None:
    lines = (
        "id;note",
        r'"1";"the \"real\" one"',
        r'"2";"a;b\\"',
        '"3";"cernusco s\\\n, milan"',
        r'"4";"\"all\""',
        r'"5";"C:\dir"',
    )
    expected = ['the "real" one', "a;b\\", "cernusco s\n, milan", '"all"', "C:\\dir"]
    read = noted(path, "\n".join(lines).encode(), Dialect(";", escaped=True))
    assert [note for _, note in read] == expected


@given(st.lists(st.text(st.characters(codec="latin-1")), max_size=6))
def test_escaped_latin_1_is_read_back(path: Path, notes: list[str]) -> None:
    escaped = [note.replace("\\", "\\\\").replace('"', '\\"') for note in notes]
    lines = ['first;"é"\n', *(f'{number};"{note}"\n' for number, note in enumerate(escaped))]
    dialect = Dialect(";", header=("id", "note"), escaped=True, encoding="latin-1")
    read = noted(path, "".join(lines).encode("latin-1"), dialect)
    assert [note for _, note in read] == ["é", *notes]
