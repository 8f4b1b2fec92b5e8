"""What a language model is trained for by the tokens of its answers, in one process or several."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from rectune.models.distributed import own_part, sum_of_all
from rectune.rankers.allmrec.train_cases import TrainCase


class AnswerLoss(ABC):
    """An `Objective` that is a sum over cases, of minus the log-probabilities of tokens."""

    @property
    @abstractmethod
    def device(self) -> torch.device:
        """Where the model is."""

    @abstractmethod
    def own_loss(self, cases: Sequence[TrainCase], salt: str) -> tuple[Tensor, int]:
        """The sum of some cases' losses, at least one's, and how many there are in it; in nats."""

    def loss(self, cases: Sequence[TrainCase], salt: str) -> tuple[Tensor, int]:
        """See `Objective.loss`; in nats. A process takes every n-th case."""
        own = own_part(cases)
        total, count = self.own_loss(own, salt) if own else (torch.zeros((), device=self.device), 0)
        counts = sum_of_all(torch.tensor(float(count), device=total.device))
        return sum_of_all(total), int(counts)

    @property
    def least(self) -> float:
        """See `Objective.least`."""
        return 0.0
