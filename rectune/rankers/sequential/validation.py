"""How a network does on the held-out last items of histories, beside popularity."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rectune.core.stats.metrics import ndcg_at
from rectune.rankers.sequential.network import SequenceNetwork
from rectune.rankers.sequential.sequences import PADDING, HeldOut, padded

_AT_ONCE = 64  # histories that are read together, and items that are told, at least
_SCORES = 1 << 23  # that are held at a time, where they are more than those


class HeldOutFigures(NamedTuple):
    """How well held-out items are told among all that are trained, without those that came before.

    Attributes:
        ndcg: the mean NDCG@10; ties are lost.
        loss: the mean cross-entropy, in nats.
    """

    ndcg: float
    loss: float

    @classmethod
    def of(cls, ranks: NDArray[np.int64], losses: NDArray[np.float64]) -> HeldOutFigures:
        """Of each item's rank and cross-entropy."""
        return cls(float(ndcg_at(ranks, 10).mean()), float(losses.mean()))


class Validation:
    """Tells held-out items among all that are trained.

    Args:
        held_out: the histories, and which of their items are told.
        counts: [trained items] how often each was liked.
    """

    def __init__(self, held_out: HeldOut, counts: Tensor) -> None:
        self._held_out, self._counts, self._device = held_out, counts, counts.device

    def __len__(self) -> int:
        """The number of held-out items."""
        return len(self._held_out.rows)

    def measure(self, network: SequenceNetwork) -> HeldOutFigures:
        """How a network does."""
        return HeldOutFigures.of(*self.each(network))

    @torch.no_grad()
    def each(self, network: SequenceNetwork) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """[held-out items] the rank of each, from 1, and its cross-entropy, in nats."""
        network.eval()
        count = len(self._counts)
        return self._each(
            lambda items, at: _states(network, items, at), lambda states: network.scores(states)[:, :count]
        )

    def popularity(self) -> HeldOutFigures:
        """How the number of likes does; its logarithm, for the loss."""
        likes = self._counts.clamp(min=1).float().log()
        return HeldOutFigures.of(*self._each(lambda _, at: at, lambda at: likes.repeat(len(at), 1)))

    def _each(
        self, states: Callable[[Tensor, Tensor], Tensor], scores: Callable[[Tensor], Tensor]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Of what gives states for [b, n] items and the [m, 2] row and column, and scores for some states."""
        ranks, losses, step = [], [], max(_AT_ONCE, _SCORES // len(self._counts))
        for items, at, right in self._batches():
            found = states(items, at)
            for start in range(0, len(at), step):
                some = slice(start, start + step)
                rank, loss = _told(scores(found[some]), items, at[some], right[some])
                ranks.append(rank.cpu().numpy())
                losses.append(loss.cpu().numpy())
        return np.concatenate(ranks), np.concatenate(losses).astype(np.float64)

    def _batches(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """[b, n] items, [m, 2] the row and column after which an item is told, and [m] which one is."""
        held = self._held_out
        for start in range(0, len(held.windows), _AT_ONCE):
            windows = held.windows[start : start + _AT_ONCE]
            items, own = padded(windows), (held.rows >= start) & (held.rows < start + _AT_ONCE)
            rows = held.rows[own] - start
            columns = held.columns[own] + (items.shape[1] - np.array([len(one) for one in windows]))[rows]
            arrays = items[:, :-1], np.stack([rows, columns - 1], 1), items[rows, columns]
            there, at, right = (torch.from_numpy(one).to(self._device) for one in arrays)
            if len(right):
                yield there, at, right


def _states(network: SequenceNetwork, items: Tensor, at: Tensor) -> Tensor:
    """[m, d] the states after these rows and columns."""
    if network.objective != "masked":
        states: Tensor = network(items)[at[:, 0], at[:, 1]]
        return states
    length = items.shape[1]
    places = torch.arange(length, device=items.device) + (at[:, 1:] - length + 1)
    before = items[at[:, :1], places.clamp(min=0)]
    return network.user_states(torch.where(places >= 0, before, PADDING))


def _told(scores: Tensor, items: Tensor, at: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
    """[m] the rank of each right item, and the loss, among those that do not come before it."""
    shown = torch.cat([scores.new_zeros(len(scores), 1), scores], 1).float()
    before = torch.arange(items.shape[1], device=items.device) <= at[:, 1:]
    shown.scatter_(1, torch.where(before, items[at[:, 0]], PADDING), -torch.inf)
    shown[:, PADDING] = -torch.inf
    own = shown.gather(1, right[:, None])
    return (shown >= own).sum(1), torch.logsumexp(shown, 1) - own[:, 0]
