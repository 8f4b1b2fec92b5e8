"""Leave-last-out: whose last like is ranked, among what; the recipe on files in the form of MovieLens 1M."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from rectune.core.errors import UserError
from rectune.core.figures.leave_last_out import LeaveLastOutFigures
from rectune.core.recipe import Recipe, load_recipe, parse_recipe
from rectune.core.tables import interaction_schema, item_schema
from rectune.datagen.build import run as build
from rectune.evaluation.last_likes import split_last_likes
from rectune.evaluation.leave_last_out import TABLE, run

ROOT = Path(__file__).parents[2]
FILMS, USERS = 12, 60

# Who liked what and when: (user, item, time), as in the files.
Likes = list[tuple[int, int, int | None]]


def write(folder: Path, likes: Likes, items: int = FILMS, domain: str = "d") -> Path:
    """The tables of a data stage, as far as they are read: items i0, i1, …; everything is liked."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        {"domain": domain, "user": user, "item": item, "value": 5.0, "kind": "rating", "order": at,
         "timestamp": time}
        for at, (user, item, time) in enumerate(likes)
    ]  # fmt: skip
    events = pl.DataFrame(rows, schema=interaction_schema(), orient="row").with_columns(liked=pl.lit(True))
    events.write_parquet(folder / "interactions.parquet")
    things = [
        {"domain": domain, "item": at, "item_id": f"i{at}", "title": f"t{at}", "categories": []}
        for at in range(items)
    ]
    pl.DataFrame(things, schema=item_schema(), orient="row").write_parquet(folder / "items.parquet")
    return folder


def stage_folder(root: Path) -> Path:
    """An empty folder of the stage, where the artifact store has it."""
    folder = root / "runs" / "leave_last_out" / "key"
    folder.mkdir(parents=True)
    return folder


def chosen(**given) -> Recipe:
    return parse_recipe({"leave_last_out": {"bootstrap": 200} | given, "retrieval": {}})


def test_the_last_like_is_tested_the_second_last_validates_the_rest_trains(tmp_path: Path) -> None:
    likes: Likes = [(0, 3, 40), (0, 1, 10), (0, 2, 30), (0, 0, 20), (1, 5, 1), (1, 6, 2)]
    split = split_last_likes(write(tmp_path, likes), "d")
    (test,), (validation,) = split.test, split.validation
    assert (test.history, test.target) == (("i1", "i0", "i2"), "i3")
    assert (validation.history, validation.target) == (("i1", "i0"), "i2")
    # Who has two likes is no test user, and nothing of theirs is lost.
    assert list(zip(split.train.users, split.train.items, split.train.times, strict=True)) == [
        (0, 1, 10), (0, 0, 20), (1, 5, 1), (1, 6, 2)
    ]  # fmt: skip
    assert (split.users, split.same_time) == (2, 0)


def test_of_one_time_the_order_of_the_files_counts_and_is_told(tmp_path: Path) -> None:
    split = split_last_likes(write(tmp_path, [(0, 4, 7), (0, 9, 7), (0, 2, 7), (0, 4, 8)]), "d")
    assert (split.test[0].history, split.test[0].target, split.same_time) == (("i4", "i9"), "i2", 1)


@pytest.mark.parametrize(
    ("likes", "said"),
    [([(0, at, None) for at in range(4)], "no times"), ([(0, 1, 1), (0, 2, 2)], "no user has 3 likes")],
)
def test_what_has_no_last_like_is_refused(tmp_path: Path, likes: Likes, said: str) -> None:
    with pytest.raises(UserError, match=said):
        split_last_likes(write(tmp_path, likes), "d")


def test_ranks_are_among_all_items_less_the_history(tmp_path: Path) -> None:
    # Everybody likes i0 and i1 first; the third like is each user's own, the fourth is i11 for all. Fitted on
    # the first two likes, popularity ties the ten others: the target, losing ties, is tenth of ten for the
    # second last like, and ninth of nine, after that one is history too, for the last.
    likes = [(user, item, time) for user in range(8) for time, item in enumerate((0, 1, 2 + user, 11))]
    inputs = {"data": write(tmp_path / "data", likes)}
    found = run(chosen(rankers={"popularity": {}}), inputs, stage_folder(tmp_path))
    one = found.domains["d"]
    assert (one.tested, one.items, one.interactions, one.training) == (8, FILMS, 32, 16)
    system = one.systems["popularity"]
    assert system.validation_ndcg_at_10 == pytest.approx(1 / np.log2(11))
    assert system.ndcg_at_10.mean == pytest.approx(1 / np.log2(10))
    assert (system.hit_at_10.mean, system.hit_at_10.low) == (1.0, 1.0)


def test_parameters_are_chosen_by_validation_and_given_ones_are_not_touched(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    likes = [(u, int(i), at) for u in range(30) for at, i in enumerate(rng.permutation(FILMS)[:6])]
    inputs, out = {"data": write(tmp_path / "data", likes)}, stage_folder(tmp_path)
    tuned = run(chosen(rankers={"ease": {}}), inputs, out).domains["d"].systems["ease"]
    given = {"regularisation": 5.0}
    fixed = run(chosen(rankers={"ease": given}), inputs, out).domains["d"].systems["ease"]
    assert fixed.parameters == given
    assert tuned.validation_ndcg_at_10 >= max(
        run(chosen(rankers={"ease": one}), inputs, out).domains["d"].systems["ease"].validation_ndcg_at_10
        for one in ({"regularisation": 100.0}, {"regularisation": 1000.0})
    )


def test_an_argument_that_a_ranker_does_not_have_is_refused(tmp_path: Path) -> None:
    inputs = {"data": write(tmp_path / "data", [(0, at, at) for at in range(4)])}
    with pytest.raises(UserError, match=r"ease cannot be made: .*regularization"):
        run(chosen(rankers={"ease": {"regularization": 5.0}}), inputs, stage_folder(tmp_path))


def test_published_figures_belong_to_one_dataset(tmp_path: Path) -> None:
    folder = write(tmp_path, [(0, at, at) for at in range(4)])
    items = pl.read_parquet(folder / "items.parquet")
    pl.concat([items, items.with_columns(domain=pl.lit("e"))]).write_parquet(folder / "items.parquet")
    published = [{"system": "s", "hit_at_10": 0.1, "ndcg_at_10": 0.1, "source": "p"}]
    with pytest.raises(UserError, match="2 domains"):
        run(chosen(rankers={"popularity": {}}, published=published), {"data": folder}, tmp_path / "a" / "b")


def one_million(folder: Path) -> None:
    """Files in the form of MovieLens 1M: `::`, Latin-1, seconds; everybody goes round the films in one order,
    from a place of their own. One user and one film are outside the 5-core.
    """
    folder.mkdir(parents=True)
    names = [f"{at + 1}::Misérables {at + 1}, Les (19{70 + at})::Drama" for at in range(FILMS + 1)]
    (folder / "movies.dat").write_bytes("\n".join(names).encode("latin-1"))
    rows = [
        f"{user + 1}::{(user + step) % FILMS + 1}::{1 + step % 5}::{978300000 + 60 * step + user}"
        for user in range(USERS)
        for step in range(8)
    ]
    rows += [f"{USERS + 1}::1::5::978300000", f"1::{FILMS + 1}::5::978300001"]
    (folder / "ratings.dat").write_text("\n".join(rows))


def test_the_recipe_runs_on_files_in_the_form_of_movielens_1m(tmp_path: Path) -> None:
    one_million(tmp_path / "raw" / "movielens")
    small = {"dim": 16, "epochs": 10, "positions": 32, "learning_rate": 0.01}
    overrides = [
        f"data.root={tmp_path / 'raw'}",
        "data.min_history=2",
        "leave_last_out.bootstrap=200",
        f"leave_last_out.rankers={json.dumps({'popularity': {}, 'item_knn': {}, 'gru4rec': small})}",
    ]
    recipe = load_recipe(ROOT / "recipes" / "published-ml1m.yaml", overrides)
    data, out = tmp_path / "runs" / "data" / "x", stage_folder(tmp_path)
    data.mkdir(parents=True)
    build(recipe.only(["data"]), {}, data)
    found = run(recipe.only(["leave_last_out", "retrieval"]), {"data": data}, out)
    one = found.domains["movies"]
    assert (one.users, one.tested, one.items, one.interactions) == (USERS, USERS, FILMS, 8 * USERS)
    # Five films are left beside a history of seven: neighbours find the next of the round, order tells it.
    gains = {name: system.ndcg_at_10.mean for name, system in one.systems.items()}
    assert gains["popularity"] + 0.1 < gains["item_knn"] and gains["gru4rec"] > 0.95
    table = (out / TABLE).read_text()
    assert "| SASRec, cross-entropy (published) | 0.315 | 0.182 |" in table
    assert "60 users in place of 6,040; 12 items in place of 3,416" in table
    assert found == LeaveLastOutFigures.model_validate_json(found.to_json())
