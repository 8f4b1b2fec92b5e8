"""The trained part of stage 2: from vectors of the recommender to input embeddings of the language model."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rectune.core.rng import seed_of

_SMALL = 1e-6


class Projection(nn.Module):
    """Two linear layers, with LayerNorm and GELU between them, on standardised vectors.

    What comes out has the length of an input embedding of the language model, which reads nothing in vectors
    of another size.

    Args:
        inputs: length of the given vectors.
        width: length of an input embedding, and of the layer between.
        norm: the mean norm of input embeddings.
    """

    mean: Tensor
    deviation: Tensor
    norm: Tensor

    def __init__(self, inputs: int, width: int, norm: float) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(inputs))
        self.register_buffer("deviation", torch.ones(inputs))
        self.register_buffer("norm", torch.tensor(norm))
        self.layers = nn.Sequential(
            nn.Linear(inputs, width), nn.LayerNorm(width), nn.GELU(), nn.Linear(width, width)
        )

    def forward(self, vectors: Tensor) -> Tensor:
        """[n, inputs] -> [n, width]."""
        found: Tensor = self.layers((vectors - self.mean) / self.deviation)
        length = torch.linalg.vector_norm(found, dim=-1, keepdim=True).clamp(min=_SMALL)
        scaled: Tensor = found * (self.norm / length)
        return scaled

    @torch.no_grad()
    def standardise_on(self, vectors: Tensor) -> None:
        """Take mean and deviation of each feature from [n, inputs] vectors; n of at least 2."""
        self.mean.copy_(vectors.mean(0))
        deviation = vectors.std(0, correction=0)
        self.deviation.copy_(torch.where(deviation > _SMALL, deviation, torch.ones_like(deviation)))


class Projections(nn.Module):
    """`user`: user states of the recommender; `item`: joint vectors of items.

    Args:
        user_dim, item_dim: lengths of what is given.
        width, norm: see `Projection`.
        seed: of the first weights.
    """

    def __init__(self, user_dim: int, item_dim: int, width: int, norm: float, seed: int = 0) -> None:
        super().__init__()
        with torch.random.fork_rng([]):
            torch.manual_seed(seed_of("projections", seed))
            self.user = Projection(user_dim, width, norm)
            self.item = Projection(item_dim, width, norm)
