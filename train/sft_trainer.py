"""trl's SFT trainer with the example of each token, and an exact loss on the held-out set.

This module needs torch and trl at import, so it is only ever imported inside a function.
"""

from __future__ import annotations

from typing import Any

import torch
from trl import SFTTrainer

from rectune.models.distributed import gathered, turns
from rectune.models.metrics import TokenMeter
from rectune.models.training.loss_spike_guard import LossSpikeGuard
from rectune.models.training.trl_internals import require
from rectune.train.collate import NO_EXAMPLE

require(SFTTrainer, "_prepare_inputs")  # asked by `PackedSFTTrainer.evaluate`

Batch = dict[str, Any]
Scores = dict[int, tuple[float, int]]


class PackedSFTTrainer(SFTTrainer):  # type: ignore[misc]
    """Takes batches of `rectune.train.collate.PackedCollator`; set `guard` and `meter` before `train`."""

    guard: LossSpikeGuard
    meter: TokenMeter
    control: Any  # the trainer's flags, which callbacks set

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.step_loss, self.step_owners = 0.0, list[Any]()

    def training_step(self, model: Any, inputs: Batch, num_items_in_batch: Any = None) -> torch.Tensor:
        """Forward and backward of a micro-batch; the guard checks a step's loss before its update."""
        owners = inputs.pop("owners")
        self.step_owners.append(owners)
        self.meter.add(int((owners != NO_EXAMPLE).sum()))
        loss: torch.Tensor = super().training_step(model, inputs, num_items_in_batch)
        self.step_loss += loss.item()
        if self.accelerator.sync_gradients or not loss.isfinite():
            numbers = {number for owners in self.step_owners for number in owners.unique().tolist()}
            ids = self.data_collator.rows.ids(sorted(numbers - {NO_EXAMPLE}))
            self.guard.check(self.step_loss, self.state.global_step + 1, ids)
            self.step_loss, self.step_owners = 0.0, []
        return loss

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """trl counts the tokens of packed rows with their padding; `tokens_seen` is without."""
        if "loss" in logs:
            seen = torch.tensor(self.meter.here, device=self.args.device)
            logs["tokens_seen"] = int(self.accelerator.reduce(seen))
        super().log(logs, start_time)

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """The loss on the held-out set: the mean over all its labels, nats per token, however batched.

        The batches are made here and not by a data loader, which would use training's random state.
        """
        self.model.eval()
        scores: Scores = {}
        for part in turns(list(self.eval_dataset), self.args.per_device_train_batch_size):
            scores |= self._score(self._prepare_inputs(self.data_collator(part)))
        every = gathered(scores).values()
        total = sum(nats for nats, _ in sorted(every))
        figures = {"eval_loss": total / sum(labels for _, labels in every)}
        self.log(dict(figures))
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, figures)
        return figures

    def _score(self, batch: Batch) -> Scores:
        """Nats and labels of each example in a batch."""
        owners = batch.pop("owners")[:, 1:].to(self.args.device)
        with torch.no_grad(), self.compute_loss_context_manager():
            outputs = self.model(**batch, use_cache=False, fused_lm_head=True)
        numbers, place = owners.unique(return_inverse=True)
        sums = torch.zeros(2, len(numbers), dtype=torch.float64, device=owners.device)
        figures = torch.stack([-outputs.log_probs, outputs.label_mask]).reshape(2, -1).double()
        sums.index_add_(1, place.reshape(-1), figures)
        nats, labels = sums.tolist()
        found = zip(numbers.tolist(), nats, labels, strict=True)
        return {number: (loss, int(count)) for number, loss, count in found if number != NO_EXAMPLE}
