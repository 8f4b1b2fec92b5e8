"""A random split of the likes: what precision and AUC are, and the recipe on files like MovieLens 100K."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from rectune.core.errors import UserError
from rectune.core.figures.random_split import RandomSplitFigures
from rectune.core.recipe import Recipe, load_recipe, parse_recipe
from rectune.core.stats.relevant import auc, precision_at
from rectune.core.tables import interaction_schema, item_schema
from rectune.datagen.build import run as build
from rectune.evaluation.random_likes import items_by_user, split_at_random
from rectune.evaluation.random_split import TABLE, run

ROOT = Path(__file__).parents[2]
FILMS, USERS = 24, 60


def write(folder: Path, likes: list[tuple[int, int]], items: int = FILMS) -> Path:
    """The tables of a data stage, as far as they are read: items i0, i1, …; everything is liked."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        {"domain": "d", "user": user, "item": item, "value": 5.0, "kind": "rating", "order": at}
        for at, (user, item) in enumerate(likes)
    ]
    events = pl.DataFrame(rows, schema=interaction_schema(), orient="row").with_columns(liked=pl.lit(True))
    events.write_parquet(folder / "interactions.parquet")
    things = [
        {"domain": "d", "item": at, "item_id": f"i{at}", "title": f"t{at}", "categories": []}
        for at in range(items)
    ]
    pl.DataFrame(things, schema=item_schema(), orient="row").write_parquet(folder / "items.parquet")
    return folder


def chosen(**given) -> Recipe:
    return parse_recipe({"random_split": {"bootstrap": 200} | given, "retrieval": {}})


def test_every_like_is_in_one_part_the_shares_are_as_asked_and_the_seed_draws(tmp_path: Path) -> None:
    likes = [(user, (user + step) % FILMS) for user in range(20) for step in range(5)]
    data = write(tmp_path, [*likes, likes[0]])  # one of them twice
    first, again, other = (split_at_random(data, "d", 0.3, seed) for seed in (1, 1, 2))
    parts = [list(zip(part.users, part.items, strict=True)) for part in (first.train, first.test)]
    assert sorted(parts[0] + parts[1]) == sorted(likes) and len(parts[1]) == 30
    assert parts[1] == list(zip(again.test.users, again.test.items, strict=True))
    assert parts[1] != list(zip(other.test.users, other.test.items, strict=True))
    assert {user: sorted(row) for user, row in items_by_user(first.test).items()} == {
        user: sorted(item for one, item in parts[1] if one == user) for user, _ in parts[1]
    }


def test_a_single_like_cannot_be_split(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no two likes"):
        split_at_random(write(tmp_path, [(0, 1)]), "d", 0.5, 0)


def test_precision_counts_the_first_and_relevant_ones_lose_ties() -> None:
    relevant = np.array([True, False, True, False])
    assert precision_at(np.array([4.0, 3.0, 2.0, 1.0]), relevant, 1) == 1.0
    assert precision_at(np.array([4.0, 3.0, 2.0, 1.0]), relevant, 2) == 0.5
    assert precision_at(np.array([1.0, 1.0, 1.0, 1.0]), relevant, 2) == 0.0
    assert precision_at(np.array([np.nan, 0.0, 1.0, -1.0]), relevant, 2) == 0.5
    assert precision_at(np.array([4.0, 3.0, 2.0, 1.0]), relevant, 10) == 0.2


def test_auc_is_the_share_of_pairs_in_order_ties_a_half() -> None:
    rng = np.random.default_rng(0)
    scores, relevant = rng.integers(0, 6, 40).astype(np.float64), rng.random(40) < 0.3
    pairs = [(a > b) + (a == b) / 2 for a in scores[relevant] for b in scores[~relevant]]
    assert auc(scores, relevant) == pytest.approx(np.mean(pairs))
    assert auc(np.zeros(40), relevant) == 0.5


def test_training_likes_stand_in_the_way_of_the_test_unless_they_are_left_out(tmp_path: Path) -> None:
    """Everybody likes the same eleven of 24 items: popularity is right, and full of training likes."""
    data = write(tmp_path / "data", [(user, item) for user in range(30) for item in range(11)])
    figures = run(chosen(rankers={"popularity": {}}, test_share=0.3), {"data": data}, tmp_path)
    one = figures.domains["d"]
    assert (one.users, one.items, one.training, one.testing) == (30, FILMS, 231, 99)
    system = one.systems["popularity"]
    assert system.test.auc.mean < system.test_unseen.auc.mean == 1.0
    mean = 99 / 10 / one.tested  # every one of them is found, behind fewer than ten seen ones
    assert system.test_unseen.precision_at_10.mean == pytest.approx(mean)
    both = 10 * (system.test.precision_at_10.mean * one.tested + system.train.precision_at_10.mean * 30)
    assert both == pytest.approx(300) and one.without_training == 0


def test_published_figures_belong_to_one_dataset(tmp_path: Path) -> None:
    folder = write(tmp_path, [(0, at) for at in range(4)])
    items = pl.read_parquet(folder / "items.parquet")
    pl.concat([items, items.with_columns(domain=pl.lit("e"))]).write_parquet(folder / "items.parquet")
    names = ("precision_at_10_train", "precision_at_10_test", "auc_train", "auc_test")
    published = [{"system": "s", "source": "p"} | dict.fromkeys(names, 0.5)]
    with pytest.raises(UserError, match="2 domains"):
        run(chosen(rankers={"popularity": {}}, published=published), {"data": folder}, tmp_path / "out")


def hundred_thousand(folder: Path) -> None:
    """Files in the form of MovieLens 100K: bars, tabs, Latin-1; even users like even films, odd odd ones."""
    folder.mkdir(parents=True)
    flags = "|".join(["0"] * 19)
    names = [
        f"{at + 1}|Misérables {at + 1}, Les (19{70 + at})|01-Jan-1995||x{at}|{flags}" for at in range(FILMS)
    ]
    (folder / "u.item").write_bytes("\n".join(names).encode("latin-1") + b"\n")
    rng, rows = np.random.default_rng(0), list[str]()
    for user in range(USERS):
        for step, half in enumerate(rng.permutation(FILMS // 2)[:8].tolist()):
            rows.append(f"{user + 1}\t{2 * half + user % 2 + 1}\t{4 + step % 2}\t{881250949 + step}")
        rows.append(f"{user + 1}\t{2 * half + (user + 1) % 2 + 1}\t2\t881250999")
    (folder / "u.data").write_text("\n".join(rows) + "\n")
    people = [f"{user + 1}|{20 + user}|{'MF'[user % 2]}|writer|55105" for user in range(USERS)]
    (folder / "u.user").write_text("\n".join(people) + "\n")


def test_the_recipe_runs_on_files_in_the_form_of_movielens_100k(tmp_path: Path) -> None:
    hundred_thousand(tmp_path / "raw" / "movielens")
    small = {"components": 8, "epochs": 40}
    overrides = [
        f"data.root={tmp_path / 'raw'}",
        "random_split.bootstrap=200",
        f"random_split.rankers={json.dumps({'popularity': {}, 'lightfm': small})}",
    ]
    recipe = load_recipe(ROOT / "recipes" / "published-ml100k.yaml", overrides)
    data, out = tmp_path / "data", tmp_path / "out"
    data.mkdir()
    out.mkdir()
    build(recipe.only(["data"]), {}, data)
    figures = run(recipe.only(["random_split", "retrieval"]), {"data": data}, out)
    one = figures.domains["movies"]
    assert (one.users, one.items, one.training + one.testing) == (USERS, FILMS, 8 * USERS)
    # Half of the films are of the user's kind: with those alone in front, AUC is above 0.75.
    popularity, lightfm = one.systems["popularity"], one.systems["lightfm"]
    assert popularity.test_unseen.auc.mean < 0.65 < 0.75 < lightfm.test_unseen.auc.mean
    assert lightfm.train.auc.mean > 0.7 and lightfm.parameters == small
    table = (out / TABLE).read_text()
    assert "| LightFM, WARP (published) | 0.710 | 0.050 | – | 0.990 | 0.900 |" in table
    assert figures == RandomSplitFigures.model_validate_json(figures.to_json())
    users = pl.read_parquet(data / "users.parquet")["attributes"].to_list()
    assert json.loads(users[0])["occupation"] == "writer"
