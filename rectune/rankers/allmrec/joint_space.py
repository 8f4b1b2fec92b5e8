"""The space that items of a recommender and texts share: two towers, their decoders, and the losses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from rectune.rankers.sequential.losses import binary_cross_entropy

JOINT_DIM = 128
_SMALL = 1e-6

LossName = Literal["recommendation", "matching", "item_reconstruction", "text_reconstruction"]


@dataclass(frozen=True)
class LossWeights:
    """How much each loss counts; one of weight 0 is not computed. The defaults are the paper's.

    Attributes:
        recommendation: the binary cross-entropy of what a user liked next and of a drawn item, each scored by
            the product of the user's state with the item's decoded vector.
        matching: the squared difference of the joint vectors of an item and of its text.
        item_reconstruction, text_reconstruction: the squared difference of a vector and of what is decoded
            from its joint vector, in units of the standardised vectors.
    """

    recommendation: float = 1.0
    matching: float = 1.0
    item_reconstruction: float = 0.5
    text_reconstruction: float = 0.2


@dataclass(frozen=True)
class JointBatch:
    """What the losses of one step are computed on.

    Attributes:
        states: [b, d_item] of users.
        positive, negative: [b, d_item] vectors of the item that each liked next, and of a drawn one.
        items, texts: [m, d_item] and [m, d_text] vectors of items and of their texts, which are to match and
            to be decoded.
    """

    states: Tensor
    positive: Tensor
    negative: Tensor
    items: Tensor
    texts: Tensor


class JointSpace(nn.Module):
    """Item tower and text tower into one space of `dim` numbers, and a decoder back from it for each.

    Both kinds of vectors are standardised first (`standardise`), so that no loss depends on the units that a
    recommender or an embedder happens to have.

    Args:
        d_item: length of the recommender's item vectors, and of its user states.
        d_text: length of the vectors of texts.
        dim: of the joint space; also the width of each tower's hidden layer.
    """

    def __init__(self, d_item: int, d_text: int, dim: int = JOINT_DIM) -> None:
        super().__init__()
        self.dim = dim
        self.item_tower, self.text_tower = _tower(d_item, dim), _tower(d_text, dim)
        self.item_decoder, self.text_decoder = nn.Linear(dim, d_item), nn.Linear(dim, d_text)
        for name, width in (("item", d_item), ("text", d_text)):
            self.register_buffer(f"{name}_mean", torch.zeros(width))
            self.register_buffer(f"{name}_deviation", torch.ones(width))

    @torch.no_grad()
    def standardise(self, items: Tensor, texts: Tensor) -> None:
        """Take the units of both kinds from these, [n, d_item] and [m, d_text]; at least one of each."""
        for name, rows in (("item", items), ("text", texts)):
            deviation = rows.std(0, correction=0)
            self.get_buffer(f"{name}_mean").copy_(rows.mean(0))
            self.get_buffer(f"{name}_deviation").copy_(torch.where(deviation > _SMALL, deviation, 1.0))

    def of_items(self, item_vectors: Tensor) -> Tensor:
        """[n, d_item] vectors of the recommender -> [n, dim] joint vectors (the paper's e)."""
        return cast(Tensor, self.item_tower(self._plain("item", item_vectors)))

    def of_texts(self, text_vectors: Tensor) -> Tensor:
        """[n, d_text] vectors of texts -> [n, dim] joint vectors (the paper's q)."""
        return cast(Tensor, self.text_tower(self._plain("text", text_vectors)))

    def decoded(self, joint: Tensor) -> Tensor:
        """[n, dim] joint vectors -> [n, d_item] vectors of items, in the recommender's units."""
        found = self.item_decoder(joint) * self.get_buffer("item_deviation")
        return cast(Tensor, found + self.get_buffer("item_mean"))

    def losses(self, batch: JointBatch, weights: LossWeights) -> dict[LossName, Tensor]:
        """Each loss whose weight is not 0, before it is weighed; 0 where the batch has nothing for it."""
        found: dict[LossName, Tensor] = {}
        if weights.recommendation:
            found["recommendation"] = self._recommendation(batch)
        joint, read = self.of_items(batch.items), self.of_texts(batch.texts)
        if weights.matching:
            found["matching"] = _mse(joint, read)
        if weights.item_reconstruction:
            plain = self._plain("item", batch.items)
            found["item_reconstruction"] = _mse(self.item_decoder(joint), plain)
        if weights.text_reconstruction:
            plain = self._plain("text", batch.texts)
            found["text_reconstruction"] = _mse(self.text_decoder(read), plain)
        return found

    def _recommendation(self, batch: JointBatch) -> Tensor:
        liked, drawn = (self.decoded(self.of_items(items)) for items in (batch.positive, batch.negative))
        right, wrong = (batch.states * liked).sum(1), (batch.states * drawn).sum(1, keepdim=True)
        return binary_cross_entropy(right, wrong)

    def _plain(self, name: str, rows: Tensor) -> Tensor:
        return (rows - self.get_buffer(f"{name}_mean")) / self.get_buffer(f"{name}_deviation")


def weighed(losses: Mapping[LossName, Tensor], weights: LossWeights) -> Tensor:
    """The sum of the losses, each times its weight; at least one."""
    return torch.stack([getattr(weights, name) * loss for name, loss in losses.items()]).sum()


def _tower(width: int, dim: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, dim), nn.GELU(), nn.Linear(dim, dim))


def _mse(found: Tensor, wanted: Tensor) -> Tensor:
    """The mean of the squared differences; 0 for no rows."""
    return functional.mse_loss(found, wanted) if len(found) else found.sum()
