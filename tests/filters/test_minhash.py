"""Near-duplicates: similar texts are dropped, others are kept, and the order of the rows never matters."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rectune.filters.minhash import near_duplicates, signatures

WORDS = [f"word{number}" for number in range(2000)]


def text(seed: int, words: int = 60) -> str:
    return " ".join(random.Random(seed).choices(WORDS, k=words))


def changed(whole: str, places: list[int]) -> str:
    words = whole.split()
    for place in places:
        words[place] = f"other{place}"
    return " ".join(words)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("A quiet film, for a long evening.", "a quiet film for  a long EVENING"),
        ("잔잔한 영화를 좋아하는 사람에게", "잔잔한 영화를, 좋아하는 사람에게!"),
        ("yes", "Yes!"),
    ],
)
def test_case_signs_and_spaces_make_no_difference(one: str, other: str) -> None:
    found = near_duplicates([other, one], ["b", "a"], 1.0)
    assert found.first.tolist() == [1, 1] and found.similarity.tolist() == [1.0, 0.0]


def test_one_changed_word_is_alike_and_another_text_is_not() -> None:
    first = text(1)
    found = near_duplicates([first, changed(first, [30]), text(2)], ["a", "b", "c"], 0.8)
    assert found.first.tolist() == [0, 0, 2]
    assert 0.8 <= found.similarity[1] < 1.0


def test_half_changed_stays() -> None:
    first = text(3)
    assert near_duplicates(
        [first, changed(first, list(range(0, 30, 3)))], ["a", "b"], 0.8
    ).first.tolist() == [0, 1]


def test_similarity_is_estimated_without_bias() -> None:
    pairs = [(whole := text(seed), changed(whole, [10, 50])) for seed in range(60)]
    marks = signatures(side for pair in pairs for side in pair)
    alike = (marks[::2] == marks[1::2]).mean(axis=1)
    assert alike.mean() == pytest.approx(52 / 64, abs=0.02)  # 58 runs a text, 6 of them changed


def test_texts_without_words_are_copies_of_nothing() -> None:
    assert near_duplicates(["", "", "...", "..."], list("abcd"), 0.8).first.tolist() == [0, 1, 2, 3]


def test_a_chain_does_not_drag_along_what_is_unlike_all_that_stays() -> None:
    """a ~ b ~ c but not a ~ c: b goes for a, and c, which is like nothing that stays, stays."""
    a = text(4)
    b, c = changed(a, [5, 6]), changed(a, [5, 6, 40, 41])
    found = near_duplicates([c, b, a], ["3", "2", "1"], 0.82)
    assert found.first.tolist() == [0, 2, 2]


POOL = [
    text(0),
    changed(text(0), [3]),
    changed(text(0), [3, 44]),
    text(9),
    changed(text(9), [20]),
    "",
    "yes",
    "Yes.",
]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, len(POOL) - 1), max_size=14), st.randoms(use_true_random=False))
def test_order_does_not_matter_and_a_second_run_finds_nothing(picks: list[int], rng: random.Random) -> None:
    rows = [(f"{rng.getrandbits(40):010x}{place}", POOL[pick]) for place, pick in enumerate(picks)]
    ids, texts = [row[0] for row in rows], [row[1] for row in rows]
    first = near_duplicates(texts, ids, 0.8).first
    mixed = rng.sample(range(len(rows)), len(rows))
    again = near_duplicates([texts[place] for place in mixed], [ids[place] for place in mixed], 0.8).first
    assert {ids[mixed[place]]: ids[mixed[again[place]]] for place in range(len(rows))} == {
        ids[place]: ids[first[place]] for place in range(len(rows))
    }
    stays = np.flatnonzero(first == np.arange(len(rows))).tolist()
    rest = near_duplicates([texts[place] for place in stays], [ids[place] for place in stays], 0.8).first
    assert rest.tolist() == list(range(len(stays)))
    assert all(ids[first[place]] <= ids[place] for place in range(len(rows)))


def test_many_alike_are_found_in_a_moment() -> None:
    """20,000 texts of one mould would be 200 million pairs."""
    mould = text(7)
    texts = [changed(mould, [number % 60]) for number in range(20_000)]
    assert len(set(near_duplicates(texts, [f"{n:05}" for n in range(20_000)], 0.8).first.tolist())) < 30
