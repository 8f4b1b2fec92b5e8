"""What is measured on held-out preference rows, from the log-probabilities of their answers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

# Row number -> the log-prob of the chosen answer, then those of the rejected ones, nats an answer.
LogProbs = dict[int, tuple[float, ...]]


def held_out_figures(
    ours: LogProbs, reference: LogProbs, beta: float, sources: Mapping[int, str]
) -> dict[str, Any]:
    """The DPO figures of a set of rows.

    Args:
        ours: under the policy.
        reference: the same rows under the reference.
        beta: DPO's beta.
        sources: by row number, where its pairs come from.

    Returns:
        `loss`, mean over the rows of -ln sigmoid of the reward margin (Rafailov et al. 2023, eq. 7), or of
        `rectune.align.softmax_dpo` for a row with several rejected answers, whatever the loss trained with;
        over the pairs `accuracy`, the share whose chosen answer got the larger reward, ties half, `right`,
        the share whose chosen answer is the more likely one, `margin` of rewards in nats, `chosen_logps` and
        `rejected_logps` in nats an answer, and `pairs`; and where there are several sources, the same of each
        under `sources`.
    """
    found: dict[str, Any] = dict(_figures(ours, reference, beta))
    names = sorted({sources[number] for number in ours})
    if len(names) > 1:
        parts = {name: {n: sums for n, sums in ours.items() if sources[n] == name} for name in names}
        found["sources"] = {name: _figures(part, reference, beta) for name, part in parts.items()}
    return found


def _figures(ours: LogProbs, reference: LogProbs, beta: float) -> dict[str, float]:
    gains = {n: [a - b for a, b in zip(sums, reference[n], strict=True)] for n, sums in ours.items()}
    margins = [gain[0] - one for gain in gains.values() for one in gain[1:]]
    pairs = [(sums[0], one) for sums in ours.values() for one in sums[1:]]
    return {
        "loss": fmean(_loss(gain, beta) for gain in gains.values()),
        "accuracy": fmean((margin > 0) + (margin == 0) / 2 for margin in margins),
        "right": fmean((chosen > rejected) + (chosen == rejected) / 2 for chosen, rejected in pairs),
        "margin": beta * fmean(margins),
        "chosen_logps": fmean(sums[0] for sums in ours.values()),
        "rejected_logps": fmean(one for sums in ours.values() for one in sums[1:]),
        "pairs": len(pairs),
    }


def _loss(gains: Sequence[float], beta: float) -> float:
    """ln(1 + sum_j exp(beta * (gain_j - gain_0))), nats."""
    gaps = [0.0, *(beta * (one - gains[0]) for one in gains[1:])]
    most = max(gaps)
    return most + math.log(sum(math.exp(gap - most) for gap in gaps))
