"""Rules against repetition: of the prompt, or of the response itself. Titles are not counted."""

from __future__ import annotations

import typing
from collections.abc import Sequence

from rectune.filters.rules.base import ResponseBatch, Rule
from rectune.filters.title_masking import mask, runs, segments

if typing.TYPE_CHECKING:
    from rectune.filters.rules.base import Column, Mask


class PromptCopy(Rule):
    """The share of the response's word n-grams that are in the instruction.

    A response must name titles and may quote the query; both are taken out of it first.
    """

    name, reason, counts = "prompt_copy", "echoes the prompt", "share of runs of words"

    def figures(self, batch: ResponseBatch) -> Column:
        import numpy as np

        rows = zip(batch.masked, batch.queries, batch.instructions, strict=True)
        return np.array([self._share(*row) for row in rows], dtype=np.float64)

    def drops(self, figures: Column, batch: ResponseBatch) -> Mask:
        return figures >= self.config.rules.prompt_copy.share

    def _share(self, masked: str, query: str, instruction: str) -> float:
        length = self.config.rules.prompt_copy.words
        said = runs(segments(mask(masked, [query]) if query else masked), length)
        if not said:
            return 0.0
        asked = set(runs(segments(instruction), length))
        return sum(run in asked for run in said) / len(said)


class NgramRepetition(Rule):
    """The share of the response's word n-grams that came before in it."""

    name, reason, counts = "ngram_repetition", "repeats itself", "share of runs of words"

    def figures(self, batch: ResponseBatch) -> Column:
        import numpy as np

        return np.array([self.share(parts) for parts in batch.segments], dtype=np.float64)

    def drops(self, figures: Column, batch: ResponseBatch) -> Mask:
        return figures >= self.config.rules.ngram_repetition.share

    def share(self, parts: Sequence[list[str]]) -> float:
        """The share in a text, as the words of its parts; no n-gram crosses two of them."""
        said = runs(parts, self.config.rules.ngram_repetition.words)
        return 1.0 - len(set(said)) / len(said) if said else 0.0
