"""Queries: what is refused, who writes them, and how cases are worded."""

import pytest

from rectune.core.settings import PromptsConfig, TeacherConfig
from rectune.core.types import Case, Locale, Split, with_id
from rectune.datagen.queries import PromptPlan, _askable, fault_of, plan_cases, tidy
from rectune.inference.teachers import _teacher_of


@pytest.mark.parametrize(
    ("text", "locale", "fault"),
    [
        ("slow western with great music", "en", ""),
        ("", "en", "empty"),
        ("- one\n- two", "en", "a list"),
        ("1. slow western", "en", "a list"),
        ("a film that is rather long and slow and western too", "en", "too long"),
        ("something like The Matrix", "en", "names the item"),
        ("조용한 영화", "en", "wrong language"),
        ("조용한 영화", "ko", ""),
        ("quiet film", "ko", "wrong language"),
        ("1999", "en", "wrong language"),
    ],
)
def test_queries_are_refused_for_a_reason(text: str, locale: Locale, fault: str) -> None:
    assert fault_of(text, "The Matrix", locale) == fault


def test_quotes_label_and_full_stop_are_taken_off_a_query() -> None:
    assert tidy(' Search query: "slow western." ') == "slow western"


def test_teachers_get_their_shares_and_a_request_always_has_the_same_one() -> None:
    teachers = [TeacherConfig(model="a", weight=3.0), TeacherConfig(model="b", weight=1.0)]
    chosen = [_teacher_of((("user", str(number)),), teachers) for number in range(2000)]
    assert chosen == [_teacher_of((("user", str(number)),), teachers) for number in range(2000)]
    assert 0.7 < chosen.count(0) / 2000 < 0.8


def case(number: int, split: Split) -> Case:
    return with_id(Case("", "movies", f"u{number}", split, ("a",), "t", ("t", "b"), True, "movies"))


CONFIG = PromptsConfig(
    locales={"en": 1.0, "ko": 1.0},
    scenarios={"passive": 3.0, "active": 1.0},
    forms={"direct": 1.0, "listwise": 1.0},
)


def test_kinds_and_locales_come_in_the_shares_of_the_recipe_whatever_the_order_of_the_cases() -> None:
    cases = [case(number, "train") for number in range(80)]
    plans = plan_cases(cases, CONFIG)
    kinds = [(plan.scenario, plan.form) for plan in plans]
    assert [kinds.count(kind) for kind in (("passive", "direct"), ("active", "listwise"))] == [30, 10]
    assert sum(plan.locale == "ko" for plan in plans) == 40
    assert {(p.case.id, p.scenario, p.form, p.locale) for p in plans} == {
        (p.case.id, p.scenario, p.form, p.locale) for p in plan_cases(cases[::-1], CONFIG)
    }


def test_every_test_case_is_asked_passively_a_few_actively_too_and_all_directly() -> None:
    plans = plan_cases([case(number, "test") for number in range(5)], CONFIG)
    assert sorted(plan.scenario for plan in plans) == ["active"] * 3 + ["passive"] * 5
    assert {plan.form for plan in plans} == {"direct"}


def test_a_case_without_a_usable_query_is_asked_passively() -> None:
    plan = PromptPlan(case(1, "train"), "active", "direct", "en")
    assert _askable(plan, {}).scenario == "passive"
    assert _askable(plan, {plan.case.id: "quiet films"}) is plan
