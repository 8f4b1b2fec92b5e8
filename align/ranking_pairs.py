"""Pairs that the interactions imply: the item really taken is preferred to other candidates of its case.

Both answers of such a pair are written by the same template (`rectune.prompts.responses`), so that they
differ in the item and in what the catalogue says of it, and in nothing else that could be learnt.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from rectune.core.catalogue import Catalogue
from rectune.core.rng import generator_of
from rectune.core.settings import AlignConfig
from rectune.core.types import Case, Preference, Prompt, content_id, with_id
from rectune.prompts.responses import ending, templated_response

ANNOTATOR = "interactions"  # in place of an annotator's name

_TOOK_NOTHING_ELSE = "no other candidate"
_NO_PROMPT = "no prompt"


@dataclass
class RankingPairs:
    """Pairs by case, in the order of the cases.

    Attributes:
        rows: the pairs; those of one case follow each other.
        cases: how many cases they are of.
        dropped: cases that gave no pair, by reason.
    """

    rows: list[Preference] = field(default_factory=list)
    cases: int = 0
    dropped: Counter[str] = field(default_factory=Counter)


def make_ranking_pairs(
    cases: Sequence[Case],
    prompts: Sequence[Prompt],
    answered: Collection[str],
    catalogue: Catalogue,
    settings: AlignConfig,
) -> RankingPairs:
    """The pairs of at most `settings.ranking_pairs` cases.

    First those of the split `preference` whose prompts are tagged (`answered`), then those of the split
    `train`, each in a seeded order. Other users of `preference` are left to the stage `rerank`, and nobody of
    `test` is asked for.

    Args:
        cases: all of the run.
        prompts: all of the run.
        answered: ids of the prompts that have candidate answers.
        catalogue: where the items are.
        settings: `ranking_pairs`, `ranking_negatives` and the seed.
    """
    found = RankingPairs()
    if not settings.ranking_pairs:
        return found
    asked = {_place(prompt): prompt for prompt in prompts}
    for case in _in_order(cases, settings.seed):
        if found.cases == settings.ranking_pairs:
            break
        prompt = asked.get(_place(case))
        if case.split == "preference" and (prompt is None or prompt.id not in answered):
            continue
        if prompt is None:
            found.dropped[_NO_PROMPT] += 1
            continue
        rows = list(_pairs(case, prompt, catalogue, settings))
        found.rows += rows
        found.cases += bool(rows)
        found.dropped[_TOOK_NOTHING_ELSE] += not rows
    found.dropped = +found.dropped
    return found


def negatives_of(case: Case, prompt: Prompt, catalogue: Catalogue, count: int, seed: int) -> list[str]:
    """At most `count` other candidates, in a seeded order: those shown, or of a direct prompt the case's.

    How hard they are is decided where cases are cut (`data.negatives`). One that bears the target's title is
    left out, since an answer cannot tell the two apart.
    """
    title = catalogue.get(case.domain, case.target).title
    pool = [
        item
        for item in prompt.candidates or case.candidates
        if item != case.target and catalogue.get(case.domain, item).title != title
    ]
    order = generator_of("ranking negatives", seed, case.id).permutation(len(pool))
    return [pool[at] for at in order[:count]]


def _pairs(case: Case, prompt: Prompt, catalogue: Catalogue, settings: AlignConfig) -> Iterator[Preference]:
    answer = templated_response if settings.ranking_answers == "whole" else ending
    chosen = answer(prompt, catalogue, case.target)
    for item in negatives_of(case, prompt, catalogue, settings.ranking_negatives, settings.seed):
        rejected = answer(prompt, catalogue, item)
        yield with_id(Preference("", prompt, chosen, rejected, ANNOTATOR, "ranking"))


def _in_order(cases: Sequence[Case], seed: int) -> list[Case]:
    order = {"preference": 0, "train": 1}
    able = [case for case in cases if case.split in order]
    return sorted(able, key=lambda case: (order[case.split], content_id("ranking", seed, case.id)))


def _place(row: Case | Prompt) -> tuple[str, str, str, str, str]:
    """What a case and its prompt have in common."""
    return row.split, row.domain, row.user, row.history_domain, row.target
