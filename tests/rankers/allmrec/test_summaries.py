"""Long texts told in fewer words: what is asked, which answers are read, and what else stands there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from rectune.core.extras import is_installed
from rectune.core.recipe import load_recipe
from rectune.core.settings import GenerateConfig
from rectune.core.types import Item, Provenance
from rectune.inference.generate import missing
from rectune.inference.requests import Finish, GenerationRequest, GenerationResult
from rectune.inference.teachers import Written, ask_teachers, model_of
from rectune.rankers.allmrec.items_stage import item_texts
from rectune.rankers.allmrec.summaries import _request, counted, fault_of
from rectune.rankers.domain_data import DomainData
from rectune.rankers.item_text import TextOptions
from rectune.retrieval.embedding import register

BODY = (
    "A clockmaker repairs the clock of a small harbour. Behind its face he finds letters that nobody sent. "
    "He sets out to deliver them, and the town begins to speak of the great storm."
)
LONG = Item("movies", "long", "The Harbour Clock", ("drama",), BODY, facts=("length: 93 minutes",))
SHORT = Item("movies", "short", "A Kettle", (), "It boils.")
OPTIONS = TextOptions("title+description", 20)
CUT = "The Harbour Clock. A clockmaker repairs the clock of a small harbour. length: 93 minutes"
RECIPE = ("allmrec.items.text=title+description", "allmrec.items.max_tokens=20", "allmrec.summarise=true")

register("counts words", 2, lambda texts: None)


class Teacher:
    """Answers every request with the same words, and keeps the requests."""

    def __init__(self, text: str, finish: Finish = "stop") -> None:
        self.text, self.finish, self.asked = text, finish, list[GenerationRequest]()

    def __call__(
        self, requests: Sequence[GenerationRequest], config: GenerateConfig, cache: Path, label: str
    ) -> Mapping[str, Written]:
        self.asked += requests
        by = Provenance("teacher", "", "{}", 0, "test")
        return {
            one.id: (GenerationResult(one.id, self.text, self.finish, 9, 9, "no answer"), by)
            for one in requests
        }


def data(*items: Item) -> DomainData:
    return DomainData("movies", items or (LONG, SHORT), None, "counts words")


def read(teacher: Teacher, *items: Item, recipe: Sequence[str] = RECIPE) -> tuple[str, Mapping[str, int]]:
    """What is read of the long item, and how many summaries were good for what."""
    texts, summaries = item_texts(data(*items), load_recipe(Path("tiny"), recipe), Path(), teacher)
    return texts.texts["long"], {"cut": len(texts.cut), **counted(summaries)}


def counts(**others: int) -> dict[str, int]:
    return {"cut": 0, "summarised": 0, "unsupported": 0, "failed": 0} | others


def test_a_summary_in_the_words_of_the_text_stands_in_its_place():
    teacher = Teacher("A clockmaker finds letters and delivers them.\n")
    expected = "The Harbour Clock. A clockmaker finds letters and delivers them."
    assert read(teacher) == (expected, counts(summarised=1))
    (request,) = teacher.asked  # what fits into the budget is not summarised
    assert request.id == "long" and request.facts == f"The Harbour Clock. {BODY} length: 93 minutes"
    assert request.facts in request.messages[-1][1] and "the film" in request.messages[-1][1]


@pytest.mark.parametrize(
    "text",
    [
        "A clockmaker finds letters and murders the mayor.",
        "A clockmaker finds 93 letters, which he chronicles.",
        "The clock of the harbour. The clock of the harbour. The clock of the harbour. The clock of it.",
        "The Harbour Clock.",
        "The Harbour Clock, a drama of 93.",
        "...",
        "",
    ],
)
def test_one_that_says_what_stands_nowhere_or_nothing_or_repeats_itself_is_not_read(text: str):
    assert read(Teacher(text)) == (CUT, counts(cut=1, unsupported=1))


def test_a_failed_request_leaves_the_cut_text():
    assert read(Teacher("", "error")) == (CUT, counts(cut=1, failed=1))


def test_of_an_answer_that_was_cut_at_the_limit_whole_sentences_are_read():
    found, _ = read(Teacher("A clockmaker finds letters. He delivers the let", "length"))
    assert found == "The Harbour Clock. A clockmaker finds letters."
    assert read(Teacher("He finds letters and deliv", "length"))[1] == counts(cut=1, unsupported=1)


def test_a_summary_is_cut_to_the_budget_too_and_does_not_say_the_title_twice():
    long = Teacher(f"The Harbour Clock. {BODY}")
    assert read(long)[0] == "The Harbour Clock. A clockmaker repairs the clock of a small harbour."
    titled = replace(LONG, title=f"{LONG.title} and what the town begins to speak of the great storm")
    found, _ = read(Teacher("The clockmaker finds letters behind its face."), titled)
    assert found == "The clockmaker finds letters behind its face."  # of that title nothing else would fit


def test_nobody_is_asked_unless_the_recipe_says_so():
    teacher = Teacher("A clockmaker finds letters.")
    assert read(teacher, recipe=RECIPE[:2]) == (CUT, counts(cut=1)) and not teacher.asked


def test_a_very_long_text_is_shown_in_part_and_more_words_are_asked_for_a_larger_budget():
    endless = replace(LONG, description=BODY * 200)
    small, large = (_request(endless, replace(OPTIONS, max_tokens=n), "counts words") for n in (20, 200))
    assert 7_500 < len(small.facts) <= 8_000 and small.facts.endswith(".")
    assert small.sampling.max_tokens < large.sampling.max_tokens
    assert "at most 12 words" in small.messages[-1][1] and "at most 120 words" in large.messages[-1][1]


@pytest.mark.skipif(not is_installed("kiwipiepy"), reason="kiwipiepy is not installed")
def test_korean_is_asked_for_in_korean_and_judged_by_its_morphemes():
    text = "시계 장인이 항구의 오래된 시계를 고치다가 부치지 않은 편지를 발견하고 마을 사람들에게 전합니다."
    request = _request(replace(LONG, title="항구의 시계", description=text * 3), OPTIONS, "counts words")
    assert "낱말 이내로" in request.messages[-1][1]
    assert fault_of("시계 장인이 편지를 발견하고 마을에 전합니다.", text) == ""
    assert fault_of("우주 비행사가 편지를 발견합니다.", text) == "say what stands nowhere"


@pytest.mark.slow
def test_a_real_teacher_is_asked_once(tmp_path: Path):
    recipe, cache = load_recipe(Path("tiny"), RECIPE), tmp_path / "g.sqlite"
    first = item_texts(data(), recipe, cache, ask_teachers)
    (teacher,) = recipe.generate.teachers
    model = model_of(teacher, recipe.generate)
    assert not missing(model, [_request(LONG, OPTIONS, "counts words")], recipe.generate, cache)
    assert item_texts(data(), recipe, cache, ask_teachers) == first and first[1][0].text
