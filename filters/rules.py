"""The rules that a response must pass: each has a name, a figure and, where it drops a row, a reason.

A new rule is a new line in `RULES` and a function here: it gets the whole batch measured and returns one figure a row, and
whether that figure drops the row.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from filters.score import score_column
from rectune import settings

if typing.TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Column = npt.NDArray[np.float64]
    Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Batch:
    """Responses and what was counted of them: `tokens`, `distinct` and `score` run alongside `responses`."""

    responses: Sequence[str]
    tokens: npt.NDArray[np.int64]
    distinct: npt.NDArray[np.int64]
    score: Column


def measure(responses: Sequence[str], ids: Sequence[Sequence[int]]) -> Batch:
    """Count a batch once for all rules; `ids` are the token ids of each response."""
    return Batch(responses, **score_column(ids))


def empty(batch: Batch, config: settings.Filter) -> tuple[Column, Mask]:
    """An answer without a word has no score; its figure is its number of characters."""
    import numpy as np

    characters = np.array([len(text.strip()) for text in batch.responses], dtype=np.float64)
    return characters, (characters == 0) | (batch.tokens == 0)


def repetitive(batch: Batch, config: settings.Filter) -> tuple[Column, Mask]:
    """ln(L)*L/C at or above the threshold; see `filters.score`."""
    import numpy as np

    return batch.score, np.nan_to_num(batch.score, nan=0.0) >= config.threshold


def too_short(batch: Batch, config: settings.Filter) -> tuple[Column, Mask]:
    """Fewer tokens than a reason takes."""
    return batch.tokens.astype("float64"), (batch.tokens > 0) & (batch.tokens < config.min_tokens)


def too_long(batch: Batch, config: settings.Filter) -> tuple[Column, Mask]:
    """More tokens than one paragraph has."""
    return batch.tokens.astype("float64"), batch.tokens > config.max_tokens


Rule = Callable[[Batch, settings.Filter], "tuple[Column, Mask]"]

RULES: dict[str, Rule] = {
    "empty": empty,
    "repetitive": repetitive,
    "too short": too_short,
    "too long": too_long,
}
