"""A dataset of one's own: formats, column maps and guesses, ids, times."""

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from rectune.core.errors import UserError
from rectune.core.settings import CustomDatasetConfig
from rectune.datagen.datasets import registry
from rectune.datagen.datasets.custom import dataset
from rectune.readers.custom import read
from rectune.readers.drops import Drops
from rectune.readers.raw import Raw, interaction_columns, item_columns
from rectune.readers.times import Clock

MAP = {"item_id": "sku", "title": "name", "description": "text", "categories": "tags", "year": "year"}
EVENTS = {"user_id": "customer", "item_id": "sku", "value": "stars", "timestamp": "time"}
ITEMS = "sku,name,text,tags,year\n1,Lamp,A lamp,home|light,2019\n02,Chair,,home,\n"
ROWS = [
    {"customer": "ann", "sku": 1, "stars": 5, "time": 1700000000},
    {"customer": "bob", "sku": "02", "stars": 3.5, "time": 1700000100},
]


def spec(**more: object) -> CustomDatasetConfig:
    given: dict[str, object] = {"domain": "shop", "items": "items.csv", "kind": "purchase"} | more
    return CustomDatasetConfig(**given)  # type: ignore[arg-type]


def shop(root: Path, own: CustomDatasetConfig) -> tuple[Raw, list[tuple[object, ...]], Drops]:
    """What is found and read, the way the data stage does it."""
    layout, files = registry.locate(dataset("myshop", own, root), root)
    drops = Drops()
    raw = layout.read(files, drops)
    parts = [pl.DataFrame(schema=interaction_columns()), *raw.interactions]
    return raw, pl.concat(parts).rows(), drops


def events(root: Path, header: str, *rows: str) -> list[tuple[object, ...]]:
    (root / "items.csv").write_text(ITEMS)
    (root / "events.csv").write_text("\n".join([header, *rows]) + "\n")
    return shop(root, spec(interactions="events.csv"))[1]


# Formats ----------------------------------------------------------------------------------------------------


def write(path: Path, rows: list[dict[str, object]]) -> None:
    plain = path.with_suffix("") if path.suffix == ".gz" else path
    if plain.suffix == ".parquet":
        pl.DataFrame({name: [row[name] for row in rows] for name in rows[0]}, strict=False).write_parquet(
            path
        )
        return
    if plain.suffix in (".jsonl", ".json"):
        text = "".join(json.dumps(row) + "\n" for row in rows)
    else:
        sign = "\t" if plain.suffix == ".tsv" else ","
        lines = [
            list(rows[0]),
            *(["" if value is None else str(value) for value in row.values()] for row in rows),
        ]
        text = "".join(sign.join(line) + "\n" for line in lines)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())


@pytest.mark.parametrize(
    "ending", ["csv", "tsv", "jsonl", "json", "parquet", "csv.gz", "tsv.gz", "jsonl.gz", "ndjson"]
)
def test_every_format_reads_the_same(tmp_path: Path, ending: str) -> None:
    if ending == "ndjson":
        (tmp_path / "e.ndjson").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
        (tmp_path / "i.ndjson").write_text('{"sku": 1, "name": "Lamp"}\n{"sku": "02", "name": "Chair"}\n')
    else:
        write(tmp_path / f"e.{ending}", [dict(row, sku=str(row["sku"])) for row in ROWS])
        write(tmp_path / f"i.{ending}", [{"sku": "1", "name": "Lamp"}, {"sku": "02", "name": "Chair"}])
    own = spec(items=f"i.{ending}", interactions=f"e.{ending}",
               item_columns={"item_id": "sku", "title": "name"},
               interaction_columns=EVENTS)  # fmt: skip
    raw, rows, _ = shop(tmp_path, own)
    assert raw.items.select("item_id", "title").rows() == [("1", "Lamp"), ("02", "Chair")]
    assert rows == [
        ("ann", "1", 5.0, "purchase", 1700000000000),
        ("bob", "02", 3.5, "purchase", 1700000100000),
    ]


def test_items_have_all_their_fields(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text(ITEMS)
    raw, rows, _ = shop(tmp_path, spec(item_columns=MAP))
    assert raw.items.schema == pl.Schema(item_columns())
    first, second = raw.items.rows(named=True)
    assert (first["title"], first["categories"], first["description"], first["year"]) == (
        "Lamp", ["home", "light"], "A lamp", 2019,
    )  # fmt: skip
    assert (second["categories"], second["description"], second["year"]) == (["home"], "", None)
    assert rows == []  # items alone are a catalogue


def test_lists_and_dates_of_json_are_taken_as_they_are(tmp_path: Path) -> None:
    record = {
        "id": 7,
        "title": "X",
        "tags": ["a|b", "c"],
        "released": "2001-05-06",
        "description": ["p", "q"],
    }
    (tmp_path / "i.jsonl").write_text(json.dumps(record) + "\n")
    raw, _, _ = shop(tmp_path, spec(items="i.jsonl", categories_separator=""))
    (row,) = raw.items.rows(named=True)
    assert (row["item_id"], row["categories"], row["year"], row["description"]) == (
        "7",
        ["a|b", "c"],
        2001,
        "p q",
    )


def test_a_semicolon_parts_columns_too(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text('\ufeffid;title\n1;"a; b, c"\n', encoding="utf-8")
    assert shop(tmp_path, spec())[0].items["title"].to_list() == ["a; b, c"]


def test_batches_can_be_taken_twice(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text(ITEMS)
    (tmp_path / "events.csv").write_text("user,item\na,1\n")
    raw = read(
        [[tmp_path / "items.csv"], [tmp_path / "events.csv"]], Drops(), spec(interactions="events.csv")
    )
    assert [sum(map(len, raw.interactions)) for _ in range(2)] == [1, 1]


# Columns ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("user_id,item_id,rating,timestamp", "u,1,4,1700000000"),
        ("Customer ID,SKU,Stars,Created At", "u,1,4,1700000000"),
        ("회원번호,상품번호,평점,일시", "u,1,4,2023-11-14 22:13:20"),
        ("고객 ID,상품 코드,별점,구매일", "u,1,4,1700000000"),
    ],
)
def test_common_names_are_guessed_and_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], header: str, row: str
) -> None:
    assert events(tmp_path, header, row) == [("u", "1", 4.0, "purchase", 1700000000000)]
    said = capsys.readouterr().err
    assert f"{header.split(',')[0]} as user_id" in said and f"{header.split(',')[3]} as timestamp" in said


def test_korean_items_are_guessed(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text(
        "상품코드,상품명,카테고리,설명\nA1,의자,가구|거실,편한 의자\n", encoding="utf-8"
    )
    (row,) = shop(tmp_path, spec())[0].items.rows(named=True)
    assert (row["item_id"], row["title"], row["categories"]) == ("A1", "의자", ["가구", "거실"])


def test_what_is_mapped_is_not_guessed_and_nothing_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "items.csv").write_text("id,title,name,year\n1,wrong,right,1999\n")
    own = spec(item_columns={"item_id": "id", "title": "name", "year": ""})
    (row,) = shop(tmp_path, own)[0].items.rows(named=True)
    assert (row["title"], row["year"]) == ("right", None)
    assert "guessed" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"titel": "name"}, "unknown field titel, did you mean title"),
        ({"title": "nam"}, "no column nam .*did you mean name"),
        ({"title": "name", "description": "name"}, "column name is mapped twice"),
        ({"title": ""}, "no column looks like title among: sku, name"),
    ],
)
def test_a_wrong_map_is_an_error_with_the_nearest(
    tmp_path: Path, columns: dict[str, str], message: str
) -> None:
    (tmp_path / "items.csv").write_text(ITEMS)
    with pytest.raises(UserError, match=message):
        shop(tmp_path, spec(item_columns=columns))


def test_a_missing_or_strange_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"needs items\.csv"):
        shop(tmp_path, spec())
    (tmp_path / "items.xlsx").write_bytes(b"PK")
    with pytest.raises(UserError, match=r"unknown format: the name ends in \.xlsx"):
        shop(tmp_path, spec(items="items.xlsx"))
    (tmp_path / "items.csv").write_bytes("상품코드,상품명\n1,의자\n".encode("cp949"))
    with pytest.raises(UserError, match="is not UTF-8"):
        shop(tmp_path, spec())
    for name in ("items.csv", "items.jsonl", "items.parquet"):
        (tmp_path / name).write_bytes(b"")
        with pytest.raises(UserError, match=rf"{name}: (is empty|holds no record|cannot be read)"):
            shop(tmp_path, spec(items=name))
    (tmp_path / "items.csv.gz").write_bytes(gzip.compress(ITEMS.encode() * 50)[:-9])
    with pytest.raises(UserError, match=r"items\.csv\.gz"):
        shop(tmp_path, spec(items="items.csv.gz"))


# Values and ids ---------------------------------------------------------------------------------------------


def test_without_values_each_counts_one_and_an_empty_value_is_none(tmp_path: Path) -> None:
    assert events(tmp_path, "user,item", "u,1") == [("u", "1", 1.0, "purchase", None)]
    assert events(tmp_path, "user,item,rating", "u,1,", "u,02,2")[0][2] is None


def test_ids_written_as_numbers_are_the_same_in_both_files(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text("id,title\n1.0,A\n007,B\n 8 ,C\n")
    pl.DataFrame({"user": [1.0, 2.0, 3.0], "item": [1.0, 7.0, 8.0]}).write_parquet(tmp_path / "e.parquet")
    (tmp_path / "e.jsonl").write_text(
        '{"user": 1.0, "item": 1.0}\n{"user": "2", "item": "1.0"}\n{"user": 3, "item": 8}\n'
    )
    raw, rows, _ = shop(tmp_path, spec(interactions="e.parquet"))
    assert raw.items["item_id"].to_list() == ["1", "007", "8"]
    assert [row[:2] for row in rows] == [("1", "1"), ("2", "7"), ("3", "8")]
    assert [row[:2] for row in shop(tmp_path, spec(interactions="e.jsonl"))[1]] == [
        ("1", "1"),
        ("2", "1"),
        ("3", "8"),
    ]


def test_malformed_lines_are_counted(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text(ITEMS)
    lines = ["user,item,rating", *["u,1,3"] * 300, "u,1,good"]
    (tmp_path / "e.csv").write_text("\n".join(lines) + "\n")
    _, rows, drops = shop(tmp_path, spec(interactions="e.csv"))
    assert len(rows) == 300
    assert drops.counts == {"malformed line": 1}


# Times ------------------------------------------------------------------------------------------------------

NOON = 1706702400  # 2024-01-31 12:00:00 UTC


@pytest.mark.parametrize(
    ("written", "milliseconds"),
    [
        (str(NOON), NOON * 1000),
        (f"{NOON}.75", NOON * 1000 + 750),
        (f"{NOON}000", NOON * 1000),
        (f"{NOON}999999", NOON * 1000 + 999),
        (f"{NOON}000000000", NOON * 1000),
        ("2024-01-31", NOON * 1000 - 43_200_000),
        ("20240131", NOON * 1000 - 43_200_000),
        ("2024/1/31 12:00", NOON * 1000),
        ("2024.01.31 12:00:00", NOON * 1000),
        ("2024-01-31T12:00:00Z", NOON * 1000),
        ("2024-01-31T12:00:00.123456+00:00", NOON * 1000 + 123),
        ("2024-01-31T21:00:00+09:00", NOON * 1000),
        ("2024-01-31 07:30:00-0430", NOON * 1000),
    ],
)
def test_times_are_read_however_they_are_written(tmp_path: Path, written: str, milliseconds: int) -> None:
    assert events(tmp_path, "user,item,time", f"u,1,{written}")[0][4] == milliseconds


@pytest.mark.parametrize("written", ["12345", "31/01/2024", "01-02-2024", "yesterday", "2024", "-5"])
def test_times_that_could_be_anything_are_an_error(tmp_path: Path, written: str) -> None:
    with pytest.raises(UserError, match=rf"events\.csv: times of the column time(.|\n)*{written}"):
        events(tmp_path, "user,item,time", f"u,1,{written}")


def test_two_ways_of_writing_in_one_column_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="or in several"):
        events(tmp_path, "user,item,time", f"u,1,{NOON}", f"u,02,{NOON}000")


def test_a_stray_time_is_left_out_and_a_missing_one_stays_missing(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text(ITEMS)
    lines = ["user,item,time", *[f"u,1,{NOON}"] * 200, "u,1,0", "v,1,"]
    (tmp_path / "events.csv").write_text("\n".join(lines) + "\n")
    _, rows, drops = shop(tmp_path, spec(interactions="events.csv"))
    assert len(rows) == 201
    assert rows[-1][4] is None
    assert drops.counts == {"time that cannot be read": 1}


def test_impossible_dates_do_not_become_others() -> None:
    clock = Clock(Path("x"), "time", Drops())
    table = pl.DataFrame({"timestamp": ["2024-01-31"] * 200 + ["2024-02-31"]})
    assert clock.read(table).height == 200


def test_times_of_parquet_are_times(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text(ITEMS)
    times = [datetime(2024, 1, 31, 12, tzinfo=UTC), None]
    frame = pl.DataFrame({"user": ["u", "v"], "item": ["1", "1"], "time": times})
    for kind in (pl.Datetime("ns", "Asia/Seoul"), pl.Datetime("ms", "UTC")):
        frame.with_columns(pl.col("time").cast(kind)).write_parquet(tmp_path / "e.parquet")
        assert [row[4] for row in shop(tmp_path, spec(interactions="e.parquet"))[1]] == [NOON * 1000, None]


@pytest.mark.parametrize(("header", "ordered"), [("user,item,time", True), ("user,item,rating", False)])
def test_only_with_times_it_is_ordered(tmp_path: Path, header: str, ordered: bool) -> None:
    (tmp_path / "e.csv").write_text(header + "\n")
    (layout,) = dataset("myshop", spec(interactions="e.csv"), tmp_path).layouts
    assert layout.ordered is ordered
    mapped = spec(interactions="e.csv", interaction_columns={"timestamp": ""})
    assert not dataset("myshop", mapped, tmp_path).layouts[0].ordered


# Beside the eight -------------------------------------------------------------------------------------------


def test_it_is_found_beside_the_eight_with_its_own_terms(tmp_path: Path) -> None:
    own = dataset("myshop", spec(licence="ours", redistributable=True, positive_threshold=4), tmp_path)
    assert registry.find("myshop", [own]) is own
    assert registry.find("mind", [own]).name == "mind"
    assert own.terms("custom") == ("ours", True)
    assert (own.liked, own.people) == (4, "myshop")
