"""The simulated annotator follows its published rule, figure by figure."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rectune.align.simulated import SimulatedAnnotator
from rectune.align.tasks import make_task
from rectune.core.types import Item, answer_hash
from rectune.prompts.answers import ranking
from rectune.prompts.title_index import TitleIndex
from tests.align.examples import make_prompt

TITLES = {"heat": "Heat (1995)", "ronin": "Ronin", "alien": "Alien", "ran": "Ran"}
ITEMS = [Item("movies", item_id, title) for item_id, title in TITLES.items()]
RULE = SimulatedAnnotator({"movies": TitleIndex(ITEMS)})
REASON = "You like slow stories with a strong sense of place, careful music and few words in them."


def named(title: str) -> str:
    return f"{REASON} My recommendation: {title}"


# From the best to the worst; each step differs in one figure of the rule.
LADDER = [
    named("Heat (1995)"),
    f"{REASON} I would see Heat (1995).",
    named("Ronin"),
    "My recommendation: Ronin",
    f"{REASON} So I suggest Ronin.",
    f"{REASON} So I suggest Ronin because it",
    named("Alien"),
    f"{REASON} So watch nothing at all.",
    f"{REASON} So watch nothing at all, nothing at all, nothing at all.",
    "Watch nothing.",
    "Watch nothing at all because",
]


def test_the_ladder_is_in_the_order_of_the_rule() -> None:
    figures = [RULE.figures(make_prompt(0), answer) for answer in LADDER]
    assert figures == sorted(figures, reverse=True)
    assert len(set(figures)) == len(LADDER)


@pytest.mark.parametrize("shown", itertools.islice(itertools.permutations(LADDER[::2]), 0, 720, 97))
def test_best_and_worst_do_not_depend_on_the_order_shown(shown: tuple[str, ...]) -> None:
    tag = RULE.tag(make_task(make_prompt(0), shown))
    assert tag is not None
    assert (tag.best, tag.worst) == (answer_hash(LADDER[0]), answer_hash(LADDER[10]))
    assert tag.answers == tuple(answer_hash(text) for text in shown)
    assert tag.annotator == "simulated"


def test_an_item_outside_the_list_of_a_listwise_prompt_is_worth_less() -> None:
    listwise = make_prompt(0, form="listwise", candidates=("heat", "alien"))
    assert RULE.figures(listwise, named("Ronin"))[0] == 1
    assert RULE.figures(make_prompt(0), named("Ronin"))[0] == 2


# For a listwise prompt with Heat and Alien as candidates, from the best to the worst.
RANKED = [
    f"{REASON}\nMy ranking:\n1. Heat (1995)\n2. Alien",
    f"{REASON}\nMy ranking:\n1. 1\n2. 2.",  # by their numbers
    f"{REASON}\nMy ranking:\n1. Heat (1995)\n2. Solaris",
    f"{REASON}\nMy ranking:\n1. Alien\n2. Heat (1995)",
    f"{REASON}\nMy ranking:\n1. Ronin\n2. Heat (1995)",
    f"{REASON}\nMy ranking:\n1. Solaris\n2. Heat (1995)",
]


def test_a_listwise_answer_is_judged_by_the_first_of_its_ranking_and_by_its_being_whole() -> None:
    listwise = make_prompt(0, form="listwise", candidates=("heat", "alien"), history=("ran",))
    figures = [RULE.figures(listwise, answer)[:2] for answer in RANKED]
    assert figures == [(3, 2), (3, 1), (3, 0), (2, 2), (1, 1), (0, 1)]


def test_the_titles_of_a_ranking_do_not_count_as_reasons() -> None:
    long = [Item("movies", item, f"{item} {'word ' * 40}") for item in ("heat", "alien", "ran")]
    listwise = make_prompt(0, form="listwise", candidates=("heat", "alien", "ran"))
    answer = f"{REASON}\n{ranking('en', [item.title for item in long])}"
    assert SimulatedAnnotator({"movies": TitleIndex(long)}).figures(listwise, answer)[:3] == (3, 2, 1)


def test_a_longer_word_is_not_the_title() -> None:
    assert RULE.figures(make_prompt(0), f"{REASON} You liked Aliens.")[0] == 0


def test_two_items_with_one_title_are_not_told_apart() -> None:
    both = TitleIndex([Item("movies", "heat-1986", "Heat"), Item("movies", "heat", "Heat")])
    annotator = SimulatedAnnotator({"movies": both})
    assert annotator.figures(make_prompt(0), named("Heat"))[0] == 3


def test_korean_closings_count() -> None:
    korean = SimulatedAnnotator({"movies": TitleIndex([Item("movies", "heat", "기생충 (2019)")])})
    assert korean.figures(make_prompt(0, locale="ko"), "느린 영화를 좋아하십니다. 추천: 기생충 (2019)")[
        :2
    ] == (3, 2)


def test_a_prompt_whose_answers_all_tie_is_left_out() -> None:
    same = ("Watch it now.", "Watch it soon.", "Watch it here.")
    assert RULE.tag(make_task(make_prompt(0), same)) is None


def test_partial_ties_are_broken_by_hash() -> None:
    low = ("Watch it now.", "Watch it soon.")
    tag = RULE.tag(make_task(make_prompt(0), (*low, LADDER[0])))
    assert tag is not None
    assert tag.worst == max(map(answer_hash, low))


@given(answers=st.lists(st.text(max_size=80), min_size=2, max_size=5, unique=True))
def test_any_text_is_judged_and_always_alike(answers: list[str]) -> None:
    task = make_task(make_prompt(0), tuple(answers))
    tag = RULE.tag(task)
    assert tag == RULE.tag(task)
    assert tag is None or (tag.best != tag.worst and {tag.best, tag.worst} <= set(task.hashes))
