"""Prompts of ids and vectors as input embeddings of the language model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rectune.rankers.allmrec.language_model import FrozenLanguageModel
from rectune.rankers.allmrec.projections import Projections
from rectune.rankers.allmrec.prompt import ITEM, OUT, USER, SoftPrompt

Vectors = NDArray[np.float32]


class ItemSpace(Protocol):
    """What is needed of stage 1; `rectune.rankers.allmrec.items.JointItems` implements it, as do those of
    `rectune.rankers.allmrec.spaces`.
    """

    @property
    def item_ids(self) -> Sequence[str]:
        """The items of the catalogue."""
        ...

    def vectors(self, item_ids: Sequence[str], by: Literal["joint", "text"] = "joint") -> Any:
        """[len(item_ids), d] the joint vectors of items; cold ones by their text."""
        ...

    def user_states(self, histories: Sequence[Sequence[str]]) -> Any:
        """[len(histories), d] the recommender's states of users."""
        ...


class Padded(NamedTuple):
    """Rows of input embeddings with padding on their left.

    Attributes:
        inputs: [rows, n, width].
        mask: [rows, n] 1 where there is something.
        positions: [rows, n] of each token in its row, from 0.
    """

    inputs: Tensor
    mask: Tensor
    positions: Tensor


class SoftInputs:
    """Puts ids and projected vectors into one sequence; gradients reach the projections through it.

    Args:
        model: whose input embeddings ids have.
        space: the vectors of items and users, which are fixed.
        projections: of these vectors.
        out: [width] what stands at `OUT`; None where no prompt has one.
    """

    def __init__(
        self,
        model: FrozenLanguageModel,
        space: ItemSpace,
        projections: Projections,
        out: nn.Parameter | None = None,
    ) -> None:
        self.model, self.space, self.projections, self.out = model, space, projections, out
        self.place = {item: at for at, item in enumerate(space.item_ids)}
        self.table = _tensor(space.vectors(list(space.item_ids))).to(model.device)

    def states(self, histories: Sequence[Sequence[str]]) -> Tensor:
        """[histories, d] the recommender's states of users."""
        return _tensor(self.space.user_states(histories)).to(self.model.device)

    def __call__(self, prompts: Sequence[SoftPrompt]) -> list[Tensor]:
        """[n, width] of each prompt."""
        ids = torch.tensor([token for prompt in prompts for token in prompt.ids], device=self.model.device)
        found = self.model.embed(ids.clamp(min=0))
        items = [self.place[item] for prompt in prompts for item in prompt.items]
        if items:
            rows, back = torch.unique(torch.tensor(items, device=ids.device), return_inverse=True)
            vectors = self.projections.item(self.table[rows])[back]
            found = found.index_put((ids == ITEM,), vectors.to(found.dtype))
        if told := [history for prompt in prompts for history in prompt.histories]:
            vectors = self.projections.user(self.states(told))
            found = found.index_put((ids == USER,), vectors.to(found.dtype))
        if self.out is not None:
            found = torch.where((ids == OUT)[:, None], self.out.to(found.dtype), found)
        return list(torch.split(found, [len(prompt.ids) for prompt in prompts]))


def padded(rows: Sequence[Tensor]) -> Padded:
    """Rows of different lengths, [n, width] each, as one batch."""
    longest = max(len(row) for row in rows)
    inputs = torch.stack([nn.functional.pad(row, (0, 0, longest - len(row), 0)) for row in rows])
    lengths = torch.tensor([len(row) for row in rows], device=inputs.device)
    positions = torch.arange(longest, device=inputs.device) - (longest - lengths)[:, None]
    return Padded(inputs, (positions >= 0).long(), positions.clamp(min=0))


def _tensor(values: Any) -> Tensor:
    return torch.as_tensor(values, dtype=torch.float32)
