"""Files as people have them: what is read of them, and what is refused, by the catalogue and by the data
stage alike.
"""

import gzip
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from rectune.core.errors import UserError
from rectune.core.settings import CustomDatasetConfig
from rectune.datagen.datasets import registry
from rectune.datagen.datasets.custom import dataset
from rectune.datagen.datasets.normalize import read_domain
from rectune.readers.catalogue import CatalogueFile, CatalogueOptions, read_catalogue
from rectune.readers.drops import Drops
from rectune.readers.file_format import FileFormat
from rectune.readers.published.movielens import split_title
from tests.datagen.frames import Frames, collected

MANY = "".join(f"{n},Title {n},Kind\n" for n in range(100, 400))


def catalogue(path: Path, content: str | bytes, **more: Any) -> CatalogueFile:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_catalogue(path, CatalogueOptions(**more))


def titles(found: CatalogueFile) -> list[str]:
    return [item.title for item in found.items]


def domain(root: Path, **more: Any) -> Frames:
    """The tables of a dataset of one's own."""
    spec = CustomDatasetConfig(**({"domain": "shop", "items": "items.csv", "kind": "purchase"} | more))
    return collected(read_domain(dataset("shop", spec, root), root))


# Quotes, widths and encodings -------------------------------------------------------------------------------


def test_a_quote_that_never_closes_costs_its_line_or_refuses_the_file(tmp_path: Path) -> None:
    few = 'id,title,genre\n1,Harbour Lights,Drama\n2,"Weird Al: The Story,Comedy\n3,Quiet Orbit,SF\n'
    with pytest.raises(UserError, match=r"c\.csv:3: a quote opens here"):
        catalogue(tmp_path / "c.csv", few)
    found = catalogue(tmp_path / "c.csv", few + MANY)
    assert titles(found)[:3] == ["Harbour Lights", "Quiet Orbit", "Title 100"]
    assert found.drops.counts == {"malformed line": 1}


def test_in_a_tsv_a_quote_may_begin_a_title(tmp_path: Path) -> None:
    found = catalogue(tmp_path / "c.tsv", 'id\ttitle\n1\t"Heroes\n2\tPlain\n3\tSaid "so"\n')
    assert titles(found) == ['"Heroes', "Plain", 'Said "so"']


@pytest.mark.parametrize(
    "line", ["1,Baker, the Miller and the Thief, The (1989),Crime", "1,Baker", '1,"a" b,c']
)
def test_a_line_of_another_width_is_malformed_and_no_other_title(tmp_path: Path, line: str) -> None:
    found = catalogue(tmp_path / "c.csv", "movieId,title,genres\n" + line + "\n" + MANY)
    assert titles(found)[0] == "Title 100"
    assert found.drops.counts == {"malformed line": 1}
    assert found.drops.first["malformed line"][0].startswith("c.csv:2: ")


@pytest.mark.parametrize(
    ("encoding", "title"),
    [("latin-1", "Les Misérables"), ("cp949", "살인의 추억"), ("utf-16", "살인의 추억")],
)
@pytest.mark.parametrize("ending", ["csv", "jsonl", "json", "csv.gz"])
def test_another_encoding_is_refused_until_it_is_said(
    tmp_path: Path, encoding: str, title: str, ending: str
) -> None:
    content = {
        "csv": f"id,title\n1,Plain\n2,{title}\n",
        "jsonl": f'{{"id": 1, "title": "Plain"}}\n{{"id": 2, "title": "{title}"}}\n',
        "json": f'[{{"id": 1, "title": "Plain"}},\n{{"id": 2, "title": "{title}"}}]',
    }[ending.removesuffix(".gz")].encode(encoding)
    path = tmp_path / f"c.{ending}"
    data = gzip.compress(content) if ending.endswith(".gz") else content
    with pytest.raises(UserError) as refused:
        catalogue(path, data)
    assert encoding in refused.value.hint and str(path) in refused.value.where
    assert titles(catalogue(path, data, written=FileFormat(encoding=encoding))) == ["Plain", title]


def test_any_ending_with_a_format_and_files_without_a_header(tmp_path: Path) -> None:
    written = FileFormat(format="csv", separator="::", columns=("id", "title", "genre"))
    found = catalogue(tmp_path / "films.dat", "1::Heat: The Film::Crime\n2::Alien::SF\n", written=written)
    assert [(item.item_id, item.title) for item in found.items] == [("1", "Heat: The Film"), ("2", "Alien")]
    with pytest.raises(UserError, match=r"the name ends in \.dat") as refused:
        catalogue(tmp_path / "films.dat", "1::Heat\n")
    assert "csv, tsv, jsonl" in refused.value.hint


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:abc\n", "is a pointer of Git LFS"),
        (b"<!DOCTYPE html><html><body>Sign in</body></html>", "is a page of the web"),
        (b"PK\x03\x04\x14\x00", "is a zip archive"),
        (b"", "is empty"),
    ],
)
@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet", "tsv.gz"])
def test_what_is_no_data_is_named(tmp_path: Path, content: bytes, found: str, ending: str) -> None:
    with pytest.raises(UserError, match=found):
        catalogue(tmp_path / f"c.{ending}", content)


# Cells ------------------------------------------------------------------------------------------------------


def test_nan_is_no_title_in_any_format(tmp_path: Path) -> None:
    pl.DataFrame({"id": [1.0, 2.0, None], "title": ["A", None, "nan"]}).write_parquet(tmp_path / "c.parquet")
    for found in (
        read_catalogue(tmp_path / "c.parquet"),
        catalogue(tmp_path / "c.csv", "id,title\n1,A\n2,NaN\n3,nan\n"),
        catalogue(
            tmp_path / "c.jsonl",
            '{"id": 1, "title": "A"}\n{"id": 2, "title": NaN}\n{"id": 3, "title": null}\n',
        ),
    ):
        assert [(item.item_id, item.title) for item in found.items] == [("1", "A")]
        assert found.drops.counts == {"item without a title": 2}


def test_cells_of_parquet_that_are_no_text(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "id": [Decimal("9780140000001"), Decimal("9780140000002")],
            "title": [b"Paper Moons", b"1984"],
            "categories": [[{"id": 16, "name": "Animation"}], [{"id": 35, "name": "Comedy"}]],
            "description": [["One.", "<b>Two.</b>"], []],
            "year": [1984.0, None],
        }
    )
    frame.write_parquet(tmp_path / "c.parquet")
    first, second = read_catalogue(tmp_path / "c.parquet").items
    assert (first.item_id, first.title, first.categories) == ("9780140000001", "Paper Moons", ("Animation",))
    assert (first.description, first.year) == ("One. Two.", 1984)
    assert (second.title, second.description, second.year) == ("1984", "", None)


def test_markup_is_no_title_and_one_title_for_many_items_is_said(tmp_path: Path) -> None:
    rows = [f'{n},"<span class=""a-size-medium"\n' for n in range(20)] + [
        f"{n},Lamp\n" for n in range(20, 30)
    ]
    rows += [f"{n},Title {n}\n" for n in range(100, 400)]
    found = catalogue(tmp_path / "c.csv", "id,title\n" + "".join(rows))
    assert found.drops.counts == {"item without a title": 20}
    (warning,) = found.drops.notes
    assert "10 of 310 items bear the title “Lamp”" in warning


# Columns and ids --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("c.csv", "id,title,title\n1,A,B\n"),
        ("c.csv", "id,title, title\n1,A,B\n"),
        ("c.jsonl", '{"id": 1, "title": "A", "title": "B"}\n'),
        ("c.jsonl", '{"id": 1, "title": "A", " title": "B"}\n'),
    ],
)
def test_a_column_that_is_there_twice_is_refused(tmp_path: Path, name: str, content: str) -> None:
    with pytest.raises(UserError, match=r"two columns title|the key title twice"):
        catalogue(tmp_path / name, content)


def test_blanks_and_marks_around_names_of_columns_do_not_count(tmp_path: Path) -> None:
    pl.DataFrame({" item_id": ["1"], "title ": ["A"]}).write_parquet(tmp_path / "c.parquet")
    for found in (
        catalogue(tmp_path / "c.csv", "\ufeffitem_id, title\n1,A\n"),
        catalogue(tmp_path / "c.jsonl", '{" item_id": 1, "title ": "A"}\n'),
        read_catalogue(tmp_path / "c.parquet"),
    ):
        assert [(item.item_id, item.title) for item in found.items] == [("1", "A")]


@pytest.mark.parametrize("column", ["anime_id", "parent_asin", "show_id", "appId", "SKU"])
def test_ids_are_guessed_by_their_ending_and_said(tmp_path: Path, column: str) -> None:
    found = catalogue(tmp_path / "c.csv", f"user_id,{column},title,members\n9,7,A,12\n")
    assert found.items[0].item_id == "7"
    assert f"{column} as item_id" in found.describe()
    assert "not used: user_id, members" in found.describe()


def test_without_a_column_of_ids_it_is_said(tmp_path: Path) -> None:
    found = catalogue(tmp_path / "c.csv", "title,user_id\nA,3\n")
    assert found.items[0].item_id == "row 1"
    assert "no column of ids" in found.describe()


@pytest.mark.parametrize("item_id", ["9.78014E+12", "7,65612E+16", "1E+05"])
def test_ids_that_a_spreadsheet_rewrote_are_refused(tmp_path: Path, item_id: str) -> None:
    with pytest.raises(UserError, match="a spreadsheet has rewritten ids") as refused:
        catalogue(tmp_path / "c.csv", f'isbn,title\n"{item_id}",A\n"{item_id}",B\n')
    assert "text" in refused.value.hint
    (tmp_path / "items.csv").write_text("id,title\n1,A\n")
    (tmp_path / "e.csv").write_text(f'user,item\nu,1\n"{item_id}",1\n')
    with pytest.raises(UserError, match="a spreadsheet has rewritten ids"):
        domain(tmp_path, interactions="e.csv")
    pl.DataFrame({"user": [7.65612e16], "item": ["1"]}).write_parquet(tmp_path / "e.parquet")
    with pytest.raises(UserError, match="more digits than they keep"):
        domain(tmp_path, interactions="e.parquet")


# Published formats ------------------------------------------------------------------------------------------


def test_published_files_are_catalogues_by_the_name_of_their_dataset(tmp_path: Path) -> None:
    news = 'N1\tsports\tfootball_nfl\tA "Big" game\tAn abstract.\thttps://x\t[]\t[]\n'
    meta = json.dumps({"parent_asin": "P1", "title": "Lamp &amp; Co", "categories": ["Home", "Lamps"]}) + "\n"
    film = "1|Matrix, The (1999)|01-Jan-1999||http://x|" + "|".join("0" * 19) + "\n"
    for name, file, content, title in (
        ("mind", "news.tsv", news, 'A "Big" game'),
        ("amazon", "meta_Home.jsonl.gz", meta, "Lamp & Co"),
        ("movielens", "movies.csv", 'movieId,title,genres\n1,"Matrix, The (1999)",Action\n', "The Matrix"),
        ("movielens", "movies.dat", "1::Matrix, The (1999)::Action\n", "The Matrix"),
        ("movielens", "u.item", film, "The Matrix"),
        ("steam", "steam_games.json", "{u'id': u'10', u'title': u'Half'}\n", "Half"),
        ("yelp", "yelp_academic_dataset_business.json", '{"business_id": "b", "name": "Joe\'s"}\n', "Joe's"),
        ("anime", "anime.csv", "anime_id,name,genre,type,episodes,rating,members\n1,Saru,,TV,1,,2\n", "Saru"),
    ):
        data = content.encode()
        found = catalogue(
            tmp_path / file, gzip.compress(data) if file.endswith(".gz") else data, published=name
        )
        assert titles(found) == [title], name
    with pytest.raises(UserError, match="holds no items in the format movielens"):
        catalogue(tmp_path / "other.txt", "x", published="movielens")


def movielens(root: Path, movies: str, ratings: str) -> Frames:
    (root / "movielens").mkdir(exist_ok=True)
    (root / "movielens" / "movies.dat").write_text(movies)
    (root / "movielens" / "ratings.dat").write_text(ratings)
    return collected(read_domain(registry.find("movielens"), root))


def test_a_published_file_that_was_cut_off_gives_no_title_and_no_rating_of_1970(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    movies = "".join(f"{n}::Film {n} (1999)::Drama\n" for n in range(1, 200)) + "200::Route 9 i"
    ratings = "".join(f"7::{n}::4::978300{n:03}\n" for n in range(1, 200)) + "8::1::5::14942"
    tables = movielens(tmp_path, movies, ratings)
    assert "Route 9 i" not in tables.items["title"].to_list()
    assert tables.stats["dropped"] == {"malformed line": 1, "interaction with a time before 1990": 1}
    said = capsys.readouterr().err
    assert "movies.dat:200: has 2 of 3 fields" in said
    assert "movies.dat:200: the last line has no end" in said and "ratings.dat:200: the last line" in said


@pytest.mark.parametrize(
    ("published", "title"),
    [
        ("Power of Nightmares, The: The Rise of the Politics of Fear (2004)",
         "The Power of Nightmares: The Rise of the Politics of Fear"),
        ("Slingshot, The (Kådisbellan ) (1993)", "The Slingshot (Kådisbellan)"),
        ("Land Before Time III: The Time of the Great Giving (1995) (V)",
         "Land Before Time III: The Time of the Great Giving"),
        ("Storm of the Century (1999) (TV)", "Storm of the Century"),
    ],
)  # fmt: skip
def test_titles_of_movielens_are_put_right(published: str, title: str) -> None:
    assert split_title(published)[0] == title
    assert split_title(published)[1] in (2004, 1993, 1995, 1999)


def test_a_film_that_the_100k_edition_lists_twice_is_one_film(tmp_path: Path) -> None:
    flags = "|".join("0" * 19)
    films = [f"{n}|Chasing Amy (1997)|01-Jan-1997||http://amy|{flags}" for n in (246, 268)]
    films += [f"{n}|Emma ({n})|01-Jan-{n}||http://emma{n}|{flags}" for n in (1996, 1997)]
    (tmp_path / "movielens").mkdir()
    (tmp_path / "movielens" / "u.item").write_text("\n".join(films) + "\n")
    ratings = "1\t246\t4\t881250949\n2\t268\t5\t881250950\n"
    (tmp_path / "movielens" / "u.data").write_text(ratings)
    tables = collected(read_domain(registry.find("movielens"), tmp_path))
    assert tables.items["title"].to_list() == ["Chasing Amy", "Emma (1996)", "Emma (1997)"]
    assert tables.interactions["item"].to_list() == [0, 0]
    assert tables.stats["dropped"] == {"film listed again under another id": 1}


# One file for both, and what is said ------------------------------------------------------------------------


def test_one_file_may_be_items_and_interactions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = "order,customer,sku,product name,date\n1,ann,7,Lamp,2024-01-01\n2,bob,7,Lamp,2024-01-02\n"
    log += "3,ann,8,Chair,2024-01-03\n"
    (tmp_path / "orders.csv").write_text(log)
    tables = domain(tmp_path, items="orders.csv", interactions="orders.csv")
    assert tables.items.select("item_id", "title").rows() == [("7", "Lamp"), ("8", "Chair")]
    assert (tables.interactions.height, tables.stats["dropped"]) == (3, {})
    said = capsys.readouterr().err
    assert "sku as item_id" in said and "not used: order" in said


def test_places_are_told_for_each_file(tmp_path: Path) -> None:
    drops = Drops()
    for where in ("a.csv:3: x", "a.csv:9: y", "b.csv:1: z"):
        drops.add("malformed line", 1, where)
    assert (drops.counts, drops.first) == (
        {"malformed line": 3},
        {"malformed line": ["a.csv:3: x", "b.csv:1: z"]},
    )


def test_ids_that_a_spreadsheet_rounded_are_refused_in_json_too(tmp_path: Path):
    path = tmp_path / "items.json"
    path.write_text('[{"id": 7.65612E+16, "title": "Harbour Lights"}]')
    with pytest.raises(UserError, match="spreadsheet has rewritten"):
        read_catalogue(path)
    path.write_text('[{"id": 9780140000000.0, "title": "Harbour Lights"}]')
    assert [item.item_id for item in read_catalogue(path).items] == ["9780140000000"]
