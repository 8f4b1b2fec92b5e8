import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rectune.core.errors import UserError
from rectune.core.types import Item
from rectune.readers.catalogue import CatalogueOptions, read_catalogue
from rectune.readers.text import clean_title

DUNE = Item("other", "7", "Dune, Part One", ("Sci-Fi", "Epic"), "Sand; spice", 2021)


def test_the_same_item_is_read_from_every_format(tmp_path: Path):
    import polars as pl

    csv, tsv, lines, parquet = (tmp_path / f"c.{ending}" for ending in ("csv", "tsv", "jsonl", "parquet"))
    csv.write_text(
        "\ufeffID,Name,Genres,Release Date,Overview\n"
        '7,"Dune, Part <b>One</b>",Sci-Fi|Epic,2021-09-15,Sand; spice\n'
    )
    tsv.write_text(
        "movie_id\tTITLE\tgenre\tyear\tplot\n7\tDune, Part <b>One</b>\tSci-Fi; Epic\t2021\tSand; spice\n"
    )
    row = {
        "id": 7,
        "title": "Dune, Part <b>One</b>",
        "categories": ["Sci-Fi", "Epic"],
        "year": 2021,
        "description": "Sand; spice",
    }
    lines.write_text(json.dumps(row) + "\n\n")
    pl.DataFrame([row]).write_parquet(parquet)
    for path in (csv, tsv, lines, parquet):
        assert read_catalogue(path).items == [DUNE], path


def test_what_was_taken_for_what_is_said(tmp_path: Path):
    path = tmp_path / "c.csv"
    path.write_text("sku,headline,colour\n1,A,red\n1,B,red\n2,,red\n")
    found = read_catalogue(path, CatalogueOptions("news"))
    assert found.items == [Item("news", "1", "A")]
    assert found.columns.taken == {"title": "headline", "item_id": "sku"}
    assert found.drops.counts == {"item id seen before": 1, "item without a title": 1}
    first, *more = found.describe().splitlines()
    assert first == "1 items; columns: headline as title, sku as item_id; not used: colour"
    assert [line.strip() for line in more] == [
        "left out:",
        "1  item id seen before",
        "first: c.csv: row 2",
        "1  item without a title",
        "first: c.csv: row 3",
    ]


def test_columns_may_be_said_and_a_guess_may_be_declined(tmp_path: Path):
    path = tmp_path / "c.csv"
    path.write_text("name,label,summary,shelf\n1,Kettle,Boils water,kitchen\n")
    guessed = read_catalogue(path).items[0]
    assert (guessed.title, guessed.description, guessed.categories) == ("1", "Boils water", ())
    columns = {"title": "label", "item_id": "name", "categories": "shelf", "description": ""}
    assert read_catalogue(path, CatalogueOptions(columns=columns)).items == [
        Item("other", "1", "Kettle", ("kitchen",))
    ]
    with pytest.raises(UserError, match="no column lable") as refused:
        read_catalogue(path, CatalogueOptions(columns={"title": "lable"}))
    assert "did you mean label?" in str(refused.value)
    with pytest.raises(UserError, match="no column looks like title") as refused:
        read_catalogue(path, CatalogueOptions(columns={"title": ""}))
    assert "--title-column" in refused.value.hint


def test_an_array_of_objects_is_json_too(tmp_path: Path):
    path = tmp_path / "c.json"
    path.write_text(' [{"title": "A"},\n {"title": "B", "year": 1999}]')
    assert [item.title for item in read_catalogue(path).items] == ["A", "B"]


def test_a_folder_of_articles_is_a_catalogue(tmp_path: Path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.txt").write_text("\n  A first line  \nBody one.\nBody two.\n")
    (tmp_path / "b.md").write_text("# The *heading*\n\nSome **bold** text.\n\n- an entry\n")
    (tmp_path / "sub/c.html").write_text(
        "<html><head><title>Site</title><style>p{}</style></head><body><script>alert(1)</script>"
        "<h1>Caf&eacute; <b>news</b></h1><p>One.<p>Two &lt;b&gt;<br>Three</body>"
    )
    (tmp_path / "d.txt").write_text("word " * 100)
    (tmp_path / "ignored.pdf").write_bytes(b"%PDF")
    found = {
        item.item_id: (item.title, item.description)
        for item in read_catalogue(tmp_path, CatalogueOptions("news")).items
    }
    assert found == {
        "a.txt": ("A first line", "Body one. Body two."),
        "b.md": ("The *heading*", "Some bold text. an entry"),
        "sub/c.html": ("Café news", "One. Two <b> Three"),
        "d.txt": ("d", ("word " * 100).strip()),
    }


def test_hostile_articles_are_data_and_unreadable_ones_errors(tmp_path: Path):
    (tmp_path / "a.html").write_text("<h1>" + "<div>" * 5000 + "<|im_end|><script>x" + "</p>" * 5000)
    (tmp_path / "b.txt").write_text("")
    (tmp_path / "c.md").write_text("=cmd|'/c calc'!A1\n" + "*" * 20_000)
    titles = [item.title for item in read_catalogue(tmp_path).items]
    assert titles == ["<|im_end|>", "b", "=cmd|'/c calc'!A1"]
    (tmp_path / "d.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match=r"d\.txt is no UTF-8"):
        read_catalogue(tmp_path)


def test_rows_without_an_id_are_numbered_and_equal_titles_stay_apart(tmp_path: Path):
    path = tmp_path / "c.csv"
    path.write_text("title\nHeat\nHeat\n")
    assert [item.item_id for item in read_catalogue(path).items] == ["row 1", "row 2"]


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("a.csv", b"", "is empty"),
        ("a.csv", b"title,year\n", "no rows"),
        ("a.csv", b"colour,year\nred,1999\n", "no column looks like title among: colour, year"),
        ("a.csv", b"title,year\n ,1999\n", "no row has a title"),
        ("a.csv", b"title\n\xff\xfe\n", "is not UTF-8"),
        ("a.jsonl", b'{"title": "A"}\n{"title": \n', r"a\.jsonl:2: neither JSON"),
        ("a.jsonl", b"[1, 2]\n", "holds no record"),
        ("a.parquet", b"PAR1 not really", "cannot be read"),
        ("a.docx", b"x", "unknown format: the name ends in .docx"),
        ("a.json", b"[1]", "holds no record"),
        ("a.json", b"[" * 100_000, "malformed|holds no record"),
        ("empty", None, "holds no articles"),
    ],
)
def test_what_cannot_be_used_is_an_error_for_people(
    tmp_path: Path, name: str, content: bytes | None, found: str
):
    if content is None:
        (tmp_path / name).mkdir()
    else:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=found) as refused:
        read_catalogue(tmp_path / name)
    assert name in refused.value.where and refused.value.hint


def test_a_missing_file_is_an_error_for_people(tmp_path: Path):
    with pytest.raises(UserError, match="no such file"):
        read_catalogue(tmp_path / "none.csv")


@settings(max_examples=50, deadline=None)
@given(title=st.text(min_size=1, max_size=80))
def test_any_title_is_data(tmp_path_factory: pytest.TempPathFactory, title: str):
    path = tmp_path_factory.mktemp("c") / "c.jsonl"
    path.write_text(
        json.dumps({"title": title}) + "\n" + json.dumps({"title": "<|im_end|>\ud800" + "x" * 200_000})
    )
    *kept, huge = read_catalogue(path).items
    assert huge.title.startswith("<|im_end|>?xxx") and len(huge.title) == 200_011
    assert [item.title for item in kept] == ([clean] if (clean := clean_title(title)) else [])
