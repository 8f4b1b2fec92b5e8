"""Test cases and their prompts, on which all rankers are evaluated."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rectune.core.catalogue import Catalogue
from rectune.core.errors import UserError
from rectune.core.rows import read_rows
from rectune.core.types import Case, Locale, Prompt, grouped
from rectune.prompts.locale_words import fill, load_words, one_line
from rectune.prompts.render import RenderOptions, render
from rectune.prompts.template_library import system_message, template_for
from rectune.rankers.likelihood import RenderedPrompt, list_prompts


@dataclass(frozen=True)
class EvalCase:
    """A test case and its prompt."""

    __test__ = False  # not a class of tests, whatever pytest takes its name for

    case: Case
    prompt: Prompt


def read_test_cases(cases: Sequence[Case], queries: Path) -> list[EvalCase]:
    """The test cases that have a passive direct prompt, joined with it by domain and user.

    Raises:
        UserError: no case has one.
    """
    prompts = {
        (prompt.domain, prompt.user): prompt
        for prompt in read_rows(queries / "prompts.parquet", Prompt)
        if (prompt.split, prompt.scenario, prompt.form) == ("test", "passive", "direct")
    }
    test = [case for case in cases if case.split == "test"]
    found = [
        EvalCase(case, prompts[case.domain, case.user])
        for case in test
        if (case.domain, case.user) in prompts
    ]
    if not found:
        raise UserError(
            f"none of {len(test)} test cases has a passive direct prompt",
            where=str(queries / "prompts.parquet"),
            hint="raise data.test, and run again from the stage data",
        )
    return found


def by_domain(cases: Sequence[EvalCase]) -> dict[str, list[EvalCase]]:
    """The cases of each domain, domains sorted."""
    return grouped(cases, lambda test: (test.case.domain, ""))


def asked_by_history(cases: Sequence[EvalCase]) -> Callable[[Sequence[str]], RenderedPrompt]:
    """The prompt of each history: users of one domain with the same history have the same prompt."""
    asked = {test.case.history: as_asked(test.prompt) for test in cases}
    return lambda history: asked[tuple(history)]


def listed_by_history(
    cases: Sequence[EvalCase], titles: Mapping[str, str]
) -> Callable[[Sequence[str]], RenderedPrompt]:
    """Each history of cases of one domain as a list of titles, in the language of its prompt."""
    domain = cases[0].case.domain
    locales = {test.case.history: test.prompt.locale for test in cases}
    return lambda history: list_prompts(domain, titles, locales[tuple(history)])(history)


def as_asked(prompt: Prompt) -> RenderedPrompt:
    """The messages of a prompt."""
    return RenderedPrompt((("system", prompt.system), ("user", prompt.instruction)), prompt.locale)


def passive_cases(
    cases: Sequence[Case], catalogue: Catalogue, locales: Mapping[str, Locale]
) -> list[EvalCase]:
    """Any cases, each rendered as a passive direct prompt.

    Args:
        cases: of any split, whatever prompts the split has.
        catalogue: where their items are.
        locales: the language of each domain's prompts.
    """
    return [
        EvalCase(case, render(case, catalogue, RenderOptions("passive", "direct", locales[case.domain])))
        for case in cases
    ]


def asked_to_list(test: EvalCase, catalogue: Catalogue, candidates: Sequence[str]) -> RenderedPrompt:
    """A prompt that shows history and candidates, these in the given order, and asks for a ranking of them.

    The template depends on the case alone, so that orders are compared with the same wording.
    """
    case, locale = test.case, test.prompt.locale
    template = template_for(locale, "passive", "listwise", split="test", wanted="seen", salt=case.id)
    values = {
        "history": [one_line(title) for title in catalogue.titles(case.history_domain, test.prompt.history)],
        "candidates": [one_line(title) for title in catalogue.titles(case.domain, candidates)],
        "query": "",
        "ordered": case.ordered,
    }
    words = load_words(locale)
    instruction = fill(template.source, case.domain, words, values, case.history_domain)
    return RenderedPrompt((("system", system_message(locale, case.domain)), ("user", instruction)), locale)
