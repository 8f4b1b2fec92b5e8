"""Rules on what a response recommends: the target, and no other item."""

from __future__ import annotations

import typing

from rectune.filters.rules.base import ResponseBatch, Rule
from rectune.prompts.answers import read_answer
from rectune.prompts.title_matching import SPOKEN

if typing.TYPE_CHECKING:
    from rectune.filters.rules.base import Column, Mask


class WrongTarget(Rule):
    """The certainty that the response ends on the target or ranks it first, 0 if it does not.

    The scale is that of `rectune.prompts.title_matching`. A title that is shortened, or that the words after
    it may continue, does not count.
    """

    name, reason, counts = "target", "target not named", "certainty that the target is recommended"

    def figures(self, batch: ResponseBatch) -> Column:
        import numpy as np

        rows = zip(batch.recommended, batch.titles, strict=True)
        return np.array([sure if title == titles[0] else 0.0 for (title, sure), titles in rows])

    def drops(self, figures: Column, batch: ResponseBatch) -> Mask:
        missing: Mask = figures < SPOKEN
        return missing


class OtherItem(Rule):
    """1 if the response ends on, or ranks first, another item of the catalogue, else 0."""

    name, reason, counts = "other_item", "another item named", "1 where another item is named"

    def figures(self, batch: ResponseBatch) -> Column:
        import numpy as np

        return np.array([float(self._another(batch, row)) for row in range(len(batch.ids))], dtype=np.float64)

    def drops(self, figures: Column, batch: ResponseBatch) -> Mask:
        return figures > 0

    @staticmethod
    def _another(batch: ResponseBatch, row: int) -> bool:
        named, sure = batch.recommended[row]
        if sure < SPOKEN and batch.responses[row].strip():
            index = batch.catalogue[batch.domains[row]]
            place = read_answer(batch.responses[row], index).recommended
            named = "" if place is None else index.titles[place]
        return named not in ("", batch.titles[row][0])
