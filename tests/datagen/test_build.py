"""The data stage on the sample files: tables, cases and figures agree, and shortfalls are told."""

from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from rectune.core.catalogue import load_catalogue
from rectune.core.errors import UserError
from rectune.core.recipe import Recipe, load_recipe
from rectune.core.rows import read_rows
from rectune.core.types import Case
from rectune.datagen.build import run

ROOT = Path(__file__).parents[2]


SIZE = ("data.train=110", "data.test=24", "data.max_history=8", "data.train_time_quantile=0.9")


def recipe(*overrides: str) -> Recipe:
    """The demo's data, of few test cases."""
    given = [f"data.root={ROOT / 'samples'}", *SIZE, *overrides]
    return load_recipe(ROOT / "recipes/demo.yaml", given).only(("data",))


def test_all_eight_domains_become_tables_and_cases(tmp_path: Path) -> None:
    stats = run(recipe(), {}, tmp_path)
    cases, catalogue = read_rows(tmp_path / "cases.parquet", Case), load_catalogue(tmp_path / "items.parquet")
    assert len(stats.datasets) == len(catalogue.domains) == 8
    assert stats.rows_out == len(cases) == len({case.id for case in cases}) == 110 + 30 + 24
    for one in stats.datasets.values():
        got = Counter(case.split for case in cases if case.domain == one.domain)
        assert {split: count.got for split, count in one.cases.items()} == dict(got)
    people = {
        split: {(c.domain, c.user) for c in cases if c.split == split}
        for split in ("train", "preference", "test")
    }
    assert not people["train"] & people["test"] and not people["preference"] & (
        people["train"] | people["test"]
    )
    for case in cases:
        assert set(case.history) | set(case.candidates) <= {
            item.item_id for item in catalogue.of(case.domain)
        }


def test_what_counted_as_liked_is_marked_and_follows_the_recipe(tmp_path: Path) -> None:
    run(recipe("data.datasets=[anime]", "data.positive_threshold.anime=9"), {}, tmp_path)
    table = pl.read_parquet(tmp_path / "interactions.parquet")
    assert table["liked"].sum() == table.filter(pl.col("value") >= 9).height > 0
    assert table.filter(pl.col("value").is_null())["liked"].sum() == 0


def test_a_domain_that_runs_out_gives_what_it_has_and_says_so(tmp_path: Path) -> None:
    stats = run(recipe("data.datasets=[anime]", "data.train=100000"), {}, tmp_path)
    train = stats.datasets["anime"].cases["train"]
    assert train.wanted == 100000 > train.got > 120


def test_no_user_with_enough_history_is_an_error_with_a_mend(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no user of anime liked more than 500 items") as caught:
        run(recipe("data.datasets=[anime]", "data.min_history=500"), {}, tmp_path)
    assert "data.min_history" in caught.value.hint


def test_a_split_that_nobody_is_left_for_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no user is left for the split train"):
        run(recipe("data.datasets=[anime]", "data.test=1000"), {}, tmp_path)


def test_an_interrupted_attempt_goes_on_behind_what_was_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    from rectune.datagen.datasets import normalize

    read: list[str] = []
    whole = normalize.read_domain

    def failing(dataset: Any, *rest: Any) -> Any:
        read.append(dataset.name)
        if read == ["anime", "books"]:
            raise KeyboardInterrupt
        return whole(dataset, *rest)

    monkeypatch.setattr(normalize, "read_domain", failing)
    config = recipe("data.datasets=[anime, books]")
    with pytest.raises(KeyboardInterrupt):
        run(config, {}, tmp_path)
    run(config, {}, tmp_path)
    assert read == ["anime", "books", "books"]
    other = tmp_path / "other"
    other.mkdir()
    run(config, {}, other)
    for name in ("items", "interactions", "cases"):
        assert (tmp_path / f"{name}.parquet").read_bytes() == (other / f"{name}.parquet").read_bytes()
    assert not (tmp_path / "parts").exists()


def test_negatives_by_popularity_and_a_shortfall_that_is_spread(tmp_path: Path) -> None:
    wanted = ["data.datasets=[anime, movielens]", "data.train=1500", "data.shortfall=spread"]
    stats = run(
        recipe(*wanted, "data.mixture_weights={anime: 1, movielens: 99}", "data.negatives=popularity"),
        {},
        tmp_path,
    )
    train = {name: entry.cases["train"] for name, entry in stats.datasets.items()}
    assert train["movielens"].got < train["movielens"].wanted == 1485
    assert train["anime"].got > train["anime"].wanted == 15
    assert sum(count.got for count in train.values()) == 1500


def test_two_datasets_of_one_domain_are_refused(tmp_path: Path) -> None:
    (tmp_path / "films.csv").write_text("id,title\n1,Heat\n")
    own = f"data.custom={{films: {{domain: movies, items: {tmp_path}/films.csv}}}}"
    with pytest.raises(UserError, match="movielens and films are both of the domain movies"):
        run(
            recipe("data.datasets=[movielens, films]", "data.mixture_weights={movielens: 1, films: 1}", own),
            {},
            tmp_path,
        )
