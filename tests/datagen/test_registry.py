"""The table of datasets, and how the files of one are found."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from rectune.core.errors import UserError
from rectune.core.settings import DataConfig
from rectune.datagen.datasets import registry
from rectune.datagen.datasets.entry import Dataset, Layout
from rectune.pipeline.datasets import entry, overview


def put(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def names(groups: list[list[Path]]) -> list[list[str]]:
    return [[path.name for path in group] for group in groups]


# The entries ------------------------------------------------------------------------------------------------


def test_nine_datasets_with_distinct_names_in_eight_domains() -> None:
    assert len({dataset.name for dataset in registry.DATASETS}) == len(registry.DATASETS) == 9
    assert len({dataset.domain for dataset in registry.DATASETS}) == 8


@pytest.mark.parametrize("dataset", registry.DATASETS, ids=lambda dataset: dataset.name)
def test_an_entry_is_complete(dataset: Dataset) -> None:
    assert dataset.licence and dataset.why_liked and dataset.home.startswith("https://")
    layouts = {layout.name for layout in dataset.layouts}
    assert {edition.layout for edition in dataset.editions} == layouts
    for edition in dataset.editions:
        assert bool(edition.downloads) != bool(edition.by_hand)
        assert edition.rows
        for download in edition.downloads:
            assert download.url.startswith("https://")
            assert "/" not in download.file
            assert download.checksum == "" or download.checksum.split(":")[0] in ("md5", "sha256")


def test_recipes_read_the_published_mixture_of_eight_unless_they_say_otherwise() -> None:
    data, known = DataConfig(), {dataset.name: dataset.liked for dataset in registry.DATASETS}
    assert known.pop("movies_dataset") == 4.0
    assert set(data.datasets) == set(data.mixture_weights) == set(known)
    assert data.positive_threshold == known


def test_both_amazon_datasets_share_their_people() -> None:
    assert registry.find("amazon").people == registry.find("amazon_music").people == "amazon"


def test_terms_are_the_strictest_of_the_layouts_editions() -> None:
    movielens = registry.find("movielens")
    assert movielens.terms("csv")[1]
    licence, may = movielens.terms("dat")
    assert not may and "permission" in licence
    lenient = replace(movielens.editions[-1], layout="csv", licence="other", redistributable=False)
    assert not replace(movielens, editions=(*movielens.editions, lenient)).terms("csv")[1]


def test_a_misspelt_name_gets_the_nearest_one_and_others_are_found_too() -> None:
    with pytest.raises(UserError, match="did you mean movielens"):
        registry.find("movielen")
    own = replace(registry.find("yelp"), name="myshop")
    assert registry.find("myshop", [own]) is own
    with pytest.raises(UserError, match="did you mean myshop"):
        registry.find("my_shop", [own])


def test_the_registry_is_light() -> None:
    check = "import sys, rectune.datagen.datasets.registry; "
    check += "sys.exit('polars' in sys.modules or 'httpx2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


# Layouts ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dataset", "files", "layout"),
    [
        ("movielens", ["movies.csv", "ratings.csv"], "csv"),
        ("movielens", ["movies.dat", "ratings.dat", "users.dat"], "dat"),
        ("movielens", ["u.data", "u.item"], "100k"),
        ("movies_dataset", ["movies_metadata.csv", "links.csv", "ratings.csv"], "full"),
        ("movies_dataset", ["movies_metadata.csv", "links_small.csv", "ratings_small.csv"], "small"),
        (
            "movies_dataset",
            [
                "movies_metadata.csv",
                "credits.csv",
                "keywords.csv.gz",
                "links.csv",
                "ratings.csv",
                "links_small.csv",
                "ratings_small.csv",
            ],
            "full",
        ),
        ("anime", ["anime.csv", "rating.csv"], "2016"),
        ("anime", ["anime.csv", "rating_complete.csv", "rating.csv"], "2020"),
        ("anime", ["pre_merged_anime.csv", "anime.csv", "rating_complete.csv"], "2020 merged"),
        ("books", ["BX-Books.csv", "BX-Book-Ratings.csv"], "original"),
        ("steam", ["steam-200k.csv"], "200k"),
        ("yelp", ["yelp_academic_dataset_business.json.gz", "yelp_academic_dataset_review.json"], "yelp"),
        ("amazon", ["meta_A.jsonl", "A.jsonl.gz"], "2023"),
        ("amazon", ["meta_A.json.gz", "A.json.gz"], "2018"),
        ("amazon", ["meta_A.json.gz", "reviews_A.json.gz"], "2014"),
        ("amazon_music", ["meta_A.json.gz", "reviews_A_5.json.gz"], "2014"),
    ],
)
def test_the_layout_is_chosen_by_the_files(
    tmp_path: Path, dataset: str, files: list[str], layout: str
) -> None:
    put(tmp_path / dataset, *files)
    assert registry.locate(registry.find(dataset), tmp_path)[0].name == layout


def test_lists_follow_the_patterns_and_what_may_be_missing_may_be_missing(tmp_path: Path) -> None:
    put(tmp_path / "books", "Books.csv", "Ratings.csv.gz")
    assert names(registry.locate(registry.find("books"), tmp_path)[1]) == [
        ["Books.csv"],
        ["Ratings.csv.gz"],
        [],
    ]
    put(tmp_path / "books", "Users.csv", "Ratings.csv")
    found = registry.locate(registry.find("books"), tmp_path)[1]
    assert names(found) == [["Books.csv"], ["Ratings.csv"], ["Users.csv"]]
    assert registry.files(registry.find("books"), tmp_path) == sorted(
        path for group in found for path in group
    )


def test_folders_of_splits_are_looked_into(tmp_path: Path) -> None:
    put(tmp_path / "mind", "dev/news.tsv", "dev/behaviors.tsv", "train/news.tsv", "train/behaviors.tsv.gz")
    news, behaviours = registry.locate(registry.find("mind"), tmp_path)[1]
    assert [path.parent.name for path in news] == ["dev", "train"]
    assert [path.name for path in behaviours] == ["behaviors.tsv", "behaviors.tsv.gz"]


def test_nothing_that_fits_lists_what_each_layout_lacks_and_how_to_get_it(tmp_path: Path) -> None:
    dataset = registry.find("movielens")
    with pytest.raises(
        UserError, match=r"no such folder(.|\n)*csv needs movies.csv(.|\n)*data fetch movielens"
    ):
        registry.files(dataset, tmp_path)
    put(tmp_path / "movielens", "movies.csv", "ratings.dat")
    with pytest.raises(UserError) as caught:
        registry.files(dataset, tmp_path)
    assert "missing: ratings.csv" in str(caught.value)
    assert "missing: movies.dat" in str(caught.value)
    with pytest.raises(UserError, match=r"yelp\.com"):
        registry.files(registry.find("yelp"), tmp_path)


def test_a_name_with_signs_of_patterns_is_itself(tmp_path: Path) -> None:
    put(tmp_path, "in/items[1].csv")
    layout = Layout("custom", ("in/items[1].csv",), "x:y", ordered=False)
    own = replace(registry.find("yelp"), layouts=(layout,), editions=(), folder=".")
    assert names(registry.locate(own, tmp_path)[1]) == [["items[1].csv"]]
    outside = replace(own, layouts=(replace(layout, files=(str(tmp_path / "in/items[1].csv"),)),))
    assert names(registry.locate(outside, tmp_path / "elsewhere")[1]) == [["items[1].csv"]]
    with pytest.raises(UserError, match=r"needs gone\.csv"):
        registry.locate(replace(own, layouts=(replace(layout, files=("gone.csv",)),)), tmp_path)


def test_a_reader_is_called_by_name_or_as_it_is() -> None:
    named = Layout("a", (), "operator:getitem", ordered=False)
    assert named.read([["first"], ["second"]], 1) == ["second"]  # type: ignore[list-item,arg-type,comparison-overlap]
    own = replace(named, reader=lambda files, drops: "own")  # type: ignore[arg-type,return-value]
    assert own.read([], None) == "own"  # type: ignore[arg-type,comparison-overlap]


# Categories -------------------------------------------------------------------------------------------------


def test_categories_empty_means_all_that_are_complete_in_one_order(tmp_path: Path) -> None:
    put(
        tmp_path / "amazon",
        "meta_B.jsonl.gz",
        "B.jsonl",
        "meta_A_C.jsonl",
        "A_C.jsonl",
        "meta_D.jsonl",
        "E.jsonl",
    )
    put(tmp_path / "amazon", "README.txt", "A_C.jsonl.gz", "B.jsonl.gz.part", ".A_C.jsonl.gz.fetched")
    metas, reviews = names(registry.locate(registry.find("amazon"), tmp_path)[1])
    assert metas == ["meta_A_C.jsonl", "meta_B.jsonl.gz"]
    assert reviews == ["A_C.jsonl", "B.jsonl"]


def test_only_the_categories_asked_for_are_taken(tmp_path: Path) -> None:
    put(tmp_path / "amazon", "meta_B.jsonl", "B.jsonl", "meta_A.jsonl", "A.jsonl")
    dataset = registry.find("amazon")
    assert names(registry.locate(dataset, tmp_path, ["B"])[1]) == [["meta_B.jsonl"], ["B.jsonl"]]
    assert names(registry.locate(dataset, tmp_path, ["B", "A", "B"])[1])[1] == ["A.jsonl", "B.jsonl"]


def test_a_category_is_looked_for_in_every_edition(tmp_path: Path) -> None:
    put(tmp_path / "amazon", "meta_New.jsonl", "New.jsonl", "meta_Old.json.gz", "reviews_Old.json.gz")
    layout, found = registry.locate(registry.find("amazon"), tmp_path, ["Old"])
    assert (layout.name, names(found)) == ("2014", [["meta_Old.json.gz"], ["reviews_Old.json.gz"]])
    with pytest.raises(UserError, match="New, Old"):
        registry.locate(registry.find("amazon"), tmp_path, ["None"])


def test_the_whole_file_comes_before_the_core_of_it(tmp_path: Path) -> None:
    put(tmp_path / "amazon", "meta_A.json", "A.json.gz", "A_5.json", "meta_B.json", "B_5.json.gz")
    assert names(registry.locate(registry.find("amazon"), tmp_path)[1])[1] == ["A.json.gz", "B_5.json.gz"]


def test_a_missing_category_names_those_that_are_there(tmp_path: Path) -> None:
    put(tmp_path / "amazon", "meta_Electronics.jsonl", "Electronics.jsonl", "meta_Books.jsonl")
    with pytest.raises(UserError, match=r"Elektronics, did you mean Electronics\?\n.*there: Electronics$"):
        registry.locate(registry.find("amazon"), tmp_path, ["Electronics", "Elektronics"])
    with pytest.raises(UserError, match=r"category Books"):
        registry.locate(registry.find("amazon"), tmp_path, ["Books"])


def test_a_dataset_without_categories_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="yelp has no categories"):
        registry.locate(registry.find("yelp"), tmp_path, ["Food"])


# What is printed --------------------------------------------------------------------------------------------


def test_the_overview_shows_every_dataset_with_its_licence_in_100_columns() -> None:
    lines = overview().splitlines()
    assert max(map(len, lines)) <= 100
    rows = {line.split()[0]: line for line in lines if line and line[0] != " "}
    for dataset in registry.DATASETS:
        assert dataset.domain in rows[dataset.name]
        assert dataset.licence.split(";")[0] in " ".join(" ".join(lines).split())
    assert rows["mind"].split()[2:5] == ["no", "by", "hand"]
    assert rows["movielens"].split()[2:4] == ["some", "yes"]
    assert rows["steam"].split()[2:4] == ["no", "some"]


@pytest.mark.parametrize("dataset", registry.DATASETS, ids=lambda dataset: dataset.name)
def test_an_entry_shows_editions_files_checksums_and_why_something_is_liked(dataset: Dataset) -> None:
    text = entry(dataset.name)
    assert max(map(len, text.splitlines())) <= 100
    flat = " ".join(text.split())
    assert dataset.why_liked in flat and dataset.home in flat
    for edition in dataset.editions:
        assert edition.rows in flat
        for download in edition.downloads:
            assert download.file.replace("{category}", "CATEGORY") in flat
            assert download.checksum in flat
