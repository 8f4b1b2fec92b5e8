"""What answers share is found, what they recommend is not hidden, and no text takes long."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from rectune.align.answer_diff import RUN, conclusion, shared


def said(texts: list[str]) -> list[list[str]]:
    return [[text[a:b] for a, b in spans] for text, spans in zip(texts, shared(texts), strict=True)]


def test_runs_of_three_words_that_another_answer_has_are_shared() -> None:
    texts = [
        "You like slow films. Try Heat now",
        "Since you like slow  films. try Ran",
        "Nothing of the kind",
    ]
    assert said(texts) == [["You like slow films. Try"], ["you like slow  films. try"], []]
    assert said(["a b c a b c"]) == [[]]  # its own words do not count


@given(st.lists(st.lists(st.sampled_from("abcd"), max_size=12).map(" ".join), max_size=5))
def test_every_word_is_pale_if_and_only_if_a_shared_run_covers_it(texts: list[str]) -> None:
    for text, spans in zip(texts, shared(texts), strict=True):
        words = text.split()
        others = list(texts)
        others.remove(text)
        runs = [" " + " ".join(words[at : at + RUN]) + " " for at in range(len(words) - RUN + 1)]
        pale = {
            at + k for at, run in enumerate(runs) if any(run in f" {o} " for o in others) for k in range(RUN)
        }
        covered = {n for n in range(len(words)) if any(a <= 2 * n < b for a, b in spans)}
        assert covered == pale


def test_the_conclusion_is_the_closing_line_or_the_first_of_a_ranking() -> None:
    direct = "Slow and quiet.\nMy recommendation: Heat (1995)"
    ranked = "느린 영화입니다.\n순위:\n1. 시\n2. 버닝"
    cuts = [text[slice(*conclusion(text))].strip() for text in (direct, ranked, "no closing words", "")]
    assert cuts == ["My recommendation: Heat (1995)", "순위:\n1. 시", "", ""]


def test_hostile_answers_take_no_time() -> None:
    started = time.process_time()
    for text in (
        "추천:" * 20000,
        "추천:" + " \n" * 50000,
        "a b " * 50000,
        "My recommendation:" + ":" * 100000,
    ):
        conclusion(text)
        shared([text] * 5)
    assert time.process_time() - started < 5
