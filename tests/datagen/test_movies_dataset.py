"""The Movies Dataset in the stage `data`: its sample as it was drawn, and in place of MovieLens."""

from pathlib import Path

import polars as pl
import pytest

from rectune.core.catalogue import load_catalogue
from rectune.core.errors import UserError
from rectune.core.recipe import Recipe, load_recipe
from rectune.core.rows import read_rows
from rectune.core.types import Case
from rectune.datagen.build import run
from rectune.datagen.datasets import registry
from rectune.datagen.datasets.normalize import read_domain
from samples.domains import build
from tests.datagen.frames import collected

ROOT = Path(__file__).parents[2]


SIZE = ("data.train=110", "data.test=24", "data.max_history=8", "data.train_time_quantile=0.9")


def recipe(*overrides: str) -> Recipe:
    """The demo's data, of few test cases."""
    given = [f"data.root={ROOT / 'samples'}", *SIZE, *overrides]
    return load_recipe(ROOT / "recipes/demo.yaml", given).only(("data",))


def test_the_sample_is_read_as_it_was_drawn_but_for_the_film_without_a_link() -> None:
    world = build("movies_dataset")
    tables = collected(read_domain(registry.find("movies_dataset"), ROOT / "samples"))
    items, users = tables.items.drop("domain"), tables.users.drop("domain")
    joined = tables.interactions.join(items, on="item").join(users, on="user")
    linked = [act for act in world.acts if world.items[act.item].facts["quirk"] != "no_link"]
    assert sorted(joined.select("user_id", "item_id", "value", "timestamp").rows()) == sorted(
        (world.users[act.user].id, world.items[act.item].id, act.value, act.time * 1000) for act in linked
    )
    assert tables.items["item_id"].to_list() == [item.id for item in world.items]
    assert tables.stats["dropped"] == {
        "item id seen before": 1,
        "shifted row: its id is a date": 1,
        "link without a tmdbId": 1,
        "rating of a film without a link": len(world.acts) - len(linked) + 1,
        "interaction with an unknown item": 1,
    }
    assert set(tables.stats["first"]) == set(tables.stats["dropped"])
    facts = tables.items.filter(pl.col("item_id") == world.items[4].id)["facts"].to_list()[0]
    assert [fact.partition(":")[0] for fact in facts] == [
        "directors", "cast", "keywords", "countries", "languages", "runtime", "companies", "original title",
        "vote average", "vote count",
    ]  # fmt: skip


def test_it_takes_the_place_of_movielens_with_a_weight_of_its_own(tmp_path: Path) -> None:
    weights = "data.mixture_weights={movies_dataset: 1, books: 1}"
    counted = run(recipe("data.datasets=[movies_dataset, books]", weights), {}, tmp_path)
    cases, catalogue = read_rows(tmp_path / "cases.parquet", Case), load_catalogue(tmp_path / "items.parquet")
    assert {case.domain for case in cases} == {"movies", "books"}
    assert counted.datasets["movies_dataset"].cases["train"].got == 55
    assert any("cast: " in fact for item in catalogue.of("movies") for fact in item.facts)
    liked = pl.read_parquet(tmp_path / "interactions.parquet").filter(pl.col("domain") == "movies")
    assert liked["liked"].to_list() == (liked["value"] >= 4.0).to_list()


def test_without_a_weight_or_beside_movielens_it_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no share for movies_dataset") as caught:
        run(recipe("data.datasets=[movies_dataset]"), {}, tmp_path)
    assert caught.value.where == "data.mixture_weights"
    with pytest.raises(UserError, match="movielens and movies_dataset are both of the domain movies"):
        run(recipe("data.datasets=[movielens, movies_dataset]"), {}, tmp_path)
