"""Losses of sequence networks: which item is right, among all items or among drawn ones."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

FULL = 10_000  # items up to which every one is scored at every position
_DRAWN = 4_096  # items that are drawn for a batch where there are more
_CHUNK = 1 << 20  # scores that are held at a time on a processor
_CHUNK_GPU = 1 << 28


def cross_entropy(states: Tensor, vectors: Tensor, targets: Tensor) -> Tensor:
    """The mean of -log softmax(states @ vectors.T) at the targets, without holding all scores at once.

    Args:
        states: [m, d].
        vectors: [items, d].
        targets: [m] rows of `vectors`.
    """
    found: Tensor = _FullCrossEntropy.apply(states, vectors, targets)  # type: ignore[no-untyped-call]
    return found


class _FullCrossEntropy(torch.autograd.Function):
    """Scores are made some rows at a time, and turned into both gradients while they are in the cache."""

    @staticmethod
    def forward(context: Any, states: Tensor, vectors: Tensor, targets: Tensor) -> Tensor:
        """See `cross_entropy`."""
        states, vectors = states.detach(), vectors.detach()
        to_states, to_vectors = torch.empty_like(states), torch.zeros_like(vectors)
        loss = states.new_zeros(())
        rows = max(16, (_CHUNK_GPU if states.is_cuda else _CHUNK) // len(vectors))
        for start in range(0, len(states), rows):
            some, right = states[start : start + rows], targets[start : start + rows, None]
            shares = torch.softmax(some @ vectors.T, 1)
            own = shares.gather(1, right)
            loss -= own.clamp(min=torch.finfo(own.dtype).tiny).log().sum()
            shares.scatter_(1, right, own - 1)
            to_states[start : start + rows] = shares @ vectors
            to_vectors.addmm_(shares.T, some)
        context.save_for_backward(to_states / len(states), to_vectors / len(states))
        return loss / len(states)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        """The gradients, which were made on the way."""
        to_states, to_vectors = context.saved_tensors
        return to_states * gradients[0], to_vectors * gradients[0], None


def drawing_shares(counts: Tensor) -> Tensor:
    """[items] the probability with which each is drawn: half by its likes, half alike."""
    return 0.5 * counts / counts.sum().clamp(min=1) + 0.5 / len(counts)


def drawn_items(shares: Tensor) -> Tensor:
    """[n] rows of items that are drawn with these probabilities."""
    return torch.multinomial(shares, _DRAWN, replacement=True)


def sampled_cross_entropy(
    states: Tensor, drawn_vectors: Tensor, drawn: Tensor, shares: Tensor, own: Tensor, targets: Tensor
) -> Tensor:
    """The same with the normaliser estimated from drawn items (Bengio and Senécal 2003, "Quick training of
    probabilistic neural nets by importance sampling").

    Each drawn item's exp(score) is divided by how often it is drawn on average (the logQ correction), and
    those that are the target count nothing, since the target is there anyhow: the sum has the expectation of
    the whole one.

    Args:
        states: [m, d].
        drawn_vectors: [n, d] of the drawn items.
        drawn: [n] their rows; the same may be drawn more than once.
        shares: [items] the probabilities with which they were drawn.
        own: [m, d] the vectors of the targets.
        targets: [m] their rows.
    """
    right = (states * own).sum(1, keepdim=True)
    others = states @ drawn_vectors.T - (shares[drawn] * len(drawn)).log()
    others = others.masked_fill(drawn == targets[:, None], -torch.inf)
    return (torch.logsumexp(torch.cat([right, others], 1), 1) - right[:, 0]).mean()


def binary_cross_entropy(right: Tensor, wrong: Tensor) -> Tensor:
    """The mean of -log sigmoid(right) - the mean of log sigmoid(-wrong); [m] and [m, k] scores."""
    return -functional.logsigmoid(right).mean() - functional.logsigmoid(-wrong).mean()
