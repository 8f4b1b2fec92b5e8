"""Metrics, progress and sealed checkpoints during training; stops if the loss is NaN or infinite.

This module needs transformers at import, so it is only ever imported inside a function.
"""

from __future__ import annotations

import math
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from rectune.core.errors import UserError
from rectune.core.progress import progress
from rectune.models import metrics
from rectune.models.checkpoints import seal
from rectune.models.distributed import is_first, process_count

_OWN = ("num_tokens", "tokens_seen", "epoch")  # logged figures that rows have in a form of their own


class MetricsCallback(TrainerCallback):  # type: ignore[misc]
    """A trainer callback; also a context manager around the training, so that the progress bar ends."""

    def __init__(self, path: Path, label: str, meter: metrics.TokenMeter | None = None) -> None:
        """With a meter, progress is in tokens; else in optimiser steps."""
        self.path, self.label, self.meter = path, label, meter
        self.resources = ExitStack()
        self.tokens, self.shown, self.since, self.stepped = 0, 0, 0.0, 0.0

    def __enter__(self) -> MetricsCallback:
        return self

    def __exit__(self, *failure: Any) -> None:
        self.resources.close()

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Drop the lines of steps that will be run again, and start to show progress."""
        if is_first():
            metrics.trim(self.path, state.global_step)
        left = state.max_steps - state.global_step
        total = round(self.meter.total * left / state.max_steps) if self.meter else left
        unit = "tokens" if self.meter else "steps"
        self.advance = self.resources.enter_context(progress(self.label, total, unit))
        self.since = time.monotonic()

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Advance by one optimiser step; the other processes are assumed to have had as many tokens."""
        self.stepped = time.monotonic()
        if self.meter is None:
            self.advance(1)
            return
        self.advance((self.meter.here - self.shown) * process_count())
        self.shown = self.meter.here

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: dict[str, float],
        **kwargs: Any,
    ) -> None:
        """Leave the time of evaluations out of the tokens per second."""
        self.since += time.monotonic() - max(self.stepped, self.since)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Write the step's figures. The trainer's final summary has no loss and is ignored."""
        if logs and "eval_loss" in logs and is_first():
            metrics.append(self.path, {"step": state.global_step, "eval_loss": logs["eval_loss"]})
        if not logs or "loss" not in logs:
            return
        if not math.isfinite(float(logs["loss"])):
            hint = "lower learning_rate, or look at the rows of this step; the last checkpoint is kept"
            raise UserError(
                f"the loss is {logs['loss']} at step {state.global_step}", where=self.label, hint=hint
            )
        now, tokens = time.monotonic(), int(logs.get("tokens_seen", logs.get("num_tokens", 0)))
        own = {"tokens": tokens - self.tokens, "seconds": round(now - self.since, 3)}
        self.tokens, self.since = tokens, now
        if is_first():
            figures = {name: value for name, value in logs.items() if name not in _OWN}
            metrics.append(self.path, {"step": state.global_step, "epoch": state.epoch} | figures | own)

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """The checkpoint's files are written; seal it."""
        seal(Path(str(args.output_dir)) / f"checkpoint-{state.global_step}")
