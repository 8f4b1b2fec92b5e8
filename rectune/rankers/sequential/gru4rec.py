"""GRU4Rec: a recurrent network over the items of a history."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rectune.rankers.sequential.item_table import ItemTable
from rectune.rankers.sequential.network import SequenceNetwork
from rectune.rankers.sequential.ranker import SequentialRanker
from rectune.rankers.sequential.sequences import PADDING
from rectune.rankers.sequential.training import LossName


class RecurrentNetwork(SequenceNetwork):
    """Gated recurrent units (Cho et al. 2014) over the items, and a linear map of their states.

    Args:
        table: the vectors of the items.
        layers: of recurrent units, one above the other.
        dropout: share of what comes in, and of what goes out, that is set to 0 while training.
    """

    def __init__(self, table: ItemTable, layers: int, dropout: float) -> None:
        super().__init__(table)
        self.units = nn.GRU(table.dim, table.dim, layers, batch_first=True)
        self.dropout, self.output = nn.Dropout(dropout), nn.Linear(table.dim, table.dim)

    def forward(self, items: Tensor) -> Tensor:
        """See `SequenceNetwork.forward`."""
        length = items.shape[1]
        padding = (items == PADDING).sum(1, keepdim=True)
        # The units would not let padding before an item pass unchanged, so it is moved behind the items.
        places = torch.arange(length, device=items.device)
        begun = torch.take_along_dim(items, (places + padding) % length, 1)
        found, _ = self.units(self.dropout(self.embed(begun) * self.table.dim**0.5))
        states = torch.take_along_dim(found, ((places - padding) % length).unsqueeze(-1), 1)
        mapped: Tensor = self.output(self.dropout(states))
        return mapped


class Gru4Rec(SequentialRanker):
    """GRU4Rec (Hidasi et al. 2016, "Session-based Recommendations with Recurrent Neural Networks").

    Trained, other than in the paper, by cross-entropy over all items (over drawn ones above 10,000), as in
    the authors' later work (Hidasi and Karatzoglou 2018, "Recurrent Neural Networks with Top-k Gains for
    Session-based Recommendations", which draws them), on windows of whole histories in place of sessions that
    are kept in step. The items that come in and those that are scored share their vectors.

    Args:
        dim: length of the vectors and of the states.
        layers: of recurrent units.
        dropout: share of what is set to 0 while training.
        max_length, learning_rate, weight_decay, positions, epochs, patience: see `TrainingOptions`.
        loss: `ce`, or for comparison `bce`.
        seed: of all that is drawn; by default the data's.
    """

    name = "gru4rec"

    def __init__(
        self,
        dim: int = 64,
        layers: int = 1,
        dropout: float = 0.2,
        max_length: int = 50,
        loss: LossName = "ce",
        learning_rate: float = 3e-3,
        weight_decay: float = 0.01,
        positions: int = 1024,
        epochs: int = 200,
        patience: int = 3,
        seed: int | None = None,
    ) -> None:
        super().__init__(
            {
                "dim": dim, "layers": layers, "dropout": dropout, "max_length": max_length, "loss": loss,
                "learning_rate": learning_rate, "weight_decay": weight_decay, "positions": positions,
                "epochs": epochs, "patience": patience, "seed": seed,
            }
        )  # fmt: skip

    def network(self, table: ItemTable) -> SequenceNetwork:
        """See `SequentialRanker.network`."""
        return RecurrentNetwork(table, self.parameters["layers"], self.parameters["dropout"])
