"""What training cases of A-LLMRec ask for in words: categories of the target, or queries made for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rectune.core.rng import generator_of
from rectune.core.types import Prompt
from rectune.rankers.allmrec.train_cases import TrainCase

WishKind = Literal["query", "category"]
KINDS: tuple[WishKind, ...] = ("query", "category")


@dataclass(frozen=True)
class TrainWishes:
    """Which cases ask for something, and for what.

    Attributes:
        queries: by item, what people typed, or a teacher wrote, who look for it.
        categories: by item.
        share: of the cases that ask; one whose target has neither asks for nothing.
        seed: of what is drawn.
    """

    queries: Mapping[str, Sequence[str]]
    categories: Mapping[str, Sequence[str]]
    share: float
    seed: int

    def kind(self, case: TrainCase) -> WishKind | None:
        """By what a case asks, the same in all epochs; None where it asks for nothing. Queries and categories
        are as likely where its target has both.
        """
        rng = generator_of("wishes", self.seed, case.user, case.target)
        if rng.random() >= self.share:
            return None
        there = [kind for kind in KINDS if self._known(kind).get(case.target)]
        return there[int(rng.integers(len(there)))] if there else None

    def wish(self, case: TrainCase, rng: np.random.Generator) -> str:
        """What a case asks for, one of the texts of its kind; empty for nothing."""
        kind = self.kind(case)
        if kind is None:
            return ""
        texts = self._known(kind)[case.target]
        return texts[int(rng.integers(len(texts)))]

    def fits(self, item_id: str, wish: str) -> bool:
        """Whether somebody who asks for this may be given the item."""
        return any(wish in self._known(kind).get(item_id, ()) for kind in KINDS)

    def counts(self, cases: Iterable[TrainCase]) -> dict[str, int]:
        """How many cases ask, by kind."""
        found = Counter(map(self.kind, cases))
        return {kind: found[kind] for kind in KINDS}

    def _known(self, kind: WishKind) -> Mapping[str, Sequence[str]]:
        return self.queries if kind == "query" else self.categories


def train_queries(prompts: Iterable[Prompt], domain: str) -> dict[str, list[str]]:
    """By item of a domain the queries of train users' prompts, each once; those of users who have a prompt of
    another split are left out.
    """
    own = [prompt for prompt in prompts if prompt.domain == domain]
    others = {prompt.user for prompt in own if prompt.split != "train"}
    found = dict[str, dict[str, None]]()
    for prompt in own:
        if prompt.query and prompt.user not in others:
            found.setdefault(prompt.target, {})[prompt.query] = None
    return {item: list(texts) for item, texts in found.items()}
