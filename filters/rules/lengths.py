"""Rules on token counts: empty, repetitive by the response score, too short, too long."""

from __future__ import annotations

import typing

from rectune.filters.rules.base import ResponseBatch, Rule

if typing.TYPE_CHECKING:
    from rectune.filters.rules.base import Column, Mask


class EmptyResponse(Rule):
    """A response without a word, which has no score."""

    name, reason, counts = "empty", "empty", "characters"

    def figures(self, batch: ResponseBatch) -> Column:
        import numpy as np

        characters = np.array([len(text.strip()) for text in batch.responses], dtype=np.float64)
        return np.where(batch.tokens == 0, 0.0, characters)

    def drops(self, figures: Column, batch: ResponseBatch) -> Mask:
        none: Mask = figures == 0
        return none


class ResponseScore(Rule):
    """ln(L)*L/C at or above the threshold; see `rectune.filters.score`."""

    name, reason, counts = "score", "repetitive", "ln(L)*L/C"

    def figures(self, batch: ResponseBatch) -> Column:
        return batch.score

    def drops(self, figures: Column, batch: ResponseBatch) -> Mask:
        reached: Mask = figures >= self.config.threshold
        return reached


class ResponseTooShort(Rule):
    """Fewer tokens than a reason takes; empty responses are left to `EmptyResponse`."""

    name, reason, counts = "too_short", "too short", "tokens"

    def figures(self, batch: ResponseBatch) -> Column:
        return batch.tokens.astype("float64")

    def drops(self, figures: Column, batch: ResponseBatch) -> Mask:
        return (figures > 0) & (figures < self.config.rules.too_short.tokens)


class ResponseTooLong(Rule):
    """More tokens than one paragraph has."""

    name, reason, counts = "too_long", "too long", "tokens"

    def figures(self, batch: ResponseBatch) -> Column:
        return batch.tokens.astype("float64")

    def drops(self, figures: Column, batch: ResponseBatch) -> Mask:
        return figures > self.config.rules.too_long.tokens
