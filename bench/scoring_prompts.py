"""The cases and prompts of `bench.scoring_study`, and every log-likelihood that it needs, asked once.

A case's own prompts (`own`, another template, another order, the history as a list to be continued)
are each evaluated once, with all candidates behind them. What does not depend on the case (no history,
histories of other people, an empty list) is evaluated once a domain, with all titles behind it.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rectune.core.artifacts import ArtifactStore
from rectune.core.catalogue import Catalogue, load_catalogue
from rectune.core.rows import read_rows
from rectune.core.types import Case, Item, Locale, Split
from rectune.pipeline.run import RunOptions, run_pipeline
from rectune.prompts.answers import behind_closing
from rectune.prompts.locale_words import fill, load_words, one_line
from rectune.prompts.render import RenderOptions, render
from rectune.prompts.template_library import HELD_OUT, templates
from rectune.prompts.title_list import begun_list, list_messages
from rectune.rankers.domain_data import DomainData, train_likes
from rectune.rankers.eval_cases import EvalCase, as_asked, by_domain, passive_cases
from rectune.rankers.likelihood import Messages, RenderedPrompt, Scorer, without_history

TEMPLATES, ORDERS, FOREIGN = 2, 2, 2  # prompts that are averaged, the case's own among the first two
TUNING = 50  # users of each domain that weights are chosen on
_LOCALE: Locale = "en"
_CHUNK = 256  # titles that are asked for at once behind a prompt of no case

Titles = dict[str, list[list[float]]]  # prompt -> the log-probabilities of each candidate's tokens


class NotKnown(Exception):
    """A log-probability is not in the file, and no model is there to be asked."""


@dataclass(frozen=True)
class Study:
    """The cases, and what rankers of each domain are made from.

    Attributes:
        key: of the prepared data: other files, or other cases, have another one.
        tests, tuning: cases whose rank counts, and those that weights are chosen on.
        foreign: domain -> prompts of train users.
    """

    key: str
    tests: list[EvalCase]
    tuning: list[EvalCase]
    foreign: dict[str, list[RenderedPrompt]]
    catalogue: Catalogue
    domains: dict[str, DomainData]


@dataclass(frozen=True)
class Question:
    """What the model reads, and whether titles bear their year behind it."""

    messages: Messages
    prefill: str
    dated: bool = False


@dataclass(frozen=True)
class Source:
    """Where cases are cut: two datasets below `root`, in a seeded order; `runs` keeps them."""

    root: Path
    runs: Path
    datasets: tuple[str, str]
    seed: int


def read_study(source: Source, users: int, without: Collection[tuple[str, str]] = ()) -> Study:
    """The data stage on two datasets, and `users` test users of each.

    Args:
        source: of the cases.
        users: test users of each dataset.
        without: (domain, user) of those who take no part.
    """
    folder = _cut(source, users)
    catalogue = load_catalogue(folder / "items.parquet")
    cases = [case for case in read_rows(folder / "cases.parquet", Case) if case.history_domain == case.domain]
    names = sorted({case.domain for case in cases})
    able = sorted((case for case in cases if (case.domain, case.user) not in without), key=lambda one: one.id)

    def some(split: Split, domain: str, count: int) -> list[EvalCase]:
        own = [case for case in able if (case.split, case.domain) == (split, domain)]
        return passive_cases(own[:count], catalogue, dict.fromkeys(names, _LOCALE))

    def both(split: Split, count: int) -> list[EvalCase]:
        groups = [some(split, domain, count) for domain in names]
        return [test for pair in zip(*groups, strict=False) for test in pair]  # domains in turn

    return Study(
        folder.name,
        both("test", users),
        both("preference", TUNING),
        {domain: [as_asked(t.prompt) for t in some("train", domain, FOREIGN)] for domain in names},
        catalogue,
        {domain: _ground(folder, cases, catalogue, domain) for domain in names},
    )


def _cut(source: Source, users: int) -> Path:
    """The folder of the prepared data, which are made where they are not there."""
    one, other = source.datasets
    changes = [f"data.root={source.root}", f"data.datasets=[{one},{other}]", f"data.seed={source.seed}"]
    changes += [f"data.mixture_weights={{{one}: 1, {other}: 1}}", f"data.test={2 * max(users, 300)}"]
    changes += [
        "data.preference=120",
        "data.train=100",
        "data.train_time_quantile=1.0",
        "data.max_history=10",
    ]
    return run_pipeline(RunOptions(Path("demo"), changes, "data"), ArtifactStore(source.runs))["data"]


def _ground(folder: Path, cases: Sequence[Case], catalogue: Catalogue, domain: str) -> DomainData:
    return DomainData(domain, catalogue.of(domain), lambda: train_likes(folder, cases, domain))


def questions(test: EvalCase, catalogue: Catalogue) -> dict[str, Question]:
    """The prompts of one case, by name."""
    case, own = test.case, as_asked(test.prompt)
    words, _ = behind_closing(_LOCALE, [])
    found = {"own": Question(own.messages, words)}
    found["list"] = _as_list(test, catalogue, catalogue.titles(case.domain, case.history))
    for number in range(1, TEMPLATES):
        found[f"template {number}"] = Question(_in_other_words(test, catalogue, number), words)
    for number in range(1, ORDERS):
        shuffled = list(case.history)
        random.Random(f"{case.id} {number}").shuffle(shuffled)
        found[f"order {number}"] = Question(
            _rendered(replace(case, history=tuple(shuffled)), catalogue), words
        )
    if any(catalogue.get(case.domain, item).year for item in case.candidates):
        found["dated"] = Question(_rendered(case, _dated(case, catalogue)), words, dated=True)
    return found


def shared_questions(test: EvalCase, study: Study) -> dict[str, Question]:
    """The prompts that are the same for all cases of the test's domain."""
    words, _ = behind_closing(_LOCALE, [])
    nothing = without_history(lambda history: as_asked(test.prompt))(()).messages
    found = {"nothing": Question(nothing, words), "empty list": _as_list(test, study.catalogue, ())}
    for number, prompt in enumerate(study.foreign[test.case.domain]):
        found[f"foreign {number}"] = Question(prompt.messages, words)
    if any(item.year for item in study.catalogue.of(test.case.domain)):
        found["nothing, dated"] = Question(nothing, words, dated=True)
    return found


def _rendered(case: Case, catalogue: Catalogue) -> Messages:
    return as_asked(render(case, catalogue, RenderOptions("passive", "direct", _LOCALE))).messages


def _in_other_words(test: EvalCase, catalogue: Catalogue, number: int) -> Messages:
    """The template `number` places behind the case's own."""
    choices = [one for one in templates(_LOCALE, "passive", "direct") if HELD_OUT not in one.tags]
    at = [one.name for one in choices].index(test.prompt.template)
    titles = [one_line(title) for title in catalogue.titles(test.case.domain, test.case.history)]
    values = {"history": titles, "candidates": [], "query": "", "ordered": test.case.ordered}
    source = choices[(at + number) % len(choices)].source
    instruction = fill(source, test.case.domain, load_words(_LOCALE), values)
    return ("system", test.prompt.system), ("user", instruction)


def _as_list(test: EvalCase, catalogue: Catalogue, titles: Sequence[str]) -> Question:
    system, asked = list_messages(test.case.domain, _LOCALE)
    return Question((("system", system), ("user", asked)), begun_list(titles))


def dated(item: Item) -> str:
    """A title with its year, where one is known and not in it yet."""
    year = f"({item.year})"
    return f"{item.title} {year}" if item.year and not item.title.endswith(year) else item.title


def _dated(case: Case, catalogue: Catalogue) -> Catalogue:
    ids = dict.fromkeys((*case.history, *case.candidates))
    items = (catalogue.get(case.domain, item) for item in ids)
    return Catalogue({(case.domain, item.item_id): replace(item, title=dated(item)) for item in items})


def titles_of(domain: str, items: Sequence[str], catalogue: Catalogue, with_year: bool) -> list[str]:
    """Titles as they follow the prompt."""
    found = [catalogue.get(domain, item) for item in items]
    return behind_closing(_LOCALE, [dated(item) if with_year else item.title for item in found])[1]


def collect(
    study: Study, tests: Sequence[EvalCase], scorer: Scorer, wanted: Collection[str] = ()
) -> dict[str, Titles]:
    """Case id -> the log-probabilities behind each prompt; without those that the scorer refuses.

    Prompts are asked one kind after the other, each for all cases, so that what is missing after an
    interruption is whole kinds.

    Args:
        study: whose catalogue and foreign prompts are used.
        tests: its cases that are asked.
        scorer: scores the titles; may raise `NotKnown`.
        wanted: names of the prompts; all unless some are given.
    """

    def some(found: dict[str, Question]) -> dict[str, Question]:
        return {name: question for name, question in found.items() if not wanted or name in wanted}

    cases = by_domain(tests)
    shared = {domain: some(shared_questions(group[0], study)) for domain, group in cases.items()}
    own = {t.case.id: some(questions(t, study.catalogue)) for group in cases.values() for t in group}
    names = dict.fromkeys(name for each in (*shared.values(), *own.values()) for name in each)
    found: dict[str, Titles] = {case: {} for case in own}
    for name in names:
        begun = time.monotonic()
        for domain, group in cases.items():
            if name in shared[domain]:
                _ask_all(scorer, study, group, shared[domain][name])
            for test in group:
                question = (own[test.case.id] | shared[domain]).get(name)
                if question and (logs := _ask(scorer, study, domain, test.case.candidates, question)):
                    found[test.case.id][name] = logs
        there = sum(name in titles for titles in found.values())
        seconds = time.monotonic() - begun
        print(f"{name}: {there} of {len(tests)} cases, {seconds:.0f} s", file=sys.stderr, flush=True)
    return found


def _ask_all(scorer: Scorer, study: Study, group: Sequence[EvalCase], question: Question) -> None:
    """Have all candidates of some cases scored behind a prompt that they share."""
    items = list(dict.fromkeys(item for test in group for item in test.case.candidates))
    for start in range(0, len(items), _CHUNK):
        _ask(scorer, study, group[0].case.domain, items[start : start + _CHUNK], question)


def _ask(
    scorer: Scorer, study: Study, domain: str, items: Sequence[str], question: Question
) -> list[list[float]] | None:
    titles = titles_of(domain, items, study.catalogue, question.dated)
    try:
        return scorer.loglikelihood(question.messages, titles, prefill=question.prefill)
    except NotKnown:
        return None
