"""Training of the joint space beside a frozen recommender (stage 1 of A-LLMRec)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from rectune.core.progress import progress
from rectune.core.rng import generator_of, seed_of
from rectune.rankers.allmrec.examples import Examples, NegativeSampler, Positions
from rectune.rankers.allmrec.joint_space import JointBatch, JointSpace, LossName, LossWeights, weighed
from rectune.rankers.sequential.sequences import Codes
from rectune.rankers.sequential.training import device

_HELD_OUT = 0.05  # of the users, and of the items
_MOST_HELD_OUT = 500  # of either
_FEWEST = 100  # users or items, below which none are held out
_PATIENCE = 2  # epochs without a lower held-out loss


@dataclass(frozen=True)
class JointOptions:
    """How the joint space is trained.

    Attributes:
        weights: of the losses.
        positions: whether users count with what they liked last, as in the paper, or with every like.
        learning_rate: of Adam.
        batch_size: examples of a step.
        epochs: at most.
        seed: of all that is drawn.
    """

    weights: LossWeights = field(default_factory=LossWeights)
    positions: Positions = "all"
    learning_rate: float = 1e-4
    batch_size: int = 32
    epochs: int = 10
    seed: int = 0


@dataclass
class JointRecord:
    """What training came to; the weights are those of the best epoch.

    Attributes:
        held_out: the weighed loss of users and items that were not trained on, after each epoch; empty where
            there are too few to hold any out.
        trained: each loss, the mean over an epoch.
        best: the epoch whose weights were taken, from 1 on.
    """

    held_out: list[float] = field(default_factory=list)
    trained: dict[LossName, list[float]] = field(default_factory=dict)
    best: int = 0


class JointTrainer:
    """Trains a joint space; recommender and embedder are not touched, only their vectors are read.

    Some users are held out, and the vectors of some items take no part in matching and reconstruction: on
    both it is seen when to stop.

    Args:
        space: is trained in place.
        items, texts: [n, d_item] and [n, d_text] vectors of the items that somebody liked, and of what
            they say.
        examples: of users, each able to get a drawn item.
        sampler: draws what they do not like.
        options: how.

    Attributes:
        space: as it was given.
    """

    def __init__(
        self,
        space: JointSpace,
        items: Tensor,
        texts: Tensor,
        examples: Examples,
        sampler: NegativeSampler,
        options: JointOptions,
    ) -> None:
        self._device = device()
        self.space, self._options, self._sampler = space.to(self._device), options, sampler
        self._items, self._texts = items.to(self._device), texts.to(self._device)
        rng = generator_of("joint space, held out", options.seed)
        self._apart = _held_out(np.arange(len(items)), rng)
        self._is_apart = np.zeros(len(items), np.bool_)
        self._is_apart[self._apart] = True
        users = _held_out(np.unique(examples.users), rng)
        held = np.isin(examples.users, users)
        self._examples = examples.of(np.flatnonzero(~held))
        self._judged = examples.of(np.flatnonzero(held))
        self._judged_negatives = sampler.draw(self._judged.users, rng)
        self._adam = torch.optim.Adam(space.parameters(), lr=options.learning_rate)

    def train(self) -> JointRecord:
        """Train until the held-out loss has not fallen for two epochs, and take the best weights."""
        record, best = JointRecord(), dict[str, Tensor]()
        lowest = math.inf
        for epoch in range(self._options.epochs):
            for name, loss in self._epoch(epoch).items():
                record.trained.setdefault(name, []).append(loss)
            if (judged := self._judge()) is not None:
                record.held_out.append(judged)
            if judged is None or judged < lowest:
                lowest, record.best = judged or 0.0, epoch + 1
                best = {name: value.clone() for name, value in self.space.state_dict().items()}
            if epoch + 1 - record.best >= _PATIENCE:
                break
        self.space.load_state_dict(best)
        self.space.cpu()
        return record

    def _epoch(self, epoch: int) -> dict[LossName, float]:
        """One pass over the examples; the mean of each loss."""
        rng = generator_of("joint space", self._options.seed, epoch)
        mixed = rng.permutation(len(self._examples.targets))
        negatives = self._sampler.draw(self._examples.users[mixed], rng)
        size, sums = self._options.batch_size, dict[LossName, Tensor]()
        steps = range(0, len(mixed), size)
        with progress(f"joint space, epoch {epoch + 1}", len(steps), "batches") as advance:
            for start in steps:
                some = slice(start, start + size)
                batch = self._batch(self._examples.of(mixed[some]), negatives[some])
                losses = self.space.losses(batch, self._options.weights)
                self._adam.zero_grad()
                weighed(losses, self._options.weights).backward()  # type: ignore[no-untyped-call]
                self._adam.step()
                for name, loss in losses.items():
                    sums[name] = sums.get(name, torch.zeros((), device=self._device)) + loss.detach()
                advance(1)
        return {name: float(total) / len(steps) for name, total in sums.items()}

    def _batch(self, examples: Examples, negatives: Codes) -> JointBatch:
        rows = np.concatenate([examples.targets, negatives])
        return self._joined(examples, negatives, rows[~self._is_apart[rows]])

    def _joined(self, examples: Examples, negatives: Codes, rows: Codes) -> JointBatch:
        liked, drawn, matched = (
            torch.from_numpy(some).to(self._device) for some in (examples.targets, negatives, rows)
        )
        return JointBatch(
            states=examples.states.to(self._device),
            positive=self._items[liked],
            negative=self._items[drawn],
            items=self._items[matched],
            texts=self._texts[matched],
        )

    @torch.no_grad()
    def _judge(self) -> float | None:
        """The loss of what is held out; None where there is nothing."""
        if not len(self._apart) or not len(self._judged.targets):
            return None
        batch = self._joined(self._judged, self._judged_negatives, self._apart)
        return float(weighed(self.space.losses(batch, self._options.weights), self._options.weights))


def new_space(items: Tensor, texts: Tensor, seed: int) -> JointSpace:
    """A joint space with drawn weights, in the units of these vectors."""
    with torch.random.fork_rng([]):
        torch.manual_seed(seed_of("joint space", seed))
        space = JointSpace(items.shape[1], texts.shape[1])
    space.standardise(items, texts)
    return space


def _held_out(numbers: Codes, rng: np.random.Generator) -> Codes:
    """A share of these that is held out, sorted; nothing of fewer than 100: too few would tell nothing."""
    if len(numbers) < _FEWEST:
        return numbers[:0]
    count = min(int(_HELD_OUT * len(numbers)), _MOST_HELD_OUT)
    return np.sort(rng.permutation(numbers)[:count])
