"""NCF: a product of vectors beside a network of both; a user is the bag of their items."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from rectune.rankers.sequential.item_table import ItemTable
from rectune.rankers.sequential.network import Objective, SequenceNetwork
from rectune.rankers.sequential.ranker import SequentialRanker
from rectune.rankers.sequential.sequences import PADDING

_CHUNK = 1 << 22  # numbers of one layer that are held at a time


class NeuMfNetwork(SequenceNetwork):
    """The sum of a weighted product of vectors (GMF) and of a network of three layers (MLP).

    The state of a user is the sum of the vectors of their items over the root of their number, in whatever
    order. Either part has maps of its own from it and from the item's vector.

    Args:
        table: the vectors of the items.
        dropout: share of what is set to 0 while training.
    """

    objective: ClassVar[Objective] = "pairs"

    def __init__(self, table: ItemTable, dropout: float) -> None:
        super().__init__(table)
        dim = table.dim
        self.user_factors, self.item_factors = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.product = nn.Linear(dim, 1)
        self.user_part, self.item_part = nn.Linear(dim, dim), nn.Linear(dim, dim, bias=False)
        self.tower = nn.Sequential(
            nn.ReLU(), nn.Linear(dim, dim // 2), nn.ReLU(), nn.Linear(dim // 2, 1, bias=False)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, items: Tensor) -> Tensor:
        """See `SequenceNetwork.forward`."""
        count = (items != PADDING).cumsum(1).clamp(min=1).unsqueeze(-1)
        states: Tensor = self.dropout(self._scaled(self.embed(items)).cumsum(1) / count.sqrt())
        return states

    def scores(self, states: Tensor) -> Tensor:
        """[m, d] states -> [m, items] the scores of all items, of some at a time."""
        vectors = self._scaled(self.item_vectors())
        factors, parts, users = self.item_factors(vectors), self.item_part(vectors), self.user_part(states)
        weighted = self.user_factors(states) * self.product.weight
        step = max(1, _CHUNK // (len(states) * self.table.dim))
        towers = [
            self.tower(users[:, None] + parts[None, start : start + step]).squeeze(-1)
            for start in range(0, len(parts), step)
        ]
        return functional.linear(weighted, factors) + self.product.bias + torch.cat(towers, 1)

    def pair_scores(self, states: Tensor, rows: Tensor) -> Tensor:
        """See `SequenceNetwork.pair_scores`."""
        vectors = self._scaled(self.table(rows))
        products = self.user_factors(states)[:, None] * self.item_factors(vectors)
        parts = self.user_part(states)[:, None] + self.item_part(vectors)
        found: Tensor = (self.product(products) + self.tower(parts)).squeeze(-1)
        return found

    def _scaled(self, vectors: Tensor) -> Tensor:
        """As long as the vectors of a network usually are: those of the table begin very short."""
        return vectors * math.sqrt(self.table.dim)


class Ncf(SequentialRanker):
    """Neural collaborative filtering (He et al. 2017, "Neural Collaborative Filtering"): NeuMF.

    Trained by binary cross-entropy of each like with four drawn items. Other than in the paper a user is no
    vector of their own but the bag of the last `max_length` items that they liked, so new users are scored
    without training; what is told is a like that comes after those of the bag; both parts are trained
    together from the beginning and share the vectors of the items. The order of a history does not count.

    Args:
        dim: length of the vectors, and width of the first layer; even.
        dropout: share of a user's state that is set to 0 while training.
        max_length, learning_rate, weight_decay, positions, epochs, patience: see `TrainingOptions`.
        seed: of all that is drawn; by default the data's.
    """

    name = "ncf"

    def __init__(
        self,
        dim: int = 64,
        dropout: float = 0.2,
        max_length: int = 200,
        learning_rate: float = 3e-3,
        weight_decay: float = 0.01,
        positions: int = 1024,
        epochs: int = 200,
        patience: int = 3,
        seed: int | None = None,
    ) -> None:
        super().__init__(
            {
                "dim": dim, "dropout": dropout, "max_length": max_length, "learning_rate": learning_rate,
                "weight_decay": weight_decay, "positions": positions, "epochs": epochs, "patience": patience,
                "seed": seed,
            }
        )  # fmt: skip

    def network(self, table: ItemTable) -> SequenceNetwork:
        """See `SequentialRanker.network`."""
        return NeuMfNetwork(table, self.parameters["dropout"])
