"""SASRec: a causal transformer over the items of a history."""

from __future__ import annotations

from typing import Literal

from rectune.core.errors import UserError
from rectune.rankers.sequential.item_table import ItemTable
from rectune.rankers.sequential.network import SequenceNetwork, TransformerNetwork
from rectune.rankers.sequential.ranker import SequentialRanker
from rectune.rankers.sequential.training import LossName


class SasRec(SequentialRanker):
    """Self-attentive sequential recommendation (Kang and McAuley 2018, "Self-Attentive Sequential
    Recommendation").

    The state after each item of a history tells the next one. Trained, other than in the paper, by
    cross-entropy over all items (over drawn ones above 10,000), which does far better than the paper's binary
    cross-entropy with one drawn item (Klenitskiy and Vasilev 2023, "Turning Dross Into Gold Loss"); long
    histories are cut into windows and used whole, positions count from the first item that is seen, and
    blocks are normalised before each part.

    Args:
        dim: length of the vectors, a multiple of `heads`.
        layers, heads: blocks, and attention heads in each.
        dropout: share of what is set to 0 while training.
        max_length, learning_rate, weight_decay, positions, epochs, patience: see `TrainingOptions`.
        loss: `ce`, or for comparison `bce`.
        seed: of all that is drawn; by default the data's.
    """

    name = "sasrec"

    def __init__(
        self,
        dim: int = 64,
        layers: int = 2,
        heads: int = 2,
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
                "dim": dim, "layers": layers, "heads": heads, "dropout": dropout, "max_length": max_length,
                "loss": loss, "learning_rate": learning_rate, "weight_decay": weight_decay,
                "positions": positions, "epochs": epochs, "patience": patience, "seed": seed,
            }
        )  # fmt: skip
        if dim % heads:
            raise UserError(f"dim is {dim} and heads {heads}", hint="let dim be a multiple of heads")

    def network(self, table: ItemTable) -> SequenceNetwork:
        """See `SequentialRanker.network`."""
        given = self.parameters
        return TransformerNetwork(
            table, given["max_length"], given["layers"], given["heads"], given["dropout"], causal=True
        )


class SasRecText(SasRec):
    """SASRec whose items are a vector of their id plus a network of two layers on the vector of their text.

    The id is left out for three in ten occurrences while training, so that the text learns to stand alone:
    items that nobody liked, and catalogues of which no item was, are scored by their texts.

    Args:
        items: `id+text`, or `text` alone.
        others: see `SasRec`.
    """

    name = "sasrec_text"
    learns_from_texts = True

    def __init__(self, items: Literal["id+text", "text"] = "id+text", **others: object) -> None:
        super().__init__(**others)  # type: ignore[arg-type]
        self.parameters["items"] = self.items_by = items
