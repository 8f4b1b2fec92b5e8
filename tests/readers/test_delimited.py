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
from rectune.readers.delimited import read_delimited, scan_delimited
from rectune.readers.drops import Drops, Sizes
from rectune.readers.file_format import FileFormat

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
    read = read_delimited(path, schema, ["id"], drops, FileFormat(separator=separator), Sizes(chunk=chunk))
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
    assert drops.first["malformed line"][0].startswith(f"table.csv:{before.count(chr(10)) + 1}: has ")


@given(st.integers(0, 30), small_chunks)
def test_a_quote_that_never_closes_costs_one_line(path: Path, place: int, chunk: int) -> None:
    rows = [f'u{number},"i, {number}",1,2\n' for number in range(30)]
    rows.insert(place, 'u,"open,1,2\n')
    read, drops = ratings(path, "".join(rows), chunk=chunk)
    assert read["item"].to_list() == [f"i, {number}" for number in range(30)]
    where = f"table.csv:{place + 2}: a quote opens here and does not close as it should"
    assert (drops.counts, drops.first) == ({"malformed line": 1}, {"malformed line": [where]})


def test_quotes_that_open_nothing_are_text(path: Path) -> None:
    read, drops = ratings(
        path, 'a,5" disk,1,2\nb,3" disk,1,2\nc,"say ""x""",1,2\nd,say "x",1,2\ne,"shut" open,1,2\nf,g,1,2\n'
    )
    assert read["item"].to_list() == ['5" disk', '3" disk', 'say "x"', 'say "x"', "g"]
    assert drops.first["malformed line"][0].startswith("table.csv:6: a quote opens here")


def test_blank_lines_white_space_and_line_ends(path: Path) -> None:
    body = "\na,b, 2.5 , 7\r\n\r\n c ,d,3,8\n,,,\n\ne,f,1,9"
    read, drops = ratings(path, body)
    assert read.rows() == [("a", "b", 2.5, 7), (" c ", "d", 3.0, 8), ("e", "f", 1.0, 9)]
    assert drops.counts == {}


def test_a_byte_order_mark_is_read_over(path: Path) -> None:
    path.write_bytes("\ufeffid,note\n1,café\n2,ok\n".encode())
    assert read_delimited(path, NOTES, ["id"], Drops()).rows() == [("1", "café"), ("2", "ok")]


@pytest.mark.parametrize(
    ("encoding", "text", "hint"),
    [
        ("latin-1", "Misérables", "latin-1 would read “2,Misérables”"),
        ("cp949", "살인의 추억", "cp949 would read “2,살인의 추억”"),
        ("shift_jis", "となりのトトロ", "shift_jis would read “2,となりのトトロ”"),
        ("cp1251", "Война и мир", "cp1251 would read “2,Война и мир”"),
    ],
)
def test_another_encoding_is_refused_with_those_that_read_it_and_read_when_it_is_said(
    path: Path, encoding: str, text: str, hint: str
) -> None:
    path.write_bytes(f"id,note\n1,plain\n2,{text}\n3,end\n".encode(encoding))
    with pytest.raises(UserError, match="is not UTF-8") as caught:
        read_delimited(path, NOTES, ["id"], Drops(malformed_limit=1.0))
    assert caught.value.where == f"{path}:3"
    assert hint in caught.value.hint
    rows = [("1", "plain"), ("2", text), ("3", "end")]
    assert read_delimited(path, NOTES, ["id"], Drops(), FileFormat(encoding=encoding)).rows() == rows
    path.write_bytes(f"id,note\n1,plain\n2,{text}\n3,end\n".encode("utf-16"))
    assert read_delimited(path, NOTES, ["id"], Drops(), FileFormat(encoding="utf-16")).rows() == rows
    with pytest.raises(UserError, match="is written in UTF-16"):
        read_delimited(path, NOTES, ["id"], Drops())
    path.write_bytes("id,note\n1,plain\n2,살\n".encode())
    with pytest.raises(UserError, match="is not in the encoding shift_jis") as caught:
        read_delimited(path, NOTES, ["id"], Drops(), FileFormat(encoding="shift_jis"))
    assert caught.value.where == f"{path}:3"


def test_one_damaged_line_among_sound_ones_is_counted(path: Path) -> None:
    rows = "".join(f"{n},살인의 추억 {n}\n" for n in range(9)).encode()
    path.write_bytes(b"id,note,more\n".replace(b",more", b"") + rows + b"9,\xec\x82\n" + b"10,last\n")
    drops = Drops(malformed_limit=0.2)
    assert read_delimited(path, NOTES, ["id"], drops)["id"].to_list() == [*map(str, range(9)), "10"]
    assert drops.first == {"malformed line": ["table.csv:11: has a note that is not UTF-8"]}


def test_another_type_is_malformed_where_none_is_required_and_no_value_is_not(path: Path) -> None:
    path.write_text(
        'id,year,note\n1,1999,a\n2,,b\n3,"",c\n4,DK Publishing,d\n5,1e400,e\n6,NULL,f\n7, 12 ,g\n',
        encoding="utf-8",
    )
    schema = {"id": pl.String(), "year": pl.Int32()}
    drops = Drops(malformed_limit=1.0)
    read = read_delimited(path, schema, ["id"], drops, FileFormat(separator=",", null="NULL"))
    assert read.rows() == [("1", 1999), ("2", None), ("3", None), ("6", None), ("7", 12)]
    assert drops.first == {"malformed line": ["table.csv:5: has an unusable year"]}
    assert drops.counts == {"malformed line": 2}


def test_more_malformed_lines_than_may_be_is_an_error_that_says_where(path: Path) -> None:
    body = "".join(f"u,i{number},1,2\n" for number in range(97)) + "u,i\n" * 3
    read, drops = ratings(path, body, limit=0.03)
    assert (read.height, drops.counts) == (97, {"malformed line": 3})
    with pytest.raises(UserError, match="has 2 of 4 fields; 3 of 100 lines are malformed") as caught:
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
        (b"\x00\xff\xfe\n", "is not UTF-8"),
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


def test_spaces_in_the_header_and_a_column_of_which_there_are_two(path: Path) -> None:
    path.write_text(" note , id,other,,\nfirst,1,second,x,y\n", encoding="utf-8")
    assert read_delimited(path, NOTES, ["id"], Drops()).rows() == [("1", "first")]
    path.write_text("note,id, note \nfirst,1,second\n", encoding="utf-8")
    with pytest.raises(UserError, match="has two columns note"):
        read_delimited(path, NOTES, ["id"], Drops())


def test_fewer_fields_than_columns_is_malformed_and_an_empty_last_one_is_not(path: Path) -> None:
    body = '1,a,\n2,b\n3,"x, y",\n4,"x, y"\n5\n6,c,d\n'
    path.write_text("id,note,more\n" + body, encoding="utf-8")
    drops = Drops(malformed_limit=1.0)
    assert read_delimited(path, NOTES, ["id"], drops)["id"].to_list() == ["1", "3", "6"]
    assert (drops.counts, drops.first) == (
        {"malformed line": 3}, {"malformed line": ["table.csv:3: has 2 of 3 fields"]},
    )  # fmt: skip


def test_a_last_line_without_end_is_noted(path: Path) -> None:
    for ending, notes in (
        ("", ["table.csv:3: the last line has no end; if the file was cut off, get it again"]),
        ("\n", []),
    ):
        path.write_text("id,note\n1,a\n2,b" + ending, encoding="utf-8")
        drops = Drops()
        assert read_delimited(path, NOTES, ["id"], drops).height == 2
        assert drops.notes == notes


@pytest.mark.parametrize("chunk", [20, 1 << 20])
def test_two_stray_quotes_do_not_swallow_the_lines_between_them(path: Path, chunk: int) -> None:
    lines = [
        "id,note,kind",
        '1,"Weird Al: The Story,Comedy',
        "2,Quiet Orbit,SF",
        "3,b,c",
        '4,Disk 5",D',
        "5,e,f",
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    drops = Drops(malformed_limit=0.5)
    read = read_delimited(path, NOTES, ["id"], drops, sizes=Sizes(chunk=chunk))
    assert read.rows() == [("2", "Quiet Orbit"), ("3", "b"), ("4", 'Disk 5"'), ("5", "e")]
    assert drops.first == {
        "malformed line": ["table.csv:2: a quote opens here and does not close as it should"]
    }


def test_in_tsv_a_quote_that_closes_no_field_is_data(path: Path) -> None:
    lines = ["id\tnote\tkind", '1\t"Heroes\tSF', '2\t"Whole"\tSF', '3\tThe "Big" One\tSF', '4\tFive"\tSF',
             '5\t"Ten" Years\tSF', '6\tplain\tSF']  # fmt: skip
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    drops = Drops()
    read = read_delimited(path, NOTES, ["id"], drops, FileFormat(format="tsv"))
    assert read["note"].to_list() == ['"Heroes', "Whole", 'The "Big" One', 'Five"', '"Ten" Years', "plain"]
    assert drops.counts == {}


def test_decimal_commas_are_numbers(path: Path) -> None:
    path.write_text("id;value\n1;4,5\n2; 3,25 \n3;1,234\n4;2\n", encoding="utf-8")
    drops, schema = Drops(malformed_limit=1.0), {"id": pl.String(), "value": pl.Float64()}
    read = read_delimited(path, schema, ["id"], drops, FileFormat(separator=";"))
    assert read.rows() == [("1", 4.5), ("2", 3.25), ("4", 2.0)]
    assert drops.first == {"malformed line": ["table.csv:4: has an unusable value"]}


# Dialects ---------------------------------------------------------------------------------------------------


def noted(path: Path, content: bytes, dialect: FileFormat) -> list[tuple[str, ...]]:
    path.write_bytes(content)
    return read_delimited(path, NOTES, ["id"], Drops(), dialect).rows()


def test_separators_of_several_characters(path: Path) -> None:
    dialect = FileFormat(separator="::", quoted=False, columns=("id", "note", "rest"))
    content = b'1::Star Wars: Episode IV::x\n2::"Great" Cats::y|z\n'
    assert noted(path, content, dialect) == [("1", "Star Wars: Episode IV"), ("2", '"Great" Cats')]


def test_latin_1_unless_it_is_utf8(path: Path) -> None:
    dialect = FileFormat(separator="|", quoted=False, columns=("id", "note"), fallback="latin-1")
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
    read = noted(path, "\n".join(lines).encode(), FileFormat(separator=";", escaped=True))
    assert [note for _, note in read] == expected


@given(st.lists(st.text(st.characters(codec="latin-1")), max_size=6))
def test_escaped_latin_1_is_read_back(path: Path, notes: list[str]) -> None:
    escaped = [note.replace("\\", "\\\\").replace('"', '\\"') for note in notes]
    lines = ['first;"é"\n', *(f'{number};"{note}"\n' for number, note in enumerate(escaped))]
    dialect = FileFormat(separator=";", columns=("id", "note"), escaped=True, fallback="latin-1")
    read = noted(path, "".join(lines).encode("latin-1"), dialect)
    assert [note for _, note in read] == ["é", *notes]
