"""Whatever a file holds: exact counts or one clear error, never a traceback, and never a title that nobody
wrote.
"""

import csv
import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rectune.core.errors import UserError
from rectune.core.settings import CustomDatasetConfig
from rectune.datagen.datasets.custom import dataset
from rectune.datagen.datasets.normalize import read_domain
from rectune.readers.catalogue import CatalogueFile, CatalogueOptions, read_catalogue
from rectune.readers.cells import looked_into
from rectune.readers.file_format import FileFormat
from rectune.readers.text import clean_title
from tests.datagen.frames import collected

Rows = list[tuple[str, str, str]]

FEW = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
MANY = settings(max_examples=2000, deadline=None, suppress_health_check=list(HealthCheck))

# Signs that files stumble over, letters of several scripts, and any others that an encoding holds.
AWKWARD = "\"',;|\t\\ ab1é가あЖ<>&[]{}:#\u200d"


def titles(codec: str = "utf-8") -> st.SearchStrategy[str]:
    signs = st.characters(codec=codec, exclude_categories=["Cs", "Cc", "Cn"])
    awkward = [sign for sign in AWKWARD if _encodes(sign, codec)]
    return st.text(signs, max_size=12) | st.text(st.sampled_from(awkward), max_size=12)


def _encodes(sign: str, codec: str) -> bool:
    try:
        return sign.encode(codec).decode(codec) == sign
    except UnicodeError:
        return False


def rows(codec: str = "utf-8", lines: bool = True) -> st.SearchStrategy[Rows]:
    """Numbered items: id, title, category; some titles span lines."""
    texts = titles(codec)
    broken = st.tuples(texts, st.sampled_from(["\n", "\r\n"]), texts).map("".join) if lines else texts
    pairs = st.lists(st.tuples(texts | broken, texts), min_size=1, max_size=8)
    return pairs.map(lambda found: [(str(n + 1), title, kind) for n, (title, kind) in enumerate(found)])


HEADER = ("id", "title", "kind of thing")


def comma_separated(found: Rows, sign: str = ",") -> str:
    stream = io.StringIO(newline="")
    csv.writer(stream, delimiter=sign, lineterminator="\n").writerows([HEADER, *found])
    return stream.getvalue()


def json_lines(found: Rows) -> str:
    return "".join(
        json.dumps(dict(zip(HEADER, row, strict=True)), ensure_ascii=False) + "\n" for row in found
    )


def json_array(found: Rows) -> str:
    return json.dumps([dict(zip(HEADER, row, strict=True)) for row in found], ensure_ascii=False, indent=1)


WRITERS: dict[str, Callable[[Rows], str]] = {
    "csv": comma_separated,
    "tsv": lambda found: comma_separated(found, "\t"),
    "jsonl": json_lines,
    "json": json_array,
}
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "latin-1", "cp949", "gb18030", "cp1251")


def shown(title: str) -> str:
    """A title as it comes out; empty where it stands for none."""
    if (
        title in ("nan", "NaN", "NAN", "<NA>", "NaT", "\\N", "NULL", "#N/A")
        or looked_into(title) is not title
    ):
        return ""
    return clean_title(title)


def read(path: Path, data: bytes, **more: Any) -> CatalogueFile | UserError:
    path.write_bytes(data)
    try:
        return read_catalogue(path, CatalogueOptions(columns={"categories": ""}, **more))
    except UserError as error:
        for word in (str(error), error.hint):
            assert "Traceback" not in word
        return error


def whole(path: Path, form: str, encoding: str, packed: bool, found: Rows) -> None:
    """What a correct writer wrote comes back equal, and every row is an item or counted."""
    data = WRITERS[form](found).encode(encoding)
    result = read(
        path.with_suffix(f".{form}.gz" if packed else f".{form}"),
        gzip.compress(data, 1) if packed else data,
        written=FileFormat(encoding=encoding),
        malformed=1.0,
    )
    known = [(item_id, shown(title)) for item_id, title, _ in found]
    odd = {item_id for item_id, title, _ in found if looked_into(title) is not title}
    if isinstance(result, UserError):
        assert not any(title for _, title in known), result
        return
    got = [(item.item_id, item.title) for item in result.items if item.item_id not in odd]
    swallowing = {item_id for item_id, title, _ in found if "\n" in title}  # may look like lost quotes
    lost = result.drops.counts.get("malformed line", 0)
    assert set(got) <= set(known) | {(each[0], "") for each in known}
    missing = {each for each in known if each[1] and each[0] not in odd} - set(got)
    assert {item_id for item_id, _ in missing} <= (swallowing if lost else set())
    if not lost:
        assert got == [each for each in known if each[1] and each[0] not in odd]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


anything = st.sampled_from(ENCODINGS).flatmap(
    lambda codec: st.tuples(st.sampled_from(list(WRITERS)), st.just(codec), st.booleans(), rows(codec))
)


@FEW
@given(anything)
def test_what_was_written_comes_back(folder: Path, case: tuple[str, str, bool, Rows]) -> None:
    whole(folder / "whole", *case)


@pytest.mark.slow
@MANY
@given(anything)
def test_what_was_written_comes_back_many_times(folder: Path, case: tuple[str, str, bool, Rows]) -> None:
    whole(folder / "whole", *case)


# Damage -----------------------------------------------------------------------------------------------------

damages = st.sampled_from(["cut", "quote", "drop", "byte", "double", "swap"])


def damaged(data: bytes, how: str, place: int) -> bytes:
    """The file with one thing wrong at a place of its body."""
    at = place % max(len(data), 1)
    return {
        "cut": data[:at],
        "quote": data[:at] + b'"' + data[at:],
        "drop": data[:at] + data[at + 1 :],
        "byte": data[:at] + b"\xff" + data[at + 1 :],
        "double": data[:at] + data[at : at + 9] + data[at:],
        "swap": data[:at] + b"\t" + data[at + 1 :],
    }[how]


def torn(path: Path, form: str, how: str, place: int, packed: bool, found: Rows) -> None:
    """A damaged file gives items, counts or one error; of lines that the damage did not touch no title is
    another.
    """
    data = damaged(WRITERS[form](found).encode(), how, place)
    data = damaged(gzip.compress(data, 1, mtime=0), how, place) if packed and how == "cut" else data
    result = read(path.with_suffix(f".{form}"), data, malformed=1.0)
    if isinstance(result, UserError):
        return
    lines = found if form in ("csv", "tsv") else []
    if how == "cut" and lines and not packed:
        names = {item_id: shown(title) for item_id, title, _ in lines}
        last = max((int(item.item_id) for item in result.items if item.item_id.isdecimal()), default=0)
        for item in result.items:  # the last line may be cut within its title or behind it
            if item.item_id in names and item.item_id != str(last):
                assert item.title == names[item.item_id]
    assert len(result.items) + sum(result.drops.counts.values()) <= len(found) + data.count(b"\n") + 2


broken = st.tuples(
    st.sampled_from(list(WRITERS)), damages, st.integers(0, 10_000), st.booleans(), rows(lines=False)
)


@FEW
@given(broken)
def test_damage_is_counted_or_refused(folder: Path, case: tuple[str, str, int, bool, Rows]) -> None:
    torn(folder / "torn", *case)


@pytest.mark.slow
@MANY
@given(broken)
def test_damage_is_counted_or_refused_many_times(
    folder: Path, case: tuple[str, str, int, bool, Rows]
) -> None:
    torn(folder / "torn", *case)


@pytest.mark.slow
@MANY
@given(
    st.binary(max_size=300),
    st.sampled_from([*WRITERS, "parquet"]),
    st.sampled_from(["utf-8", "cp949", "utf-16"]),
)
def test_any_bytes_are_items_or_one_error(folder: Path, data: bytes, form: str, encoding: str) -> None:
    read(folder / f"any.{form}", data, written=FileFormat(encoding=encoding))


# Interactions -----------------------------------------------------------------------------------------------

cells = st.sampled_from(["1", "2", "3", "99", "", "nan", " 2 ", "2.0", "x", "1e5"])
values = st.sampled_from(["1", "4.5", "4,5", "", "nan", "inf", "good", "-1", "1e400"])
times = st.sampled_from(["1600604800", "1600604800500", "", "2020-01-01", "0", "12:30", "01-12-2010 08:26"])
event = st.tuples(cells, cells, values, times)
events = st.lists(event, min_size=1, max_size=12)


def counted(folder: Path, form: str, found: list[tuple[str, ...]]) -> None:
    """Rows in are rows out and rows counted; nobody is called nan, and every time is of this age."""
    (folder / "items.csv").write_text("id,title\n1,One\n2,Two\n3,Three\n")
    names = ("user", "item", "rating", "time")
    path = folder / f"e.{form}"
    if form == "parquet":
        pl.DataFrame(found, schema=dict.fromkeys(names, pl.String()), orient="row").write_parquet(path)
    elif form == "jsonl":
        path.write_text("".join(json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in found))
    else:
        stream = io.StringIO(newline="")
        csv.writer(stream).writerows([names, *found])
        path.write_text(stream.getvalue())
    spec = CustomDatasetConfig(domain="shop", items="items.csv", interactions=path.name)
    try:
        tables = collected(read_domain(dataset("shop", spec, folder), folder, malformed=1.0))
    except UserError:
        return
    dropped = sum(count for reason, count in tables.stats["dropped"].items())
    assert tables.interactions.height + dropped == len(found)
    assert not set(tables.users["user_id"]) & {"", "nan", "null"}
    time = tables.interactions["timestamp"].drop_nulls()
    assert time.len() == 0 or (time >= 631_152_000_000).all()
    value = tables.interactions["value"].drop_nulls()
    assert value.is_finite().all()


@FEW
@given(st.sampled_from(["csv", "jsonl", "parquet"]), events)
def test_every_event_is_a_row_or_counted(folder: Path, form: str, found: list[tuple[str, ...]]) -> None:
    counted(folder, form, found)


@pytest.mark.slow
@MANY
@given(st.sampled_from(["csv", "jsonl", "parquet"]), events)
def test_every_event_is_a_row_or_counted_many_times(
    folder: Path, form: str, found: list[tuple[str, ...]]
) -> None:
    counted(folder, form, found)
