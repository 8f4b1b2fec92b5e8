"""Rules that look at all responses together: of those that are the same, or nearly, the first by its
example's id stays.

They read a batch at a time and judge at the end, over 16 bytes (the same) and 0.5 kB (nearly the same) a row.
"""

from __future__ import annotations

import hashlib
import typing
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from rectune.core import settings
from rectune.filters.minhash import duplicate_clusters, signatures
from rectune.filters.rules.base import BaseRule, ResponseBatch

if typing.TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from rectune.filters.rules.base import Column, Ints, Mask


@dataclass(frozen=True)
class DuplicateRules:
    """Figures and verdicts of all n rows; `first` [n] is the place of the row that stays, a row's own where
    it stays.
    """

    figures: Column
    first: Ints

    @property
    def drops(self) -> Mask:
        """Whether a row goes."""
        import numpy as np

        copied: Mask = self.first != np.arange(len(self.first))
        return copied


class DuplicateRule(BaseRule):
    """A rule over the whole set."""

    @abstractmethod
    def add(self, batch: ResponseBatch) -> None:
        """Take in the next rows."""

    @abstractmethod
    def settle(self, ids: Sequence[str]) -> DuplicateRules:
        """Judge all rows taken in; `ids` are theirs."""


class ExactDuplicate(DuplicateRule):
    """How many rows have the same response, spaces not counted; an empty one is a copy of none."""

    name, reason, counts = "duplicate", "duplicate", "rows with this response"

    def __init__(self, config: settings.FilterConfig) -> None:
        super().__init__(config)
        self.digests = list[bytes]()

    def add(self, batch: ResponseBatch) -> None:
        texts = (" ".join(text.split()) for text in batch.responses)
        self.digests += [
            hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest() if text else b""
            for text in texts
        ]

    def settle(self, ids: Sequence[str]) -> DuplicateRules:
        import numpy as np

        order = sorted(range(len(ids)), key=ids.__getitem__)
        heads, sizes = dict[bytes, int](), dict[bytes, int]()
        for place in order:
            heads.setdefault(self.digests[place], place)
            sizes[self.digests[place]] = sizes.get(self.digests[place], 0) + 1
        first = [heads[digest] if digest else place for place, digest in enumerate(self.digests)]
        counts = [sizes[digest] if digest else 1 for digest in self.digests]
        return DuplicateRules(np.array(counts, dtype=np.float64), np.array(first, dtype=np.int64))


class NearDuplicate(DuplicateRule):
    """How like a response is to the one that stays for it; see `rectune.filters.minhash`."""

    name, reason, counts = "near_duplicate", "near duplicate", "likeness to the one that stays"

    def __init__(self, config: settings.FilterConfig) -> None:
        super().__init__(config)
        self.marks: list[npt.NDArray[np.uint32]] = []

    def add(self, batch: ResponseBatch) -> None:
        self.marks.append(signatures(batch.responses))

    def settle(self, ids: Sequence[str]) -> DuplicateRules:
        import numpy as np

        marks = np.concatenate([signatures([]), *self.marks])
        self.marks.clear()
        found = duplicate_clusters(marks, ids, self.config.rules.near_duplicate.similarity)
        return DuplicateRules(found.similarity, found.first)
