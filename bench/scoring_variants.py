"""What `bench.scoring_study` makes of the tokens' log-probabilities: each way to score a title by them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bench.scoring_prompts import FOREIGN, ORDERS, TEMPLATES, Titles
from rectune.rankers.base import Scores

Tokens = tuple[int, ...]
Mask = NDArray[np.bool_]  # [tokens of a title] which of them count

_END = -1
OWN = ("own",)
IN_WORDS = ("own", *(f"template {number}" for number in range(1, TEMPLATES)))
IN_ORDERS = ("own", *(f"order {number}" for number in range(1, ORDERS)))
OTHERS = tuple(f"foreign {number}" for number in range(FOREIGN))
NOTHING = ("nothing",)


@dataclass(frozen=True)
class Variant:
    """A way to score titles.

    Attributes:
        name: what it scores a title by.
        prompts: whose scores are averaged.
        tokens: the tokens that count, a key of `masks`.
        summed: whether their log-probabilities are added up; else it is their mean.
        less: prompts whose averaged scores are subtracted, by a weight; none: nothing is.
        less_name: what these are called.
    """

    name: str
    prompts: tuple[str, ...] = OWN
    tokens: str = "all"
    summed: bool = False
    less: tuple[str, ...] = ()
    less_name: str = ""

    def own(self, case: ScoredTitles) -> Scores:
        """[candidates] the score before anything is subtracted."""
        return self._averaged(case, self.prompts)

    def subtracted(self, case: ScoredTitles) -> Scores:
        """[candidates] what is subtracted, by a weight."""
        return self._averaged(case, self.less) if self.less else np.zeros(len(case.masks[self.tokens]))

    def _averaged(self, case: ScoredTitles, prompts: Sequence[str]) -> Scores:
        total = np.sum if self.summed else np.mean
        masks = case.masks[self.tokens]
        rows = [
            [total(np.array(logs)[mask]) for logs, mask in zip(case.logs[name], masks, strict=True)]
            for name in prompts
        ]
        found: Scores = np.mean(np.array(rows, np.float64), axis=0)
        return found


@dataclass(frozen=True)
class ScoredTitles:
    """One case's log-probabilities, and which tokens of each candidate count, by name."""

    logs: Titles
    masks: dict[str, list[Mask]]


def variants() -> list[Variant]:
    """All that the study compares on both datasets."""
    every = tuple(dict.fromkeys((*IN_WORDS, *IN_ORDERS)))
    return [
        *_corrected(Variant("mean"), foreign=True),
        replace(Variant("mean"), less=OTHERS[:1], less_name="one foreign"),
        *_corrected(Variant("sum", summed=True), foreign=True),
        *_corrected(Variant("sum, tokens that tell candidates apart", tokens="candidates", summed=True)),
        *_corrected(Variant("mean, tokens that tell candidates apart", tokens="candidates")),
        *_corrected(Variant("sum, tokens that tell the catalogue apart", tokens="catalogue", summed=True)),
        *_corrected(Variant("mean, tokens that tell the catalogue apart", tokens="catalogue")),
        *_corrected(Variant("mean, up to the first bracket", tokens="no brackets")),
        *_corrected(Variant("mean, two templates", IN_WORDS)),
        *_corrected(Variant("mean, two orders", IN_ORDERS)),
        *_corrected(Variant("mean, templates and orders", every), foreign=True),
        *_corrected(Variant("sum, templates and orders", every, summed=True)),
        *_corrected(Variant("mean, continuing a list", ("list",)), ("empty list",)),
        *_corrected(Variant("sum, continuing a list", ("list",), summed=True), ("empty list",)),
        Variant("mean, no history", NOTHING),
        Variant("sum, no history", NOTHING, summed=True),
        Variant("no model: fewer tokens first", ("length",), summed=True),
    ]


def dated_variants() -> list[Variant]:
    """Those of films with their years; the first is the reference, without years anywhere."""
    return [
        *_corrected(Variant("no years")),
        *_corrected(Variant("years in the history", ("dated",), "undated"), ("nothing, dated",)),
        *_corrected(Variant("years in history and title", ("dated",), "dated"), ("nothing, dated",)),
    ]


def _corrected(
    variant: Variant, prior: tuple[str, ...] = NOTHING, *, foreign: bool = False
) -> Iterable[Variant]:
    yield variant
    yield replace(variant, less=prior, less_name="prior")
    if foreign:
        yield replace(variant, less=OTHERS, less_name="two foreign")


def branching(titles: Sequence[Tokens]) -> Callable[[Tokens], Mask]:
    """Which tokens of a title are a choice among these titles: those at branching nodes of their trie.

    A token counts if some title with the same tokens before it goes on otherwise, or ends there. What does
    not count follows from the tokens before.
    """
    following: dict[Tokens, set[int]] = {}
    for title in titles:
        for place, token in enumerate((*title, _END)):
            following.setdefault(title[:place], set()).add(token)

    def mask(title: Tokens) -> Mask:
        found = np.array([len(following[title[:place]]) > 1 for place in range(len(title))])
        return found if found.any() else ~found

    return mask


def leading(title: Tokens, part: Tokens) -> Mask:
    """The tokens that a title and a part of it begin with in common; all if there are none."""
    common = next((i for i, (a, b) in enumerate(zip(title, part, strict=False)) if a != b), len(part))
    return np.arange(len(title)) < (common or len(title))
