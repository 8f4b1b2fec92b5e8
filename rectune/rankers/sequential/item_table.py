"""The vectors of items that all networks share: of the item's id, of its text, or both."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

_HIDDEN = 128
_DROPPED = 0.3  # of the occurrences of items with an id and a text, while training
_SMALL = 1e-6
_ID_SCALE = 0.02  # of the vectors of ids in the beginning
_TEXT_SCALE = 0.1  # times what comes out of the network of a text: in the beginning numbers of about 0.2


class ItemTable(nn.Module):
    """A vector for each item: that of its id, that of its text, or the sum of both.

    The vector of a text is a network of two layers on its fixed embedding, whose features are standardised
    over the items with an id. Where items have both, the id is left out of three in ten occurrences while
    training: so the text learns to stand alone, and items whose id was never trained can be scored. What
    comes out of the text is scaled down there, so that both begin at the same scale: the text would otherwise
    begin ten times as long, and hide for many epochs what only the ids tell. The first `ids` rows are the
    items with an id; a table has more rows only if it has texts.

    Args:
        dim: length of the vectors.
        ids: items with a vector of their id; 0 for none.
        text: [rows, t] embeddings of the texts; None where only ids count.
    """

    text: Tensor
    mean: Tensor
    deviation: Tensor
    scale: Tensor

    def __init__(self, dim: int, ids: int, text: Tensor | None = None) -> None:
        super().__init__()
        self.dim, self.rows = dim, ids if text is None else len(text)
        self.ids = nn.Parameter(torch.randn(ids, dim) * _ID_SCALE) if ids else None
        self.projection: nn.Sequential | None = None
        self._fixed: Tensor | None = None
        if text is not None:
            self.register_buffer("text", text, persistent=False)
            seen = text[:ids] if ids else text
            self.register_buffer("mean", seen.mean(0) if len(seen) else torch.zeros(text.shape[1]))
            self.register_buffer("deviation", _deviation(seen, text.shape[1]))
            self.register_buffer("scale", torch.tensor([_TEXT_SCALE if ids else 1.0]))
            self.projection = nn.Sequential(
                nn.Linear(text.shape[1], _HIDDEN), nn.GELU(), nn.Linear(_HIDDEN, dim)
            )

    def forward(self, rows: Tensor) -> Tensor:
        """[...] rows of items, from 0 -> [..., dim] their vectors."""
        if self._fixed is not None:
            return functional.embedding(rows, self._fixed)
        if self.projection is None:
            assert self.ids is not None  # a table has ids or texts
            return functional.embedding(rows, self.ids)
        found = self.of_text(functional.embedding(rows, self.text))
        if self.ids is None:
            return found
        own = functional.embedding(rows.clamp(max=len(self.ids) - 1), self.ids)
        keep = rows < len(self.ids)
        if self.training:
            keep = keep & (torch.rand(rows.shape, device=rows.device) >= _DROPPED)
        both: Tensor = found + own * keep.unsqueeze(-1)
        return both

    def vectors(self, count: int | None = None) -> Tensor:
        """[count, dim] the vectors of the first rows; of all without it."""
        count = self.rows if count is None else count
        if self._fixed is not None:
            return self._fixed[:count]
        if self.projection is None and self.ids is not None:
            return self.ids[:count]
        found: Tensor = self(torch.arange(count, device=next(self.parameters()).device))
        return found

    def of_text(self, text: Tensor) -> Tensor:
        """[..., t] embeddings of texts -> [..., dim] the vectors of items of which nothing else is known."""
        assert self.projection is not None
        found: Tensor = self.projection((text - self.mean) / self.deviation) * self.scale
        return found

    @torch.no_grad()
    def fix(self, vectors: Tensor | None = None) -> None:
        """Take these vectors, [rows, dim], as they are, by default the present ones; nothing is computed any
        more, and the embeddings of texts are forgotten.
        """
        self._fixed = self.vectors().clone() if vectors is None else vectors
        self.rows = len(self._fixed)
        if self.projection is not None:
            self.text = self.text[:0]


def _deviation(seen: Tensor, width: int) -> Tensor:
    if len(seen) < 2:
        return torch.ones(width)
    found = seen.std(0, correction=0)
    return torch.where(found > _SMALL, found, torch.ones_like(found))
