"""The trainer of all sequence networks: batches, when to stop, and going on after an interruption."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from rectune.core.progress import heard, progress, say
from rectune.core.rng import generator_of, seed_of
from rectune.core.types import content_id
from rectune.rankers.checkpoints import load_state, save_state
from rectune.rankers.sequential.losses import (
    FULL,
    binary_cross_entropy,
    cross_entropy,
    drawing_shares,
    drawn_items,
    sampled_cross_entropy,
)
from rectune.rankers.sequential.network import SequenceNetwork
from rectune.rankers.sequential.sequences import PADDING, Codes, Sequences, batches, hold_out, masked, shifted
from rectune.rankers.sequential.validation import HeldOutFigures, Validation

LossName = Literal["ce", "bce"]

_BLIND = 20  # epochs where there is no history long enough to hold something out
_PLATEAU_EPOCHS = 30  # after which patience begins anyhow
_OLD = 0.7  # of the mean of the weights is that of the epochs before
_CLIP = 1.0  # the norm of all gradients, at most
_WARM_UP = 100  # steps in which the learning rate grows to what it is then
_MEASURED = 3  # batches that tell what an epoch takes
CHECKPOINT_SECONDS = 60.0
_NEGATIVES = 4  # for each pair (He et al. 2017, "Neural Collaborative Filtering")


@dataclass(frozen=True)
class TrainingOptions:
    """How a network is trained.

    Attributes:
        max_length: items of a history that are seen.
        loss: cross-entropy over the items (over drawn ones above 10,000), or binary cross-entropy of pairs.
        learning_rate: of AdamW, after a warm-up of 100 steps.
        weight_decay: of AdamW.
        positions: items of a batch, about.
        epochs: at most.
        patience: epochs without a lower loss of what is held out after which training stops.
        seed: of everything that is drawn.
    """

    max_length: int = 50
    loss: LossName = "ce"
    learning_rate: float = 3e-3
    weight_decay: float = 0.01
    positions: int = 1024
    epochs: int = 200
    patience: int = 3
    seed: int = 0


@dataclass
class TrainingRecord:
    """What training came to; the weights are those of the best epoch, see `Trainer`.

    Attributes:
        losses: the cross-entropy of held-out last items among all trained items after each epoch, in nats.
        ndcg: their NDCG@10.
        popularity: the NDCG@10 of popularity.
        popularity_loss: its cross-entropy.
        best: the epoch whose weights were taken, from 1 on; of equally good ones the last.
        held_out: items that are held out.
        seconds: of this process, without what an earlier one did.
    """

    popularity: float = 0.0
    popularity_loss: float = 0.0
    ndcg: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    best: int = 0
    held_out: int = 0
    seconds: float = 0.0

    def over(self, options: TrainingOptions) -> bool:
        """Whether it is time to stop.

        Networks of this kind stay near popularity for many epochs before they find more: patience begins when
        they do better than that, or after 30 epochs.
        """
        done = len(self.losses)
        if not self.held_out:
            return done >= min(_BLIND, options.epochs)
        least = min(self.losses, default=math.inf)
        left = least < self.popularity_loss or done >= _PLATEAU_EPOCHS
        since = done - 1 - self.losses.index(least) if done else 0
        return done >= options.epochs or (left and since >= options.patience)


def device() -> torch.device:
    """The GPU, where torch finds one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


class Trainer:
    """Trains a network on histories.

    What is measured after an epoch, and taken in the end, is a running mean of the weights after each epoch
    (Polyak and Juditsky 1992, "Acceleration of stochastic approximation by averaging"), 0.7 of it old: it is
    better than any of them, and its loss goes down and up again with hardly any noise.

    Args:
        network: is trained in place.
        sequences: what train users liked.
        counts: [trained items] how often each was liked; the first so many rows of the table are trained.
        options: how.
        name: for progress.
    """

    def __init__(
        self,
        network: SequenceNetwork,
        sequences: Sequences,
        counts: Codes,
        options: TrainingOptions,
        name: str = "network",
    ) -> None:
        self.options, self.name, self.trained = options, name, len(counts)
        self.whole = sequences
        self.sequences, held_out = hold_out(sequences, options.max_length, options.seed)
        self.device = device()
        self.network = network.to(self.device)
        self.counts = torch.from_numpy(counts).to(self.device)
        self.shares = drawing_shares(self.counts)
        self.optimizer = torch.optim.AdamW(
            network.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay
        )
        self.validation = Validation(held_out, self.counts)
        self.record = TrainingRecord(held_out=len(self.validation))
        self.mean: dict[str, Tensor] = {}
        self.best: dict[str, Tensor] = {}
        self._steps = self._in_epoch = 0

    def train(
        self,
        checkpoint: Path | None = None,
        every: float = CHECKPOINT_SECONDS,
        watch: Callable[[SequenceNetwork], None] | None = None,
    ) -> TrainingRecord:
        """Train until nothing gets better, and take the best weights.

        Args:
            checkpoint: a file that the state is written to and that training goes on from, as if it had never
                been interrupted. It is removed in the end.
            every: seconds between two checkpoints.
            watch: called with the network after each epoch; it changes nothing of it.
        """
        begun = time.monotonic()
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices):
            torch.manual_seed(seed_of("training", self.options.seed))
            if checkpoint is not None:
                self._resume(checkpoint)
            if self.record.held_out and not self.record.popularity_loss:
                found = self.validation.popularity()
                self.record.popularity, self.record.popularity_loss = found.ndcg, found.loss
            self._all_epochs(checkpoint, every, watch)
        if self.best:
            self.network.load_state_dict(self.best)
        self.network.eval().cpu()
        if checkpoint is not None:
            checkpoint.unlink(missing_ok=True)
        self.record.seconds = time.monotonic() - begun
        return self.record

    def _all_epochs(
        self, checkpoint: Path | None, every: float, watch: Callable[[SequenceNetwork], None] | None
    ) -> None:
        saved = time.monotonic()
        with heard(), progress(self.name, 0, "epochs") as advance:
            while len(self.sequences.items) > 1 and not self.record.over(self.options):
                for _ in self._epoch():
                    if checkpoint is not None and time.monotonic() - saved >= every:
                        self._save(checkpoint)
                        saved = time.monotonic()
                self._judge()
                if watch is not None:
                    watch(self.network)
                self._in_epoch = 0
                advance(1)

    def _epoch(self) -> Iterator[None]:
        """The steps that are left of the current epoch."""
        self.network.train()
        for number, (inputs, targets) in enumerate(self._batches(len(self.record.ndcg))):
            if number < self._in_epoch:  # done before an interruption
                continue
            self._step(torch.from_numpy(inputs).to(self.device), torch.from_numpy(targets).to(self.device))
            self._in_epoch = number + 1
            yield

    def _batches(self, epoch: int) -> Iterator[tuple[Codes, Codes]]:
        """What the network sees and is to tell, batch by batch."""
        options, objective = self.options, self.network.objective
        rng = generator_of("epoch", options.seed, epoch)
        follow = options.max_length - (objective == "masked")  # the last one is asked for, too
        for windows in batches(self.sequences, follow, options.positions, rng):
            yield masked(windows, rng) if objective == "masked" else shifted(windows)

    def epoch_seconds(self) -> float:
        """What an epoch takes here, by its first batches, which train the network a little."""
        begun, measured = time.monotonic(), 0
        self.network.train()
        for number, (inputs, targets) in zip(range(_MEASURED + 1), self._batches(0), strict=False):
            self._step(torch.from_numpy(inputs).to(self.device), torch.from_numpy(targets).to(self.device))
            if not number:  # which warms up
                begun = time.monotonic()
            else:
                measured += inputs.size
        return (time.monotonic() - begun) * len(self.sequences.items) / max(measured, 1)

    def _step(self, inputs: Tensor, targets: Tensor) -> None:
        self._steps += 1
        for group in self.optimizer.param_groups:
            group["lr"] = self.options.learning_rate * min(1.0, self._steps / _WARM_UP)
        self.optimizer.zero_grad()
        loss = self._loss(self.network(inputs), targets)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), _CLIP)
        self.optimizer.step()

    def _loss(self, states: Tensor, targets: Tensor) -> Tensor:
        """The loss at the positions that have a target; the others cost nothing."""
        there = targets != PADDING
        asked, right = states[there], targets[there] - 1
        if self.network.objective == "pairs" or self.options.loss == "bce":
            drawn = torch.randint(self.trained, (len(right), _NEGATIVES), device=self.device)
            scores = self.network.pair_scores(asked, torch.cat([right[:, None], drawn], 1))
            return binary_cross_entropy(scores[:, 0], scores[:, 1:])
        if self.trained <= FULL:
            return cross_entropy(asked, self.network.item_vectors(self.trained), right)
        drawn = drawn_items(self.shares)
        vectors, own = self.network.table(drawn), self.network.table(right)
        return sampled_cross_entropy(asked, vectors, drawn, self.shares, own, right)

    def _judge(self) -> None:
        """Measure the mean weights on what was held out, and keep them if they are the best so far."""
        record, now = self.record, {key: value.clone() for key, value in self.network.state_dict().items()}
        self.mean = {key: torch.lerp(value, self.mean.get(key, value), _OLD) for key, value in now.items()}
        self.network.load_state_dict(self.mean)
        found = self.validation.measure(self.network) if record.held_out else HeldOutFigures(0.0, 0.0)
        if not record.held_out or found.loss <= min(record.losses, default=math.inf):
            record.best, self.best = len(record.losses) + 1, self.mean
        record.ndcg.append(found.ndcg)
        record.losses.append(found.loss)
        self.network.load_state_dict(now)

    @property
    def _fingerprint(self) -> str:
        """Of what is trained on, so that no other training goes on from a checkpoint."""
        data = blake2b(self.whole.items.tobytes() + self.whole.bounds.tobytes()).hexdigest()
        shapes = {key: list(value.shape) for key, value in self.network.state_dict().items()}
        return content_id("by the loss", data, shapes, asdict(self.options), str(self.device))

    def _save(self, checkpoint: Path) -> None:
        state = {
            "of": self._fingerprint,
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "mean": self.mean,
            "best": self.best,
            "record": asdict(self.record),
            "steps": self._steps,
            "in_epoch": self._in_epoch,
            "rng": torch.get_rng_state(),
            "cuda_rng": torch.cuda.get_rng_state() if self.device.type == "cuda" else None,
        }
        save_state(checkpoint, state)

    def _resume(self, checkpoint: Path) -> None:
        """Go on from a checkpoint of the same training, if there is one that can be read."""
        state = load_state(checkpoint, self.device, self.name)
        if state is None or state["of"] != self._fingerprint:
            return
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.mean, self.best = state["mean"], state["best"]
        self.record = TrainingRecord(**state["record"])
        self._steps, self._in_epoch = state["steps"], state["in_epoch"]
        torch.set_rng_state(state["rng"].cpu())
        if state["cuda_rng"] is not None:
            torch.cuda.set_rng_state(state["cuda_rng"].cpu())
        say(f"  {self.name}: goes on after {len(self.record.ndcg)} epochs")
