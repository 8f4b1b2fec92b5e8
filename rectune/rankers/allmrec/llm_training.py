"""Training of what joins a recommender to a frozen language model; the model is proven to stay as it was."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from rectune.core.errors import RectuneError
from rectune.core.progress import progress, say
from rectune.core.rng import generator_of
from rectune.core.types import content_id
from rectune.models.distributed import is_first, sum_gradients, wait_for_all
from rectune.models.integrity_checks import changed_share, check_base, trainable_values
from rectune.models.training.loss_spike_guard import LossSpikeGuard
from rectune.rankers.allmrec.language_model import FrozenLanguageModel
from rectune.rankers.allmrec.train_cases import TrainCase, TrainCases
from rectune.rankers.checkpoints import load_state, save_state

_CLIP = 1.0  # the norm of all gradients, at most
_WARM_UP = 20  # steps in which the learning rate grows to what it is then
_SORTED = 8  # batches whose cases are sorted by length together


class Objective(Protocol):
    """What is trained for."""

    def length(self, case: TrainCase) -> int:
        """About how many tokens a case takes; cases of similar length share a batch."""
        ...

    def loss(self, cases: Sequence[TrainCase], salt: str) -> tuple[Tensor, int]:
        """A sum of losses, and how many there are in it; all that is drawn depends on `salt` alone.

        Where several processes train, each is given all cases and does its part of the work: it gets the sum
        of all, and the sum of all processes' gradients is the gradient.
        """
        ...

    @property
    def least(self) -> float:
        """What no loss is below."""
        ...


@dataclass(frozen=True)
class LlmTrainingOptions:
    """How.

    Attributes:
        learning_rate: of AdamW, after a warm-up of 20 steps.
        batch_size: cases of a step, of all processes together.
        epochs: at most.
        patience: epochs without a lower held-out loss after which training stops.
        seed: of everything that is drawn.
        save_seconds: how often the state is written to the checkpoint.
    """

    learning_rate: float = 1e-3
    batch_size: int = 4
    epochs: int = 5
    patience: int = 2
    seed: int = 0
    save_seconds: float = 60.0


@dataclass
class LlmTrainingRecord:
    """What training came to; the weights are those of the best epoch.

    Attributes:
        train: the mean loss of each epoch.
        held_out: the loss of held-out users before training and after each epoch; empty without such users.
        best: the epoch whose weights were taken, from 1 on.
        steps: that were made.
        changed: the share of the trained elements that changed, in [0, 1].
        parts: the same by part of what is trained.
        digest: of the language model's weights, the same before and after.
        items_digest: of the weights of stage 1, the same before and after; empty where there is none.
        cases, held_out_cases: that were trained on, and judged on.
        wishes: by kind, how many of the training cases asked for something in words; empty where none can.
        seconds: of this process, without what an earlier one did.
    """

    train: list[float] = field(default_factory=list)
    held_out: list[float] = field(default_factory=list)
    best: int = 0
    steps: int = 0
    changed: float = 0.0
    parts: dict[str, float] = field(default_factory=dict)
    digest: str = ""
    items_digest: str = ""
    cases: int = 0
    held_out_cases: int = 0
    wishes: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0


class LlmTrainer:
    """Trains a module on cases, through a language model that stays as it is.

    Processes that torchrun has started train together (`rectune.models.distributed`): each has the whole
    model, does its part of every step, and makes the same step as the others. The result is that of one
    process with as many cases a step, but for rounding.

    Args:
        model: the language model.
        module: is trained in place; all of it.
        cases: what is trained on, and what is held out.
        objective: the loss of cases.
        options: how.
        name: for progress.
        guard: sees the loss of every step before the weights are changed; by default only its being a number
            is seen to.
        of: what the losses depend on beside model, cases and options, hashed: no training goes on from a
            checkpoint of another one.
    """

    def __init__(
        self,
        model: FrozenLanguageModel,
        module: nn.Module,
        cases: TrainCases,
        objective: Objective,
        options: LlmTrainingOptions,
        name: str = "allmrec",
        guard: LossSpikeGuard | None = None,
        of: str = "",
    ) -> None:
        self.model, self.module, self.cases = model, module.to(model.device), cases
        self.objective, self.options, self.name, self.guard = objective, options, name, guard
        self.record = LlmTrainingRecord(cases=len(cases.train), held_out_cases=len(cases.held_out))
        self.best: dict[str, Tensor] = {}
        self._optimizer = torch.optim.AdamW(module.parameters(), lr=options.learning_rate, weight_decay=0.0)
        self._in_epoch, self._sum, self._count, self._of = 0, 0.0, 0, of

    def train(
        self, checkpoint: Path | None = None, on_step: Callable[[int], None] = lambda step: None
    ) -> LlmTrainingRecord:
        """Train until nothing gets better, and take the best weights.

        Args:
            checkpoint: a file that the state is written to and that training goes on from; it is then as if
                it had never been interrupted. It is removed in the end.
            on_step: hears of each step that was made, counted from 1.

        Raises:
            RectuneError: a weight of the language model changed, nothing of the module did, or a loss is no
                number.
        """
        begun, first = time.monotonic(), trainable_values(self.module)
        self.record.digest = self.model.digest()
        if checkpoint is not None:
            self._resume(checkpoint)
        if not self.record.held_out and self.cases.held_out:
            self.record.held_out.append(self._judged())
        self._all_epochs(checkpoint, on_step)
        check_base(self.record.digest, self.model.digest())
        if self.best:
            self.module.load_state_dict(self.best)
        if self.record.steps:
            self._note_changes(first, trainable_values(self.module))
        self.module.eval().requires_grad_(False)
        wait_for_all()
        if checkpoint is not None and is_first():
            checkpoint.unlink(missing_ok=True)
        self.record.seconds = time.monotonic() - begun
        return self.record

    def _note_changes(self, before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> None:
        self.record.changed = changed_share(before, after)
        for part in dict.fromkeys(map(_part_of, before)):
            own = [name for name in before if _part_of(name) == part]
            changed = sum(int((before[name] != after[name]).sum()) for name in own)
            self.record.parts[part] = changed / sum(before[name].numel() for name in own)

    @property
    def _over(self) -> bool:
        done = len(self.record.train)
        waited = bool(self.cases.held_out) and done - self.record.best >= self.options.patience
        return not self.cases.train or done >= self.options.epochs or (done > 0 and waited)

    def _all_epochs(self, checkpoint: Path | None, on_step: Callable[[int], None]) -> None:
        saved = time.monotonic()
        while not self._over:
            epoch, total = len(self.record.train) + 1, len(self.cases.train)
            self.module.train()
            with progress(f"{self.name}, epoch {epoch}", total, "cases") as advance:
                for number, cases in enumerate(self._batches(epoch)):
                    advance(len(cases))
                    if number < self._in_epoch:  # done before an interruption
                        continue
                    self._step(cases, f"{epoch} {number}")
                    self._in_epoch = number + 1
                    due = time.monotonic() - saved >= self.options.save_seconds
                    if checkpoint is not None and due and is_first():
                        self._save(checkpoint)
                        saved = time.monotonic()
                    on_step(self.record.steps)
            self._close_epoch()

    def _step(self, cases: Sequence[TrainCase], salt: str) -> None:
        self.record.steps += 1
        for group in self._optimizer.param_groups:
            group["lr"] = self.options.learning_rate * min(1.0, self.record.steps / _WARM_UP)
        self._optimizer.zero_grad()
        total, count = self.objective.loss(cases, salt)
        if not total.isfinite():
            raise RectuneError(f"{self.name}: the loss is {float(total)} at step {self.record.steps}")
        if self.guard:
            mean = float(total.detach()) / count - self.objective.least
            self.guard.check(mean, self.record.steps, [f"{case.user}: {case.target}" for case in cases])
        if total.requires_grad:  # else no case was this process's
            (total / count).backward()  # type: ignore[no-untyped-call]
        sum_gradients(self.module.parameters())
        nn.utils.clip_grad_norm_(self.module.parameters(), _CLIP)
        self._optimizer.step()
        self._sum, self._count = self._sum + float(total.detach()), self._count + count

    def _batches(self, epoch: int) -> list[list[TrainCase]]:
        """The cases in a drawn order; those of similar length together."""
        rng, size = generator_of("language model, epoch", self.options.seed, epoch), self.options.batch_size
        order = rng.permutation(len(self.cases.train)).tolist()
        found = list[list[TrainCase]]()
        for start in range(0, len(order), _SORTED * size):
            some = [self.cases.train[at] for at in order[start : start + _SORTED * size]]
            some.sort(key=self.objective.length)
            found += [some[at : at + size] for at in range(0, len(some), size)]
        return [found[at] for at in rng.permutation(len(found)).tolist()]

    def _close_epoch(self) -> None:
        """Note the losses, and keep the weights if they are the best so far."""
        record = self.record
        record.train.append(self._sum / self._count)
        found = self._judged() if self.cases.held_out else 0.0
        if not self.cases.held_out or found < min(record.held_out[1:], default=float("inf")):
            record.best = len(record.train)
            self.best = {key: value.clone() for key, value in self.module.state_dict().items()}
        if self.cases.held_out:
            record.held_out.append(found)
        self._in_epoch, self._sum, self._count = 0, 0.0, 0

    @torch.no_grad()
    def _judged(self) -> float:
        """The held-out loss; what is drawn for it is the same every time."""
        self.module.eval()
        cases = sorted(self.cases.held_out, key=self.objective.length)
        size, total, count = self.options.batch_size, 0.0, 0
        for start in range(0, len(cases), size):
            loss, losses = self.objective.loss(cases[start : start + size], f"held out {start}")
            total, count = total + float(loss), count + losses
        return total / count

    @property
    def _fingerprint(self) -> str:
        """Of what is trained, so that no other training goes on from a checkpoint."""
        options = {key: value for key, value in asdict(self.options).items() if key != "save_seconds"}
        shapes = {key: list(value.shape) for key, value in self.module.state_dict().items()}
        cases = [[*case.history, case.target] for case in (*self.cases.train, *self.cases.held_out)]
        kind = type(self.objective).__name__, self.model.device.type
        return content_id(self.record.digest, shapes, cases, options, kind, self._of)

    def _save(self, checkpoint: Path) -> None:
        state = {
            "of": self._fingerprint,
            "module": self.module.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "best": self.best,
            "record": asdict(self.record),
            "epoch": (self._in_epoch, self._sum, self._count),
            "losses": list(self.guard.losses) if self.guard else [],
        }
        save_state(checkpoint, state)

    def _resume(self, checkpoint: Path) -> None:
        """Go on from a checkpoint of the same training, if there is one that can be read."""
        state = load_state(checkpoint, self.model.device, self.name)
        if state is None:
            return
        wait_for_all()  # before another process writes the next one
        if state["of"] != self._fingerprint:
            say(f"  {self.name}: begins anew, its checkpoint is of another training")
            return
        self.module.load_state_dict(state["module"])
        self._optimizer.load_state_dict(state["optimizer"])
        self.best, self.record = state["best"], LlmTrainingRecord(**state["record"])
        self._in_epoch, self._sum, self._count = state["epoch"]
        if self.guard:
            self.guard.losses.extend(state["losses"])
        say(f"  {self.name}: goes on after {self.record.steps} steps")


def _part_of(name: str) -> str:
    """The part that a parameter is of: each projection, and each network beside them."""
    first, *others = name.split(".")
    return f"{first}.{others[0]}" if first == "projections" else first
