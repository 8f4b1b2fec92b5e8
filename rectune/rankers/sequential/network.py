"""What every sequence network is to the trainer and to the ranker."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from rectune.rankers.sequential.item_table import ItemTable
from rectune.rankers.sequential.sequences import PADDING

Objective = Literal["next", "masked", "pairs"]


class SequenceNetwork(nn.Module, ABC):
    """Turns items into a state at every position, and states into scores of items.

    Items are given as row of the item table + 1. Shorter histories have `PADDING` on their left, which must
    change nothing: a history gets the same states alone and beside longer ones.

    Args:
        table: the vectors of the items.

    Attributes:
        objective: what a state is trained for. `next`: the item after its position. `masked`: the item at its
            position, where the trainer puts `MASK`. `pairs`: to tell the next item from drawn ones, pair by
            pair.
    """

    objective: ClassVar[Objective] = "next"

    def __init__(self, table: ItemTable) -> None:
        super().__init__()
        self.table = table

    @abstractmethod
    def forward(self, items: Tensor) -> Tensor:
        """[b, n] items -> [b, n, d] the state at each position; that of padding is anything finite."""

    def user_states(self, items: Tensor) -> Tensor:
        """[b, n] items, the last one never padding -> [b, d] the states by which the next item is told."""
        states: Tensor = self(items)
        return states[:, -1]

    def item_vectors(self, count: int | None = None) -> Tensor:
        """[count, d] the vectors of the first items of the table; of all without it."""
        return self.table.vectors(count)

    def scores(self, states: Tensor) -> Tensor:
        """[m, d] states -> [m, items] the scores of all items of the table."""
        return states @ self.item_vectors().T

    def pair_scores(self, states: Tensor, rows: Tensor) -> Tensor:
        """[m, d] states, [m, k] rows of the table -> [m, k] the scores of these items."""
        return torch.einsum("md,mkd->mk", states, self.table(rows))

    def embed(self, items: Tensor) -> Tensor:
        """[b, n] items -> [b, n, d] their vectors, 0 for what is padding or masked."""
        found: Tensor = self.table((items - 1).clamp(min=0)) * (items > 0).unsqueeze(-1)
        return found


def positions_of(items: Tensor) -> Tensor:
    """[b, n] the position of each item from the beginning of its history, from 0; padding has 0."""
    return ((items != PADDING).cumsum(1) - 1).clamp(min=0)


class TransformerNetwork(SequenceNetwork):
    """A transformer over the items of a history, normalised before each part (pre-LN).

    Positions count from the first item of the history that is given, so that padding does not shift them.

    Args:
        table: the vectors of the items.
        max_length: positions that there are.
        layers, heads: blocks, and attention heads in each.
        dropout: share of what is set to 0 while training.
        causal: whether a position sees only itself and what is before it.
    """

    def __init__(
        self, table: ItemTable, max_length: int, layers: int, heads: int, dropout: float, causal: bool
    ) -> None:
        super().__init__(table)
        self.positions = nn.Parameter(torch.randn(max_length, table.dim) * 0.02)
        self.blocks = nn.ModuleList(Block(table.dim, heads, dropout) for _ in range(layers))
        self.dropout, self.norm = nn.Dropout(dropout), nn.LayerNorm(table.dim)
        self.causal = causal

    def forward(self, items: Tensor) -> Tensor:
        """See `SequenceNetwork.forward`."""
        found = self.embed(items) * self.table.dim**0.5
        found = self.dropout(found + functional.embedding(positions_of(items), self.positions))
        seen = visible(items, self.causal)
        for block in self.blocks:
            found = block(found, seen)
        states: Tensor = self.norm(found)
        return states


class Block(nn.Module):
    """Self-attention and a network of two layers at each position, both added to what came in."""

    def __init__(self, dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.before, self.between = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.inputs, self.output = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.feed_forward = nn.Sequential(
            nn.Linear(dim, 4 * dim), nn.GELU(), nn.Dropout(dropout), nn.Linear(4 * dim, dim)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, found: Tensor, seen: Tensor) -> Tensor:
        """[b, n, d], and which positions see which, [b, 1, n, n] -> [b, n, d]."""
        size, length, dim = found.shape
        parts = self.inputs(self.before(found)).view(size, length, 3, self.heads, dim // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=seen)
        found = found + self.dropout(self.output(mixed.transpose(1, 2).reshape(size, length, dim)))
        added: Tensor = found + self.dropout(self.feed_forward(self.between(found)))
        return added


def visible(items: Tensor, causal: bool) -> Tensor:
    """[b, 1, n, n] whether a position sees another one: never padding, but every position itself."""
    length = items.shape[1]
    seen = (items != PADDING)[:, None, None, :].expand(-1, 1, length, -1)
    if causal:
        seen = seen & torch.ones(length, length, dtype=torch.bool, device=items.device).tril()
    return seen | torch.eye(length, dtype=torch.bool, device=items.device)
