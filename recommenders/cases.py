"""Test cases and the prompts that word them: what everything that ranks is measured on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from recommenders.likelihood import Asked
from rectune.errors import UserError
from rectune.rows import read_rows
from rectune.types import Case, Prompt


@dataclass(frozen=True)
class TestCase:
    """A test case and the prompt that words it."""

    __test__ = False  # not a class of tests, whatever pytest takes its name for

    case: Case
    prompt: Prompt


def read_test_cases(cases: Sequence[Case], queries: Path) -> list[TestCase]:
    """The test cases that have a passive direct prompt, joined with it by domain and user.

    Raises:
        UserError: not one has.
    """
    prompts = {
        (prompt.domain, prompt.user): prompt
        for prompt in read_rows(queries / "prompts.parquet", Prompt)
        if (prompt.split, prompt.scenario, prompt.form) == ("test", "passive", "direct")
    }
    test = [case for case in cases if case.split == "test"]
    found = [
        TestCase(case, prompts[case.domain, case.user])
        for case in test
        if (case.domain, case.user) in prompts
    ]
    if not found:
        raise UserError(
            f"none of {len(test)} test cases has a passive direct prompt",
            where=str(queries / "prompts.parquet"),
            mend="raise data.test, and run again from the stage data",
        )
    return found


def by_domain(cases: Sequence[TestCase]) -> dict[str, list[TestCase]]:
    """The cases of each domain, domains sorted."""
    groups: dict[str, list[TestCase]] = {}
    for case in sorted(cases, key=lambda case: case.case.domain):
        groups.setdefault(case.case.domain, []).append(case)
    return groups


def asked_by_history(cases: Sequence[TestCase]) -> Callable[[Sequence[str]], Asked]:
    """How the prompts word each history: users of one domain with the same history ask the same."""
    asked = {test.case.history: as_asked(test.prompt) for test in cases}
    return lambda history: asked[tuple(history)]


def as_asked(prompt: Prompt) -> Asked:
    """The messages of a prompt."""
    return Asked((("system", prompt.system), ("user", prompt.instruction)), prompt.locale)
