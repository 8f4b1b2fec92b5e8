"""bench.learning_curve: rows of every form, batches, scores of titles, ranks, and the whole program once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.learning_cells import cells, compared
from bench.learning_known import one_of_each_group, second_half
from bench.learning_model import batched, share
from bench.learning_rows import Row, Source, World, lists_behind, made
from bench.learning_tables import Group, Scored, alone, contrasts, fused, ranks_of, table
from bench.learning_users import learning_from
from bench.learning_written import outcome, written_table
from rectune.core.catalogue import Catalogue
from rectune.core.types import Case, Item
from rectune.prompts.title_index import TitleIndex
from rectune.rankers.domain_data import DomainData, TrainLikes

ROOT = Path(__file__).parents[2]


def test_a_batch_has_at_most_its_tokens_and_every_row_is_in_one():
    rows = [Row([0] * size, [True] * size) for size in (600, 500, 2000, 10, 20)]
    found = batched(rows, 7)
    assert sorted(len(row.tokens) for batch in found for row in batch) == [10, 20, 500, 600, 2000]
    assert all(len(batch) == 1 or sum(len(row.tokens) for row in batch) <= 1024 for batch in found)


def test_the_learning_rate_rises_to_its_peak_and_falls_to_nothing():
    rates = [share(step, 100) for step in range(100)]
    assert max(rates) == 1.0 == rates[9] and rates[0] == 0.1 and 0 < rates[-1] < 0.001


def test_the_base_models_come_first_and_each_is_asked_as_it_was_trained():
    assert [cell.name for cell in cells(["list"], [4], [7])] == ["base, list", "list-4-7, list"]
    found = cells(["list", "title"], [4, 8], [7])
    assert [cell.name for cell in found[:2]] == ["base, list", "base, closing"]
    assert {cell.by for cell in found if cell.form == "title"} == {"closing"}
    assert {cell.by for cell in cells(["title"], [4], [7], "list")} == {"list"}


def test_a_model_that_knows_the_target_gets_all_weight_and_one_that_knows_nothing_none():
    rng = np.random.default_rng(7)
    ranker = rng.normal(size=(60, 5))
    knows = Scored(np.eye(5)[[0] * 60] + rng.normal(size=(60, 5)) / 100, np.zeros((60, 5)))
    assert (alone(knows) == 1).all() and (fused(knows, ranker) == 1).all()
    blind = Scored(np.zeros((60, 5)), np.zeros((60, 5)))
    assert (fused(blind, ranker) == ranks_of(ranker)).all()
    group = Group("films", [f"u{at}" for at in range(60)], "ease", ranker, {"base": blind, "list": knows})
    ease, base, best = table(group).rows
    assert base[6] == "" and best[3].startswith("1.000") and ease[0] == "ease"


def test_only_models_that_differ_in_rows_or_system_message_alone_are_compared():
    found = cells(["list"], [4], [7], rows=["all", "known", "unknown"], systems=["own", "thinking"])
    assert [cell.name for cell in found[:2]] == ["base, list", "base-thinking, list"]
    pairs = {
        tuple(name.removeprefix("list-4-7").removesuffix(", list") for name in one) for one in compared(found)
    }
    assert pairs == {
        ("-known", "-unknown"), ("-known-thinking", "-unknown-thinking"), ("-thinking", ""),
        ("-known-thinking", "-known"), ("-unknown-thinking", "-unknown"),
    }  # fmt: skip
    assert compared(cells(["list"], [4, 8], [7, 11])) == []


def test_known_and_unknown_rows_are_liked_alike():
    rng = np.random.default_rng(7)
    liked = rng.permutation(64).astype(float)
    known = liked + rng.normal(size=64) * 4  # what is liked more is known better
    some, others = (one_of_each_group(known, liked, kind) for kind in ("known", "unknown"))
    assert len(some) == len(others) == 16 and not set(some) & set(others)
    assert known[some].mean() - known[others].mean() > 4
    assert abs(liked[some].mean() - liked[others].mean()) < 2
    assert one_of_each_group([float("nan"), 1, 2, 3, 4], [0, 1, 2, 3, 4], "known") == [4]


def test_a_title_is_known_by_its_second_half():
    assert second_half([-9, -9, -1, -3]) == -2 and second_half([-9, -9, -1]) == -1
    assert np.isnan(second_half([-9]))


def test_titles_written_are_counted_by_what_the_domain_has():
    items = [Item("films", "f1", "Harbour Lights (1999)"), Item("films", "f2", "The Long Road (2001)")]
    titles = TitleIndex(items)
    written = {"Harbour Lights (1999)": "another item", "the long road": "of the history", "": "nothing"}
    written |= {"Night of the Owls": "invented", "Harbor Lights (1999)": "another item"}
    assert {text: outcome(text, titles, ["f2"], "en") for text in written} == written
    case = {"split": "test", "domain": "films", "history_domain": "films", "history": ("f2",)}
    users = [_case(user=name, id=name, **case) for name in ("kim", "lee")]
    texts = {"one": {"kim": "Night of the Owls", "lee": ""}, "other": {"kim": "", "lee": ""}}
    one, other, gap = written_table("films", items, users, texts, [("one", "other")], "en").rows
    assert [cell[:5] for cell in one[1:5]] == ["0.000", "0.000", "0.500", "0.500"] and other[4][:5] == "1.000"
    assert [cell[:6] for cell in gap[3:5]] == ["+0.500", "-0.500"]
    texts["same"] = dict.fromkeys(("kim", "lee"), "Harbour Lights (1999)")
    *_, same = written_table("films", items, users, texts, [], "en").rows
    assert same[5:] == [1, "1.000 'Harbour Lights (1999)'"] and one[5] == 2


def _case(**given: object) -> Case:
    plain = {field.name: "" for field in fields(Case)} | {"candidates": (), "cutoff": None}
    return Case(**(plain | given))


def test_two_models_are_compared_user_by_user():
    rng, n = np.random.default_rng(7), 40
    first = np.zeros((n, 5))
    best = Scored(np.eye(5)[[0] * n], first)
    worst = Scored(-np.eye(5)[[0] * n], first)
    group = Group(
        "films", [f"u{at}" for at in range(n)], "ease", rng.normal(size=(n, 5)), {"a": best, "b": worst}
    )
    ((name, alone_gap, _),) = contrasts(group, [("a", "b")]).rows
    assert name == "a, less b" and alone_gap == "+0.800 [+0.800, +0.800]"


def test_rows_are_made_of_train_users_alone_and_of_few_where_so_many_are_asked_for():
    films = [Item("movies", f"f{at}", f"Film {at}") for at in range(6)]
    shared = {"domain": "movies", "history_domain": "movies", "history": ("f0",)}
    cases = [
        _case(id=split, user=split, split=split, target=f"f{at}", **shared)
        for at, split in enumerate(("train", "preference", "test"), 1)
    ]
    users, items = np.repeat(np.arange(5), 6), np.tile(np.arange(6), 5)
    likes = TrainLikes(tuple(item.item_id for item in films), users, items)
    data = DomainData("movies", films, lambda: likes)
    nothing: Any = None
    world = World(Catalogue(films), {"movies": data}, cases, nothing, nothing)
    taught: list[list[str]] = []

    def look(domain: str, sources: Iterator[Source]) -> Iterator[Source]:
        taught.extend(list(one.taught) for one in sources)
        yield from ()

    with pytest.raises(ValueError, match="rows of 0 tokens"):
        made(world, "title", ["movies"], 1, 7, look)
    assert taught == [["f1"]]
    with pytest.raises(ValueError, match="5 users with lists, 6 are wanted"):
        lists_behind(world, "movies", 3, 3, 7)
    few = learning_from(world, 2)
    assert len(np.unique(few.domains["movies"].likes.users)) == 2
    assert learning_from(world, 0) is world
    with pytest.raises(ValueError, match="rows of 0 tokens"):
        made(few, "title", ["movies"], 1, 7, look)
    assert taught == [["f1"]]


@pytest.mark.slow
def test_the_whole_program_on_the_samples(tmp_path: Path):
    command = [sys.executable, "-m", "bench.learning_curve", "--quick", "--runs", str(tmp_path)]
    first = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert first.returncode == 0, first.stderr
    assert "mixture-4-7, list" in first.stdout and "books, uniform others" in first.stdout
    again = subprocess.run([*command, "--known"], capture_output=True, text=True, cwd=ROOT, check=False)
    tables = [run.stdout[run.stdout.index("### ") :] for run in (first, again)]  # behind warnings
    assert tables[0] == tables[1]


@pytest.mark.slow
def test_known_rows_and_another_system_message_on_the_samples(tmp_path: Path):
    command = [sys.executable, "-m", "bench.learning_curve", "--quick", "--runs", str(tmp_path)]
    command += ["--forms", "list", "choice", "--rows", "known", "unknown", "--systems", "own", "thinking"]
    command += ["--domains", "books", "--locale", "ko"]
    found = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert found.returncode == 0, found.stderr
    assert "list-4-7-known, list, less list-4-7-unknown, list" in found.stdout
    assert "choice-4-7-known-thinking, closing, less choice-4-7-known, closing" in found.stdout
    assert "movies" not in found.stdout[found.stdout.index("### ") :]


@pytest.mark.slow
def test_models_and_rankers_that_learn_from_few_users(tmp_path: Path):
    command = [sys.executable, "-m", "bench.learning_curve", "--quick", "--runs", str(tmp_path)]
    few = [*command, "--forms", "list", "--learn-from", "12", "--domains", "movies", "books"]
    found = subprocess.run(few, capture_output=True, text=True, cwd=ROOT, check=False)
    assert found.returncode == 0, found.stderr
    for beside in ("movies, uniform others", "beside hybrid;", "beside chosen;", "list-4-7, list"):
        assert beside in found.stdout
    refused = subprocess.run(
        [*command, "--learn-from", "12"], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert refused.returncode == 2 and "--forms list" in refused.stderr


@pytest.mark.slow
def test_settings_are_compared_by_lists_of_other_users(tmp_path: Path):
    command = [sys.executable, "-m", "bench.learning_settings", "--quick", "--runs", str(tmp_path)]
    command += ["--settings", "4:1e-3", "8:1e-2:2048"]
    runs = [subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False) for _ in range(2)]
    assert [run.returncode for run in runs] == [0, 0], runs[0].stderr
    first, again = (run.stdout[run.stdout.index("### ") :] for run in runs)
    assert first == again and "| 8:0.01:2048 | 1 |" in first and "books" in first
    assert "steps=" in runs[0].stderr and "steps=" not in runs[1].stderr  # what was trained is kept
    refused = subprocess.run([*command, "16-1e-3"], capture_output=True, text=True, cwd=ROOT, check=False)
    assert refused.returncode == 2 and "is not RANK:RATE" in refused.stderr
