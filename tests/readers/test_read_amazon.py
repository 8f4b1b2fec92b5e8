"""Amazon's metadata and reviews in their three generations, as awkward as they were published."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from rectune.core.errors import UserError
from rectune.readers.drops import Drops
from rectune.readers.published.amazon import category_of, read
from rectune.readers.raw import Raw, interaction_columns, item_columns


def lines(*rows: Any) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def literals(*rows: Any) -> str:
    return "".join(repr(row) + "\n" for row in rows)


def raw(root: Path, metas: dict[str, str], reviews: dict[str, str]) -> Raw:
    groups = []
    for group in (metas, reviews):
        for name, content in group.items():
            data = content.encode()
            (root / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        groups.append([root / name for name in group])
    return read(groups, Drops())


def items(
    root: Path, *rows: Any, how: Any = lines, name: str = "meta_Digital_Music.json"
) -> list[dict[str, Any]]:
    found = raw(root, {name: how(*rows)}, {}).items.to_dicts()
    return [row | {"extra": json.loads(row["extra"])} for row in found]


def events(found: Raw) -> list[tuple[Any, ...]]:
    frames = list(found.interactions)
    assert all(frame.schema == interaction_columns() for frame in frames)
    assert {kind for frame in frames for kind in frame["kind"]} <= {"review"}
    return [row for frame in frames for row in frame.drop("kind").rows()]


# Reviews ----------------------------------------------------------------------------------------------------

OLD = {"reviewerID": "R1", "asin": "A1", "reviewerName": "J. \"Joe\" <b>", "helpful": [2, 3],
       "reviewText": "So so.\n",
       "overall": 5.0, "summary": "Good", "unixReviewTime": 1252800000,
       "reviewTime": "09 13, 2009"}  # fmt: skip
NEW = {"rating": 4.0, "title": "x", "text": "{\"asin\": \"no\"}", "images": [{"a": "b"}], "asin": "C1",
       "parent_asin": "P1", "user_id": "U1", "timestamp": 1558404207398,
       "verified_purchase": True}  # fmt: skip


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_reviews_of_three_generations(tmp_path: Path, ending: str) -> None:
    of_2018 = [
        OLD | {"vote": "1,024"},
        OLD | {"asin": "A2", "vote": None},
        OLD | {"asin": "A3", "overall": 2},
    ]
    found = raw(
        tmp_path,
        {f"meta_A.json{ending}": lines({"asin": "A1"})},
        {
            f"reviews_A_5.json{ending}": lines(OLD),
            f"B.json{ending}": lines(*of_2018),
            f"C.jsonl{ending}": lines(NEW),
        },
    )
    assert events(found) == [
        ("R1", "A1", 5.0, 1252800000000),
        ("R1", "A1", 5.0, 1252800000000), ("R1", "A2", 5.0, 1252800000000), ("R1", "A3", 2.0, 1252800000000),
        ("U1", "P1", 4.0, 1558404207398),
    ]  # fmt: skip
    assert found.items.schema == item_columns()
    assert found.drops.counts == {}


def test_one_reviewer_may_review_one_item_several_times(tmp_path: Path) -> None:
    again = [NEW, NEW | {"rating": 1.0, "timestamp": 1558404207999}, NEW | {"timestamp": 1600000000000}, NEW]
    found = events(raw(tmp_path, {}, {"A.jsonl": lines(*again)}))
    assert [row[2:] for row in found] == [
        (4.0, 1558404207398),
        (1.0, 1558404207999),
        (4.0, 1600000000000),
        (4.0, 1558404207398),
    ]


def test_reviews_that_lack_things_are_null_there(tmp_path: Path) -> None:
    rows = [
        {"overall": None, "reviewerID": "R2", "asin": "A3", "unixReviewTime": None},
        {"overall": "3.0", "asin": "A1", "unixReviewTime": "1252800000"},
        {"rating": 1, "user_id": "U", "asin": "only a child"},
    ]
    assert events(raw(tmp_path, {}, {"A.json": lines(*rows)})) == [
        ("R2", "A3", None, None), (None, "A1", 3.0, 1252800000000), ("U", "only a child", 1.0, None),
    ]  # fmt: skip


def test_a_torn_file_is_one_error_that_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "A.jsonl.gz"
    path.write_bytes(gzip.compress(lines(*[NEW] * 100).encode())[:-20])
    with pytest.raises(UserError) as caught:
        events(read([[], [path]], Drops()))
    assert str(caught.value).splitlines() == [
        f"{path}: cannot be read to its end: it was cut off, or is damaged",
        "  get the file again, or fix it",
    ]
    with pytest.raises(UserError, match=r"A.jsonl.gz: cannot be read to its end"):
        read([[path], []], Drops())


def test_malformed_lines_of_all_files_are_counted(tmp_path: Path) -> None:
    content = lines(*[NEW] * 200) + '{"rating": 4.0, "user_\n'
    found = raw(tmp_path, {"meta_A.jsonl": content}, {"A.jsonl": content})
    assert len(events(found)) == 200
    assert found.drops.counts == {"malformed line": 2}
    assert found.drops.first["malformed line"][0].startswith("meta_A.jsonl:201: ")


# Metadata ---------------------------------------------------------------------------------------------------


def test_metadata_of_2014_are_literals_with_several_paths(tmp_path: Path) -> None:
    album, bare = items(
        tmp_path,
        {"asin": "A1", "title": "It's \"Live\"", "price": 12.49, "imUrl": "http://x",
         "salesRank": {"Music": 4},
         "related": {"also_bought": ["B1"]}, "brand": "", "description": "An album.",
         "categories": [["CDs & Vinyl", "Rock", "Pop"], ["CDs & Vinyl", "Live"]]},
        {"asin": "A2", "categories": [["CDs & Vinyl"]]},
        how=literals,
        name="meta_CDs_and_Vinyl.json.gz",
    )  # fmt: skip
    assert (album["item_id"], album["title"], album["description"]) == ("A1", 'It\'s "Live"', "An album.")
    assert album["categories"] == ["Rock", "Pop", "Live"]
    assert album["extra"] == {"group": "CDs & Vinyl", "price": 12.49}
    assert (bare["title"], bare["categories"], bare["category"]) == ("", ["CDs & Vinyl"], "CDs_and_Vinyl")


def test_metadata_of_2018(tmp_path: Path) -> None:
    (album,) = items(
        tmp_path,
        {"asin": "A1", "title": "Abbey &amp; Road", "category": ["Digital Music", "Rock", "x" * 80, "Pop"],
         "brand": "The\n  Beatles", "description": ["An <b>album</b>.", "", "Of 1969."],
         "price": "$5.49 - $7.00",
         "main_cat": '<img alt="Digital Music"/>', "rank": ["1 in"], "details": None},
    )  # fmt: skip
    assert album["categories"] == ["Rock", "Pop"]
    assert album["description"] == "An album. Of 1969."
    assert album["extra"] == {"brand": "The Beatles", "group": "Digital Music", "price": 5.49}
    assert album["marks"] == ["The Beatles", None]


def test_metadata_of_2023(tmp_path: Path) -> None:
    lamp, bare = items(
        tmp_path,
        {"parent_asin": "P1", "title": "Lamp", "main_category": "Amazon Home", "price": "from 1,249.00",
         "store": None, "details": '{"Brand": "Philips", "Color": "Red"}', "features": ["A lamp", "Red"],
         "categories": "['Home & Kitchen', 'Lamps']", "description": None},
        {"parent_asin": "P2", "title": None, "categories": [], "details": "{broken", "price": None,
         "store": "Ikea"},
        name="meta_Home_and_Kitchen.jsonl",
    )  # fmt: skip
    assert (lamp["item_id"], lamp["categories"], lamp["description"]) == ("P1", ["Lamps"], "A lamp")
    assert lamp["extra"] == {"brand": "Philips", "group": "Amazon Home", "price": 1249.0}
    assert lamp["marks"] == ["Philips", "Red"]
    assert (bare["title"], bare["categories"], bare["description"]) == ("", [], "")
    assert bare["facts"] == ["brand: Ikea"]


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_metadata_may_be_one_array(tmp_path: Path, indent: int | None, ending: str) -> None:
    rows = [{"asin": f"A{i}", "title": f"앨범 [{i}], {{live}}"} for i in range(30)]
    name = f"meta_Digital_Music.json{ending}"
    found = items(tmp_path, rows, how=lambda whole: json.dumps(whole, indent=indent), name=name)
    assert [(row["item_id"], row["title"], row["category"]) for row in found] == [
        (row["asin"], row["title"], "Digital_Music") for row in rows
    ]


@pytest.mark.parametrize(
    ("published", "title"),
    [
        ("var aPageStart = (new Date()).getTime();\nvar ue_t0=ue_t0||+new Date();", ""),
        ("<script>var aPageStart = 1;</script>", ""),
        ("\n  <style type='text/css'>\n.a-box { color: red }\n</style>\n Abbey Road", "Abbey Road"),
        ("Abbey Road <style>.a-box { color: red", "Abbey Road"),
        (".a-popover { display: none; } #nav{top:0}", ""),
        (".a-box h1 { color: red; top: 0 }\nAbbey Road", "Abbey Road"),
        (
            "Abbey Road {Deluxe: Live} (feat.Somebody) {Remix: 2}",
            "Abbey Road {Deluxe: Live} (feat.Somebody) {Remix: 2}",
        ),
        ('<span class="a-size-medium">Abbey Road</span>', '<span class="a-size-medium">Abbey Road</span>'),
        ("C++ {Deluxe: Live} < 3", "C++ {Deluxe: Live} < 3"),
        ("Vol. 2 {Live}", "Vol. 2 {Live}"),
        ("The wave function (of Style)", "The wave function (of Style)"),
    ],
)
def test_pages_in_place_of_titles(tmp_path: Path, published: str, title: str) -> None:
    assert items(tmp_path, {"asin": "A1", "title": published})[0]["title"].strip() == title


def test_an_item_in_two_files_stands_there_twice_with_either_category(tmp_path: Path) -> None:
    row = {"asin": "A1", "title": "Lamp"}
    found = raw(tmp_path, {"meta_A.json": lines(row, row), "meta_B.json": lines(row)}, {})
    assert found.items.select("item_id", "category").rows() == [("A1", "A"), ("A1", "A"), ("A1", "B")]


@pytest.mark.parametrize(
    ("name", "category"),
    [("meta_Electronics.jsonl", "Electronics"), ("Electronics_5.json.gz", "Electronics"),
     ("reviews_Digital_Music_5.json.gz", "Digital_Music"), ("meta_CDs_and_Vinyl.json.gz", "CDs_and_Vinyl"),
     ("AMAZON_FASHION.json", "AMAZON_FASHION"), ("reviews_Books.json", "Books"), ("odd.txt", "odd")],
)  # fmt: skip
def test_the_category_is_that_of_the_file(name: str, category: str) -> None:
    assert category_of(Path(name)) == category
