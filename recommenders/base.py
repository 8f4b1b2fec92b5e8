"""The one face of everything that ranks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]


class Ranker(Protocol):
    """Scores candidates for users of one domain by what they took before."""

    @property
    def name(self) -> str:
        """How reports call it."""
        ...

    def rank(self, histories: Sequence[Sequence[str]], candidates: Sequence[Sequence[str]]) -> list[Scores]:
        """Score each case's candidates.

        Args:
            histories: n lists of item ids, each oldest first; a list may be empty.
            candidates: n lists of item ids, each of its own length.

        Returns:
            n arrays; the i-th is [len(candidates[i])] float64, higher is better, in the order of the
            candidates.
        """
        ...
