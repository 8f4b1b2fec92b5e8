"""The cases and prompts of `bench.scoring_study`, and every log-likelihood that it needs, asked once.

A case's own prompts (`own`, another template, another order, the history as a list to be continued)
are each evaluated once, with all candidates behind them. What does not depend on the case (no history,
histories of other people, an empty list) is evaluated once a domain, with all titles behind it.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rectune.core.catalogue import Catalogue, load_catalogue
from rectune.core.recipe import load_recipe
from rectune.core.rows import read_rows
from rectune.core.types import Case, Item, Split
from rectune.prompts.answers import behind_closing
from rectune.prompts.locale_words import bulleted, fill, load_words, one_line
from rectune.prompts.render import RenderOptions, render
from rectune.prompts.template_library import HELD_OUT, templates
from rectune.rankers.domain_data import DomainData, train_likes
from rectune.rankers.eval_cases import EvalCase, as_asked, by_domain, passive_cases
from rectune.rankers.likelihood import Messages, RenderedPrompt, Scorer, without_history

DATASETS = ("movielens", "anime")
TEMPLATES, ORDERS, FOREIGN = 2, 2, 2  # prompts that are averaged, the case's own among the first two
TUNING = 50  # users of each domain that weights are chosen on
_LOCALE = "en"
_CHUNK = 256  # titles that are asked for at once behind a prompt of no case
_LIST = "{{ known.nouns | capitalize }} that one person {{ known.past }}, one a line."

Titles = dict[str, list[list[float]]]  # prompt -> the log-probabilities of each candidate's tokens


@dataclass(frozen=True)
class Study:
    """The cases, and what rankers of each domain are made from.

    Attributes:
        tests, tuning: cases whose rank counts, and those that weights are chosen on.
        foreign: domain -> prompts of train users.
    """

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


def read_study(root: Path, folder: Path, users: int) -> Study:
    """The data stage on the two datasets (once a folder), and `users` test users of each."""
    if not (folder / "cases.parquet").is_file():
        _cut(root, folder, max(users, 300))
    catalogue = load_catalogue(folder / "items.parquet")
    cases = [case for case in read_rows(folder / "cases.parquet", Case) if case.history_domain == case.domain]
    names = sorted({case.domain for case in cases})

    def some(split: Split, domain: str, count: int) -> list[EvalCase]:
        own = sorted((c for c in cases if (c.split, c.domain) == (split, domain)), key=lambda case: case.id)
        return passive_cases(own[:count], catalogue, dict.fromkeys(names, _LOCALE))

    def both(split: Split, count: int) -> list[EvalCase]:
        groups = [some(split, domain, count) for domain in names]
        return [test for pair in zip(*groups, strict=False) for test in pair]  # domains in turn

    return Study(
        both("test", users),
        both("preference", TUNING),
        {domain: [as_asked(t.prompt) for t in some("train", domain, FOREIGN)] for domain in names},
        catalogue,
        {domain: _ground(folder, cases, catalogue, domain) for domain in names},
    )


def _cut(root: Path, folder: Path, users: int) -> None:
    from rectune.datagen.build import run

    changes = [f"data.root={root}", f"data.datasets=[{','.join(DATASETS)}]"]
    changes += [f"data.mixture_weights={{{', '.join(f'{name}: 1' for name in DATASETS)}}}"]
    changes += [f"data.test={2 * users}", "data.preference=120", "data.train=100"]
    changes += ["data.train_time_quantile=1.0", "data.max_history=10"]
    run(load_recipe(Path("recipes/demo.yaml"), changes).only(("data",)), {}, folder)


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
    asked = fill(_LIST, test.case.domain, load_words(_LOCALE), {})
    lines = bulleted([one_line(title) for title in titles])
    return Question((("system", test.prompt.system), ("user", asked)), f"{lines}\n-" if lines else "-")


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


def collect(study: Study, scorer: Scorer) -> dict[str, Titles]:
    """Case id -> the log-probabilities behind each prompt.

    Prompts are asked one kind after the other, each for all cases, so that what is missing after an
    interruption is whole kinds.
    """
    cases = {domain: group for domain, group in by_domain([*study.tuning, *study.tests]).items() if group}
    shared = {domain: shared_questions(group[0], study) for domain, group in cases.items()}
    own = {t.case.id: questions(t, study.catalogue) for group in cases.values() for t in group}
    for name in dict.fromkeys(name for some in (*shared.values(), *own.values()) for name in some):
        begun = time.monotonic()
        for domain, group in cases.items():
            if name in shared[domain]:
                items = list(dict.fromkeys(item for test in group for item in test.case.candidates))
                for start in range(0, len(items), _CHUNK):
                    _ask(scorer, study, domain, items[start : start + _CHUNK], shared[domain][name])
            for test in (test for test in group if name in own[test.case.id]):
                _ask(scorer, study, domain, test.case.candidates, own[test.case.id][name])
        print(f"{name}: {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
    return {
        test.case.id: {
            name: _ask(scorer, study, domain, test.case.candidates, question)
            for name, question in (own[test.case.id] | shared[domain]).items()
        }
        for domain, group in cases.items()
        for test in group
    }


def _ask(
    scorer: Scorer, study: Study, domain: str, items: Sequence[str], question: Question
) -> list[list[float]]:
    titles = titles_of(domain, items, study.catalogue, question.dated)
    return scorer.loglikelihood(question.messages, titles, prefill=question.prefill)
