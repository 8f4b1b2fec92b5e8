"""Rules on duplicates: of equal, or nearly equal, responses the first by its example's id is kept.

They read batch by batch and judge at the end, with 16 bytes (equal) and 0.5 kB (nearly equal) per row.
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
    """Figures and verdicts of all n rows; `first` [n] is the place of the kept row, or the row's own."""

    figures: Column
    first: Ints

    @property
    def drops(self) -> Mask:
        """Whether each row is dropped."""
        import numpy as np

        copied: Mask = self.first != np.arange(len(self.first))
        return copied


class DuplicateRule(BaseRule):
    """A rule over the whole set."""

    @abstractmethod
    def add(self, batch: ResponseBatch) -> None:
        """Add the next rows."""

    @abstractmethod
    def settle(self, ids: Sequence[str]) -> DuplicateRules:
        """Judge all rows added; `ids` are theirs."""


class ExactDuplicate(DuplicateRule):
    """The number of rows with the same response, ignoring spaces; empty ones are no copies."""

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
    """The similarity of a response to the kept one; see `rectune.filters.minhash`."""

    name, reason, counts = "near_duplicate", "near duplicate", "similarity to the kept response"

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
