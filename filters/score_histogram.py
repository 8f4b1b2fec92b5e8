"""A streaming histogram of scores, whose memory does not grow with the number of texts."""

from __future__ import annotations

import math
import typing
from collections.abc import Mapping
from dataclasses import dataclass

if typing.TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Column = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]

_FINE = 5000  # bins that a factor of e is cut into: a score is known to one in ten thousand
_REACH = 20  # factors of e either side of the threshold
_LENGTHS = 64  # length buckets: one a power of two


@dataclass(frozen=True)
class LengthBin:
    """Texts of `shortest` to `longest` tokens, and the number dropped."""

    shortest: int
    longest: int
    texts: int
    dropped: int


class ScoreHistogram:
    """Counts of scores in fine bins, one edge of which is the threshold, and of texts by length."""

    def __init__(self, threshold: float) -> None:
        import numpy as np

        self.threshold = threshold
        self.texts = self.empty = self.dropped = 0
        self._least, self._most = math.inf, 0.0
        self._bins = np.zeros(2 * _REACH * _FINE, dtype=np.int64)
        self._by_length = np.zeros((2, _LENGTHS), dtype=np.int64)

    def add(self, columns: Mapping[str, npt.NDArray[typing.Any]]) -> None:
        """Add the result of `score_column` for a batch."""
        import numpy as np

        some = columns["tokens"] > 0
        scores, lengths = columns["score"][some], columns["tokens"][some]
        self.texts += len(some)
        self.empty += len(some) - len(scores)
        if not len(scores):
            return
        drops = scores >= self.threshold
        self.dropped += int(drops.sum())
        self._least, self._most = min(self._least, float(scores.min())), max(self._most, float(scores.max()))
        with np.errstate(divide="ignore"):  # the score of one token is 0
            places = np.log(scores / self.threshold) * _FINE + _REACH * _FINE
        np.add.at(self._bins, np.clip(places, 0, len(self._bins) - 1).astype(np.int64), 1)
        powers = np.frexp(lengths)[1] - 1  # of two, exactly
        np.add.at(self._by_length, (drops.astype(np.int64), powers), 1)

    def scores(self) -> tuple[Column, Ints]:
        """The scores that occur, ascending and to one in ten thousand, and how many texts have each."""
        import numpy as np

        places = np.flatnonzero(self._bins)
        middles = self.threshold * np.exp((places + 0.5) / _FINE - _REACH)
        if not len(places):
            return middles, self._bins[places]
        return np.clip(np.where(places == 0, 0.0, middles), self._least, self._most), self._bins[places]

    def quantile(self, share: float) -> float:
        """The smallest score that at least this share of scored texts do not exceed; NaN without texts."""
        import numpy as np

        values, counts = self.scores()
        if not len(values):
            return math.nan
        if share >= 1:
            return self._most
        until = np.cumsum(counts)
        return float(values[np.searchsorted(until, share * until[-1], side="left")])

    def by_length(self) -> list[LengthBin]:
        """Scored texts by number of tokens, a bin per power of two; empty bins at both ends are left out."""
        import numpy as np

        texts = self._by_length.sum(axis=0)
        used = np.flatnonzero(texts).tolist()
        powers = range(used[0], used[-1] + 1) if used else range(0)
        return [LengthBin(1 << p, (2 << p) - 1, int(texts[p]), int(self._by_length[1, p])) for p in powers]
