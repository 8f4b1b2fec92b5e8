"""Test cases: joined with their prompts, or an error that says so."""

from dataclasses import replace
from pathlib import Path

import pytest

from recommenders.cases import TestCase, by_domain, read_test_cases
from rectune.errors import UserError
from rectune.rows import write_rows
from rectune.types import Case, Prompt
from tests.recommenders.world import case, prompt


def four_cases() -> list[TestCase]:
    cases = [case(d, f"u{taste}", "test", taste) for d in ("movies", "books") for taste in (0, 1)]
    return [TestCase(c, prompt(c)) for c in cases]


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
