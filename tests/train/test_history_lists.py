"""Histories as training rows: whose, in which order, what is asked, and what is trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rectune.core.figures import SftFigures
from rectune.core.rows import read_rows
from rectune.core.types import Example
from rectune.prompts.title_list import begun_list, list_messages
from rectune.rankers.domain_data import TrainLikes
from rectune.train.history_lists import TITLES, list_examples, windows
from rectune.train.sft import run
from tests.evaluation.served_world import People, write
from tests.train.runs import make_inputs
from tests.train.test_sft import recipe

ITEMS = tuple(f"i{at}" for at in range(100))


def test_windows_are_histories_in_order_and_the_latest_of_all_come_first() -> None:
    users = np.repeat([0, 1, 2], [50, 26, 5])
    likes = TrainLikes(ITEMS, users, np.arange(81), np.arange(81))
    found = [(user, tuple(int(one[1:]) for one in window)) for user, window in windows(likes, 7)]
    latest = {(0, tuple(range(30, 50))), (1, tuple(range(56, 76)))}
    earlier = {(0, tuple(range(10, 30))), (1, tuple(range(50, 56))), (0, tuple(range(10)))}
    assert set(found) == latest | earlier and set(found[:2]) == latest
    assert all(len(window) <= TITLES for _, window in found)


def test_histories_without_times_are_in_a_drawn_order() -> None:
    likes = TrainLikes(ITEMS, np.zeros(20, np.int64), np.arange(20))
    ((_, one),), ((_, other),) = list(windows(likes, 7)), list(windows(likes, 8))
    assert sorted(one) == sorted(other) == sorted(ITEMS[:20])
    assert one != other and one != list(ITEMS[:20])


def test_no_test_user_is_trained_on_and_domains_take_turns(tmp_path: Path) -> None:
    people = People(24, [tuple(range(8))] * 3 + [tuple(range(5))], [tuple(range(8, 20))])
    data = write(tmp_path, {"movies": people, "books": people})["data"]
    found = list_examples(data, 100, 7)
    assert [row.prompt.domain for row in found] == ["books", "movies"] * 3
    assert {row.prompt.user for row in found} == {"u0", "u1", "u2"}  # the fourth has too few likes
    first = found[0]
    assert first.response == "\n".join(f"- word{at}" for at in range(8))
    assert (first.prompt.history[-1], first.prompt.target) == ("books-06", "books-07")
    assert (first.prompt.system, first.prompt.instruction) == list_messages("books", "en")
    assert first.response.startswith(begun_list(["word0", "word1"]))  # what it is asked with when it ranks
    assert [row.id for row in list_examples(data, 4, 7)] == [row.id for row in found[:4]]


def test_who_is_tested_in_one_domain_gives_no_list_in_another(tmp_path: Path) -> None:
    films = People(24, [tuple(range(8))] * 3, [tuple(range(8, 20))])
    books = People(24, [tuple(range(8))] * 5, [tuple(range(8, 20))])  # u3 is tested on films, u4 in neither
    found = list_examples(write(tmp_path, {"movies": films, "books": books})["data"], 100, 7)
    assert {row.prompt.user for row in found if row.prompt.domain == "books"} == {"u0", "u1", "u2", "u4"}
    assert {row.prompt.user for row in found if row.prompt.domain == "movies"} == {"u0", "u1", "u2"}


def test_the_stage_trains_on_them_beside_the_kept_examples(tmp_path: Path) -> None:
    people = People(24, [tuple(range(8))] * 3, [tuple(range(8, 20))])
    inputs = make_inputs(tmp_path, 4) | write(tmp_path, {"movies": people})
    figures: SftFigures = run(recipe(history_lists=2, num_train_epochs=1), inputs, tmp_path / "out")
    assert (figures.rows_in, figures.rows_out, figures.history_lists) == (6, 6, 2)
    assert len(read_rows(tmp_path / "out/history_lists.parquet", Example)) == 2
    without = run(recipe(num_train_epochs=1), inputs, tmp_path / "other")
    assert (without.rows_in, without.history_lists) == (4, 0)
    assert figures.trained_tokens > without.trained_tokens
