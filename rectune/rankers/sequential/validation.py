"""How a network does on the held-out last items of histories, beside popularity."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rectune.core.stats.metrics import ndcg_at
from rectune.rankers.sequential.network import SequenceNetwork
from rectune.rankers.sequential.sequences import PADDING, HeldOut, padded

_AT_ONCE = 64  # histories that are scored together


class Validation:
    """Ranks held-out items among all that are trained, without those of the history; ties are lost.

    Args:
        held_out: the histories, and the last item of each.
        counts: [trained items] how often each was liked.
    """

    def __init__(self, held_out: HeldOut, counts: Tensor) -> None:
        self._held_out, self._counts, self._device = held_out, counts, counts.device

    def __len__(self) -> int:
        """The number of histories."""
        return len(self._held_out.targets)

    @torch.no_grad()
    def ndcg(self, network: SequenceNetwork) -> float:
        """NDCG@10 of a network."""
        network.eval()
        ranks = [
            self._ranks(network.scores(network.user_states(items))[:, : len(self._counts)], items, right)
            for items, right in self._batches()
        ]
        return float(ndcg_at(np.concatenate(ranks), 10).mean())

    def popularity(self) -> float:
        """That of the number of likes."""
        ranks = [
            self._ranks(self._counts.repeat(len(items), 1), items, right) for items, right in self._batches()
        ]
        return float(ndcg_at(np.concatenate(ranks), 10).mean())

    def _batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        for start in range(0, len(self), _AT_ONCE):
            items = padded(self._held_out.histories[start : start + _AT_ONCE])
            right = self._held_out.targets[start : start + _AT_ONCE]
            yield torch.from_numpy(items).to(self._device), torch.from_numpy(right).to(self._device)

    @staticmethod
    def _ranks(scores: Tensor, items: Tensor, right: Tensor) -> NDArray[np.int64]:
        shown = torch.cat([scores.new_zeros(len(scores), 1), scores], 1).float()
        shown.scatter_(1, items, -torch.inf)
        shown[:, PADDING] = -torch.inf
        return np.asarray((shown >= shown.gather(1, right[:, None])).sum(1).cpu().numpy(), np.int64)
