"""bench.sequences: what stands beside a target, who is cold, shuffling, and what a table makes of lines."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from bench.sequence_stopping import Way, stopped
from bench.sequence_trials import DRAWS, Trial, drawn_beside, figures, kept_embedder, shuffled, without
from bench.sequences import averaged, cell_of, joined, kept_lines, tables
from rectune.core.types import Item
from rectune.evaluation.served_users import ServedUser
from rectune.rankers.domain_data import DomainData, TrainLikes
from rectune.rankers.popularity import Popularity

ITEMS = tuple(f"i{at:02}" for at in range(40))
ROWS = np.array([(user, item) for item in range(30) for user in range(item + 1)])  # i29 is liked most
LIKES = TrainLikes(ITEMS, ROWS[:, 0], ROWS[:, 1], np.arange(len(ROWS)))
USER = ServedUser("movies/7", ITEMS[:6], "i20", frozenset(ITEMS[:10]))


def _trial(*users: ServedUser) -> Trial:
    beside = [[[user.target, "i05"], [user.target, "i29"]] for user in users]
    data = DomainData("movies", [Item("movies", one, one) for one in ITEMS], lambda: LIKES)
    return Trial(data, LIKES, users, beside, beside)


def test_nothing_that_the_user_met_stands_beside_the_target_and_nothing_twice():
    for popular in (False, True):
        draws = drawn_beside(USER, LIKES, popular)
        assert len(draws) == DRAWS and len(set(draws)) > 1
        for draw in draws:
            assert draw[0] == USER.target and len(set(draw)) == len(draw) == 20
            assert not USER.absent & set(draw)
    assert not {one for draw in draws for one in draw} & set(ITEMS[30:])  # nobody likes these
    assert drawn_beside(USER, LIKES, True) == draws
    almost_all = ServedUser("movies/8", (), "i20", frozenset(ITEMS[:38]) - {"i20"})
    assert [set(draw) for draw in drawn_beside(almost_all, LIKES, False)] == [{"i20", "i38", "i39"}] * DRAWS


def test_cold_is_the_lowest_third_of_the_items_by_likes():
    users = [ServedUser(f"movies/{at}", (), item, frozenset()) for at, item in enumerate(ITEMS)]
    assert np.flatnonzero(_trial(*users).cold).tolist() == [0, 1, 2, 3, *range(30, 40)]


def test_who_is_held_out_has_no_likes_left_and_all_others_keep_theirs():
    left = without(LIKES, [0, 3])
    assert set(left.users) == set(range(30)) - {0, 3}
    assert left.counts[29] == LIKES.counts[29] - 2 and left.item_ids == LIKES.item_ids
    assert left.times is not None and (left.times == LIKES.times[~np.isin(LIKES.users, [0, 3])]).all()


def test_a_shuffled_history_holds_the_same_in_another_order_each_time_the_same_one():
    (other,) = shuffled([USER])
    assert other.history != USER.history and sorted(other.history) == sorted(USER.history)
    assert (other.target, other.absent) == (USER.target, USER.absent)
    assert shuffled([USER]) == [other]


def test_figures_are_those_of_known_ranks():
    data = DomainData("movies", [Item("movies", one, one) for one in ITEMS], lambda: LIKES)
    ranker = Popularity().fit(data)
    first, third = (ServedUser(name, (), item, frozenset()) for name, item in (("a", "i29"), ("b", "i27")))
    found = figures(ranker, _trial(first, third), [first, third])
    assert found["uniform"] == [0.5, 0.5]  # one is beaten by itself, the other by i29
    assert found["hr"] == [1.0, 1.0]
    np.testing.assert_allclose(found["ndcg"], [1.0, 0.5])


def _line(ranker: str, seed: int, ordered: list[float], mixed: list[float]) -> dict[str, object]:
    names = ("uniform", "popular", "hr", "ndcg")
    return {
        "ranker": ranker, "seed": seed, "seconds": 2.0 + seed, "peak": 2**20, "epochs": 4, "timed": True,
        "cold": [True, False], "in_order": dict.fromkeys(names, ordered),
        "shuffled": dict.fromkeys(names, mixed),
    }  # fmt: skip


def test_seeds_are_averaged_user_by_user_and_the_order_is_a_paired_difference():
    lines = [_line("a", 0, [1.0, 0.0], [0.0, 0.0]), _line("a", 1, [1.0, 1.0], [0.5, 0.5])]
    np.testing.assert_allclose(averaged(lines, "in_order")["hr"], [1.0, 0.5])
    every, cold, order, cost = tables("films", lines)
    assert every.rows[0][:2] == ["a", "2"] and every.rows[0][2].startswith("0.750 [0.500, 1.000]")
    assert cold.rows[0][:3] == ["a", "1", "1.000 [1.000, 1.000]"]
    assert order.rows[0][2].startswith("+0.500 [+0.250, +0.750]")
    assert list(cost.rows[0]) == ["a", "0, 1", "2.5", "1 MiB", "4"]


def test_a_line_that_was_cut_off_is_dropped_from_the_file(tmp_path: Path, capsys):
    path = tmp_path / "lines.jsonl"
    assert kept_lines(path) == []
    path.write_text(json.dumps({"seed": 1}) + "\n" + '{"seed": ')
    assert kept_lines(path) == [{"seed": 1}]
    assert "not whole" in capsys.readouterr().out
    assert kept_lines(path) == [{"seed": 1}] and not capsys.readouterr().out


def test_the_parts_of_one_ranker_are_one_line_of_all_users():
    line = joined([_line("a", 0, [1.0, 0.0], [0.0, 0.0]), _line("a", 0, [1.0], [0.5])])
    assert line["in_order"]["hr"] == [1.0, 0.0, 1.0] and line["shuffled"]["ndcg"] == [0.0, 0.0, 0.5]
    assert line["seconds"] == 2.0 and line["cold"] == [True, False] * 2


def test_others_are_compared_with_the_first_ranker_user_by_user():
    lines = [_line("a", 0, [1.0, 0.0], [0.0, 0.0]), _line("b", 0, [1.0, 1.0], [0.5, 0.5])]
    assert tables("films", lines)[-1].rows[0][:3] == ["b less a", "2", "+0.500 [+0.000, +1.000]"]


def test_lines_of_an_older_form_are_known_again():
    line = {"dataset": "d", "data": "k", "users": "test 2", "ranker": "a", "seed": 0, "quick": False, "x": 1}
    assert cell_of(line).given == ""


def test_vectors_are_embedded_once_and_kept(tmp_path: Path):
    from rectune.retrieval.embedding import embed

    file = tmp_path / "kept" / "vectors.npz"
    first = embed(["one film", "another", "one film"], kept_embedder(file))
    written = file.read_bytes()
    np.testing.assert_array_equal(first[0], first[2])
    again = embed(["another", "one film"], kept_embedder(file))
    np.testing.assert_array_equal(again, first[[1, 0]])
    assert file.read_bytes() == written


def test_a_training_stops_after_its_patience_and_the_first_best_epoch_is_taken():
    losses = [9.0, 8.0, 7.0, 7.5, 7.2, 7.1, 7.3, 6.0]
    assert stopped(losses, Way("loss", 3), 8.5) == (6, 3)
    assert stopped(losses, Way("loss", 5), 8.5) == (8, 8)
    assert stopped(losses, Way("loss", 3, 3), 8.5) == (8, 8)  # the mean of three still falls
    ndcg = [0.10, 0.12, 0.11, 0.11, 0.11, 0.11, 0.11, 0.11]
    assert stopped(ndcg, Way("ndcg", 5), 0.10) == (7, 2)
    assert stopped(ndcg, Way("ndcg", 5), 0.20) == (8, 2)  # as popularity: it goes on
