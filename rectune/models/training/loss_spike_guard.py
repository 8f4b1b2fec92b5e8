"""Stops a run before its next update if the loss spikes, and names the examples of that step."""

from __future__ import annotations

import json
import math
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median

from rectune.core.errors import UserError

_WINDOW = 64  # optimiser steps that the running median is taken over
_ENOUGH = 8  # steps before there is a median worth the name
_SHOWN = 8  # ids in the message; the file has all


class LossSpikeGuard:
    """Checks every step's loss before the weights are updated.

    Args:
        ratio: how many times the running median a loss may be; 0 lets it be anything that is a number.
        earlier: losses of the steps before, if a run resumes.
        note: the file for step, loss and all example ids of a bad step.
        section: of the recipe, whose learning rate an error names.
    """

    def __init__(self, ratio: float, earlier: Iterable[float], note: Path, section: str = "train") -> None:
        self.ratio, self.note, self._section = ratio, note, section
        self.losses = deque[float](earlier, maxlen=_WINDOW)

    def check(self, loss: float, step: int, examples: Sequence[str]) -> None:
        """Take the loss (nats a token) of a step and the ids of what it was computed on.

        Raises:
            UserError: it is no number, or above `ratio` times the median of the last 64 steps.
        """
        usual = median(self.losses) if len(self.losses) >= _ENOUGH else math.inf
        if not math.isfinite(loss):
            self._stop(f"the loss is {loss} at step {step}", loss, step, examples)
        if self.ratio and loss > self.ratio * usual:
            times = f"{loss / usual:.1f} times the median of the steps before"
            found = f"the loss is {loss:.3g} at step {step}, {times}"
            self._stop(found, loss, step, examples)
        self.losses.append(loss)

    def _stop(self, found: str, loss: float, step: int, examples: Sequence[str]) -> None:
        note = {"step": step, "loss": str(loss), "examples": list(examples)}
        self.note.write_text(json.dumps(note, indent=1) + "\n", encoding="utf-8")
        more = f" and {len(examples) - _SHOWN} more" if len(examples) > _SHOWN else ""
        raise UserError(
            f"{found}; its examples: {', '.join(examples[:_SHOWN])}{more}",
            where=str(self.note),
            hint=f"look at these examples, or lower {self._section}.learning_rate; "
            "the last good checkpoint is kept",
        )
