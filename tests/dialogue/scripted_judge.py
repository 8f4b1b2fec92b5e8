"""A stand-in for an engine: what it finds likely is known by construction."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from rectune.dialogue.item_judges import LABELS
from rectune.dialogue.knowledge import Claim, Stance

TINY = 1e-9


def claim(stance: Stance, value: str, aspect: str = "category", **more: object) -> Claim:
    """A claim with an id of its own."""
    return Claim(f"{stance} {aspect} {value}", stance, aspect, value, **more)  # type: ignore[arg-type]


def label_logs(shares: Sequence[float]) -> list[list[float]]:
    """Token logs of the labels 1 to 10 with these probabilities: a digit is a token, so 1 begins 10."""
    first = math.log(max(TINY, shares[0] + shares[9]))
    singles = [[first], *([math.log(max(TINY, share))] for share in shares[1:9])]
    return [*singles, [first, math.log(max(TINY, shares[9])) - first]]


def certain(score: int) -> list[float]:
    """All the probability on one label."""
    return [float(label == score) for label in range(1, 11)]


class ScriptedJudge:
    """Gives the labels of a score, and a yes, by what stands in the prompt.

    Args:
        score: prompt -> probabilities of the ten labels.
        yes: prompt -> the probability of a yes.
    """

    def __init__(
        self,
        score: Callable[[str], Sequence[float]],
        yes: Callable[[str], float] = lambda prompt: 0.9 if "nothing is known" not in prompt else 0.5,
    ) -> None:
        self._score, self._yes = score, yes
        self.prompts: list[str] = []

    def loglikelihood(
        self, messages: Sequence[tuple[str, str]], continuations: Sequence[str], prefill: str = ""
    ) -> list[list[float]]:
        prompt = messages[-1][1]
        self.prompts.append(prompt)
        if tuple(continuations) == LABELS:
            return label_logs(self._score(prompt))
        yes = self._yes(prompt)
        return [[math.log(yes)], [math.log(1 - yes)]]
