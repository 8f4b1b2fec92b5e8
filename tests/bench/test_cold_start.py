"""bench.cold_start: nested draws, sentences, means and thresholds of known figures, labels, a quick run."""

from __future__ import annotations

import itertools
import json
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.cold_start import drawn_users, main
from bench.cold_start_picture import spread
from bench.cold_start_tables import FIGURES, Curves, all_tables
from bench.cold_start_words import HybridOfSentence, Taste, TasteFinder
from rectune.core.types import Item
from rectune.rankers.domain_data import DomainData, TrainLikes
from rectune.retrieval.embedding import register

ROWS = np.array([(user, item) for user in range(40) for item in range(user % 3, 6, 2)])
LIKES = TrainLikes(tuple("abcdef"), ROWS[:, 0], ROWS[:, 1])
FILMS = [
    *(Item("movies", f"h{at}", f"Night {at}", ("Horror", "Drama"), year=1980 + at) for at in range(4)),
    *(Item("movies", f"s{at}", f"Orbit {at}", ("Sci-Fi", "Drama"), year=2001) for at in range(4)),
    *(Item("movies", f"d{at}", f"House {at}", ("Drama",), year=2001) for at in range(12)),
]


def test_smaller_sets_of_users_lie_in_larger_ones_and_draws_differ():
    few, many, other = (set(drawn_users(LIKES, *one).users) for one in ((8, 0), (32, 0), (8, 1)))
    assert (len(few), len(many), len(other)) == (8, 32, 8)
    assert few < many and few != other
    assert not len(drawn_users(LIKES, 0, 0).users)
    everybody = drawn_users(LIKES, 40, 2)
    assert (everybody.counts == LIKES.counts).all()


def test_a_sentence_says_what_is_more_frequent_than_in_the_catalogue():
    tastes = TasteFinder({film.item_id: film for film in FILMS})
    assert tastes.taste(["h0", "h1", "h2", "s0", "s1", "gone"]) == Taste(("Horror", "Sci-Fi"), 1980)
    assert tastes.sentence(["h0", "h1", "h2", "s0", "s1"]) == "I like horror and sci-fi films of the 1980s."
    assert tastes.sentence(["h0", "d1", "d2", "d3"]) == ""  # all films are dramas, one horror proves nothing
    assert tastes.sentence(["s3"]) == "I like sci-fi films."  # it is all that is known
    assert tastes.sentence([]) == ""
    assert Taste((), 1980).sentence("films") == "I like films of the 1980s."
    assert Taste(("A", "B", "C"), None).sentence("films") == "I like a, b and c films."


def test_a_sentence_ranks_what_it_names_and_both_what_is_near_to_the_history():
    register("flat", 4, lambda texts: np.full((len(texts), 4), 0.5, np.float32), english=True)
    data = DomainData("movies", FILMS, embedder="flat")
    tastes = TasteFinder(data.items)
    said, both = (HybridOfSentence(tastes, weight).fit(data) for weight in (0.0, 0.5))
    history = ["h0", "h1"]
    assert {one.item_id for one in said.top([history], 4, [()])[0]} == {"h0", "h1", "h2", "h3"}
    assert {one.item_id for one in both.top([history], 2, [()])[0]} == {"h0", "h1"}


def _line(size: int, draw: int, system: str, figures: dict[str, list[float]]) -> dict[str, object]:
    return {
        "size": size, "draw": draw, "system": system, "tests": 40, "likes": 10 * size,
        "seconds": 1.0 + draw,
        "chosen": {"ease": 0.6, "hybrid": 0.4} if system == "chosen" else {},
        "figures": {name: dict.fromkeys(FIGURES, own) for name, own in figures.items()},
    }  # fmt: skip


def _curves() -> Curves:
    half = [0.0, 1.0] * 20
    lines = [
        _line(64, 1, "chosen", {"ease": [1.0] * 40}),
        _line(64, 0, "chosen", {"ease": half}),
        _line(0, 0, "words", {"hybrid": half, "hybrid, sentence": [0.0] * 40}),
        _line(16, 0, "chosen", {"ease": [0.0] * 40}),
        _line(256, 0, "chosen", {"ease": [1.0] * 40}),
        _line(16, 0, "sasrec", {"sasrec": half}),
    ]
    return Curves.of("films", lines)


def test_draws_are_averaged_and_differences_are_paired():
    found = _curves()
    assert found.sizes == [16, 64, 256] and found.learning == ["ease", "sasrec"]
    mean = found.mean("ease", 64, "ndcg")
    assert mean is not None and mean.mean == 0.75
    assert mean.low < 0.55 and mean.high == 1  # both draws may be the same one
    assert found.less("sasrec", 16, "ndcg") == (0, 0, 0)  # the same users are right
    less = found.less("ease", 256, "ndcg")
    assert less is not None and less.mean == 0.5 and 0.3 < less.low < 0.4 and 0.6 < less.high < 0.7
    assert found.mean("sasrec", 64, "ndcg") is None
    assert found.mean("hybrid", 64, "ndcg") == found.mean("hybrid", 256, "ndcg")


def test_the_threshold_is_the_least_number_from_which_on_all_are_surely_above():
    found = _curves()
    assert found.from_users("ease", "ndcg") == 256  # with 64 one draw is no better
    assert found.from_users("sasrec", "ndcg") is None
    assert found.below("ease", "ndcg") == [16]


def test_tables_say_what_was_not_run_and_are_empty_without_lines():
    text = "\n".join(table.to_markdown() for table in all_tables([_curves()]))
    assert "| sasrec | .500 [.350, .650] | – | – |" in text
    assert "| hybrid | .500 [.350, .650] | the same | the same |" in text
    assert "| sasrec | +.000 [+.000, +.000] | – | – |" in text
    assert "| ease | 256 | 256 | 256 |" in text and "| sasrec | not up to 16 |" in text
    assert "| films | sentence | .000 [.000, .000]; -.500 [-.650, -.350] |" in text
    assert "| 64 | 640 | 2 x 0.6 ease + 0.4 hybrid | 1.5 | – |" in text
    assert "".join(table.to_markdown() for table in all_tables([Curves.of("films", [])])) == ""


def test_labels_are_moved_apart_and_keep_their_order():
    assert spread([], 0.1) == []
    assert spread([0.5, 0.1], 0.1) == [0.5, 0.1]
    np.testing.assert_allclose(spread([0.5, 0.52, 0.5], 0.1), [0.5, 0.7, 0.6])
    np.testing.assert_allclose(spread([1.0, 0.99], 0.1), [1.0, 0.9])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_labels_stay_within_the_panel(wanted: list[float]):
    found = sorted(spread(wanted, 0.08))
    assert found[0] >= 0 and found[-1] <= 1
    assert all(b - a > 0.0799 for a, b in itertools.pairwise(found))


@pytest.mark.slow
def test_a_quick_run_draws_goes_on_and_says_what_was_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    arguments = ["--quick", "--runs", str(tmp_path), "--draws", "2"]
    main([*arguments, "--networks", "", "--picture", str(tmp_path / "picture.png")])
    picture = (tmp_path / "picture.png").read_bytes()
    assert picture[:8] == b"\x89PNG\r\n\x1a\n" and struct.unpack(">I", picture[16:20]) == (800,)
    said = capsys.readouterr().out
    assert "| chosen |" in said and "| movielens | sentence |" in said and "left out" not in said
    cells = tmp_path / "cells.jsonl"
    before = cells.read_text()
    lines = [json.loads(line) for line in before.splitlines()]
    every = max(line["size"] for line in lines)
    assert [(line["system"], line["size"], line["draw"]) for line in lines[:4]] == [
        ("words", 0, 0), ("chosen", 8, 0), ("chosen", 32, 0), ("chosen", every, 0),
    ]  # fmt: skip
    main([*arguments, "--networks", "sasrec", "--seconds", "1"])
    said = capsys.readouterr().out
    assert cells.read_text() == before  # the time is over: what is there is shown, the rest is named
    assert "left out: movielens, 8 users, sasrec 0" in said and "| chosen |" in said
