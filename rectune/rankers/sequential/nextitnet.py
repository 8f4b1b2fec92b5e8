"""NextItNet: dilated causal convolutions over the items of a history."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from rectune.rankers.sequential.gru4rec import Gru4Rec
from rectune.rankers.sequential.item_table import ItemTable
from rectune.rankers.sequential.network import SequenceNetwork
from rectune.rankers.sequential.sequences import PADDING

_KERNEL = 3  # items that one convolution sees
_DILATIONS = (1, 4)  # of the first convolution of a block, in turn; that of the second is twice as wide


class ConvolutionalNetwork(SequenceNetwork):
    """Residual blocks of two convolutions each, which see a position and what is before it.

    Two blocks see 31 items, four see 61.

    Args:
        table: the vectors of the items.
        layers: blocks.
        dropout: share of what is set to 0 while training.
    """

    def __init__(self, table: ItemTable, layers: int, dropout: float) -> None:
        super().__init__(table)
        self.blocks = nn.ModuleList(
            ResidualBlock(table.dim, _DILATIONS[at % len(_DILATIONS)]) for at in range(layers)
        )
        self.dropout, self.norm = nn.Dropout(dropout), nn.LayerNorm(table.dim)

    def forward(self, items: Tensor) -> Tensor:
        """See `SequenceNetwork.forward`."""
        there = (items != PADDING).unsqueeze(-1)
        found = self.dropout(self.embed(items) * self.table.dim**0.5)
        for block in self.blocks:
            found = block(found, there)
        states: Tensor = self.norm(self.dropout(found))
        return states


class ResidualBlock(nn.Module):
    """Two dilated causal convolutions, each normalised and cut off at 0, added to what came in."""

    def __init__(self, dim: int, dilation: int) -> None:
        super().__init__()
        self.dilations = (dilation, 2 * dilation)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(dim, dim, _KERNEL, dilation=wide) for wide in self.dilations
        )
        self.norms = nn.ModuleList(nn.LayerNorm(dim) for _ in range(2))

    def forward(self, found: Tensor, there: Tensor) -> Tensor:
        """[b, n, d], and which positions hold an item, [b, n, 1] -> [b, n, d]."""
        inner = found
        for wide, convolution, norm in zip(self.dilations, self.convolutions, self.norms, strict=True):
            # Padding is 0, as is what lies before the first position.
            moved = functional.pad((inner * there).transpose(1, 2), ((_KERNEL - 1) * wide, 0))
            inner = functional.relu(norm(convolution(moved).transpose(1, 2)))
        return found + inner


class NextItNet(Gru4Rec):
    """NextItNet (Yuan et al. 2019, "A Simple Convolutional Generative Network for Next Item Recommendation").

    Convolutions of three items, dilated 1, 2, 4, 8 and again; after each item the next one is told, by
    cross-entropy over all items (over drawn ones above 10,000). Other than in the paper, the items that are
    scored share their vectors with those that come in, and histories are cut into windows.

    The arguments are those of `Gru4Rec`, where `layers` counts the residual blocks; two by default.
    """

    name = "nextitnet"

    def __init__(self, layers: int = 2, **others: object) -> None:
        super().__init__(layers=layers, **others)  # type: ignore[arg-type]

    def network(self, table: ItemTable) -> SequenceNetwork:
        """See `SequentialRanker.network`."""
        return ConvolutionalNetwork(table, self.parameters["layers"], self.parameters["dropout"])
