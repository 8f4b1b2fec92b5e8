"""Test cases: joined with their prompts, or an error that says so."""

from dataclasses import replace
from pathlib import Path

import pytest

from rectune.core.catalogue import Catalogue
from rectune.core.errors import UserError
from rectune.core.rows import write_rows
from rectune.core.types import Case, Prompt
from rectune.rankers.eval_cases import EvalCase, asked_to_list, by_domain, passive_cases, read_test_cases
from tests.rankers.world import case, items, prompt


def four_cases() -> list[EvalCase]:
    cases = [case(d, f"u{taste}", "test", taste) for d in ("movies", "books") for taste in (0, 1)]
    return [EvalCase(c, prompt(c)) for c in cases]


def test_each_test_case_is_joined_with_its_own_passive_direct_prompt(tmp_path: Path):
    cases = [test.case for test in four_cases()]
    listwise = [replace(prompt(c), id=f"l{n}", form="listwise") for n, c in enumerate(cases)]
    kept = cases[1:]
    rows = [*map(prompt, kept), *listwise, *(prompt(c, "active") for c in cases)]
    write_rows(tmp_path / "prompts.parquet", rows[::-1], Prompt)
    train = replace(case("movies", "t", "train", 0), id="t")
    found = read_test_cases([*cases, train], tmp_path)
    assert [test.case for test in found] == kept
    assert [test.prompt for test in found] == [prompt(c) for c in kept]


def test_test_cases_without_any_prompt_are_an_error_for_people(tmp_path: Path):
    write_rows(tmp_path / "prompts.parquet", [], Prompt)
    with pytest.raises(UserError, match="none of 1 test cases"):
        read_test_cases([four_cases()[0].case], tmp_path)


def test_domains_come_sorted_and_keep_their_cases():
    cases: list[Case] = [test.case for test in by_domain(four_cases())["movies"]]
    assert list(by_domain(four_cases())) == ["books", "movies"]
    assert [c.user for c in cases] == ["u0", "u1"]


def test_a_list_is_asked_for_in_the_order_given_under_the_same_words():
    test = four_cases()[0]
    catalogue = Catalogue({("movies", item.item_id): item for item in items()})
    one, other = (
        asked_to_list(test, catalogue, shown).messages[-1][1]
        for shown in (test.case.candidates, test.case.candidates[::-1])
    )
    first, last = (catalogue.titles("movies", [test.case.candidates[at]])[0] for at in (0, -1))
    assert one.index(first) < one.index(last) and other.index(first) > other.index(last)
    assert sorted(one) == sorted(other)  # only the order differs


def test_any_case_is_worded_as_a_passive_direct_prompt():
    train = case("movies", "t", "train", 0)
    catalogue = Catalogue({("movies", item.item_id): item for item in items()})
    (found,) = passive_cases([train], catalogue, {"movies": "en"})
    assert (found.prompt.scenario, found.prompt.form, found.case) == ("passive", "direct", train)
    assert all(title in found.prompt.instruction for title in catalogue.titles("movies", train.history))
