"""BERT4Rec: a transformer that sees both ways and tells masked items."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from rectune.rankers.sequential.item_table import ItemTable
from rectune.rankers.sequential.network import Objective, SequenceNetwork, TransformerNetwork
from rectune.rankers.sequential.sasrec import SasRec
from rectune.rankers.sequential.sequences import MASK


class MaskedNetwork(TransformerNetwork):
    """A transformer that sees both ways; see `TransformerNetwork`."""

    objective: ClassVar[Objective] = "masked"

    def __init__(self, table: ItemTable, max_length: int, layers: int, heads: int, dropout: float) -> None:
        super().__init__(table, max_length, layers, heads, dropout, causal=False)
        self.mask = nn.Parameter(torch.randn(table.dim) * 0.02)
        self.max_length = max_length

    def embed(self, items: Tensor) -> Tensor:
        """[b, n] items -> [b, n, d] their vectors; masked ones share one."""
        return super().embed(items) + (items == MASK).unsqueeze(-1) * self.mask

    def user_states(self, items: Tensor) -> Tensor:
        """The states of a masked item after the last one; see `SequenceNetwork.user_states`."""
        latest = items[:, max(0, items.shape[1] - self.max_length + 1) :]
        return super().user_states(torch.cat([latest, torch.full_like(items[:, :1], MASK)], 1))


class Bert4Rec(SasRec):
    """BERT4Rec (Sun et al. 2019, "BERT4Rec: Sequential Recommendation with Bidirectional Encoder
    Representations from Transformer").

    A fifth of the items of a history is masked and told by what is around them. The next item is asked for by
    a masked one at the end; a quarter of the histories, cut anywhere, is trained in the same way. Loss and
    windows are those of `SasRec`, and so are the arguments.
    """

    name = "bert4rec"

    def network(self, table: ItemTable) -> SequenceNetwork:
        """See `SequentialRanker.network`."""
        given = self.parameters
        return MaskedNetwork(table, given["max_length"], given["layers"], given["heads"], given["dropout"])
