"""Monitoring of DPO: held-out pairs at every evaluation, a few answers at the start and at the end.

This module needs torch and transformers at import, so it is only ever imported inside a function.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.integrations.deepspeed import is_deepspeed_zero3_enabled

from rectune.align.dpo_trainer import ReferenceCachedDPOTrainer
from rectune.align.held_out_figures import held_out_figures
from rectune.align.rows import PreferenceRows, Row
from rectune.models import metrics
from rectune.models.best_adapter import BestAdapterCallback
from rectune.models.distributed import is_first
from rectune.models.greedy_answers import greedy_answers

HELD_OUT, ANSWERS, REFERENCE = "held_out.jsonl", "generations.jsonl", "reference.json"

_TOKENS = 128  # of an answer


class HeldOutCallback(TrainerCallback):  # type: ignore[misc]
    """Fills the trainer's reference, and writes `held_out.jsonl` and `generations.jsonl` into `out`."""

    def __init__(
        self,
        out: Path,
        trainer: ReferenceCachedDPOTrainer,
        rows: PreferenceRows,
        best: BestAdapterCallback | None,
        watched: int,
    ) -> None:
        """`watched` is the number of prompts that are answered before and after training."""
        self.out, self.trainer, self.rows, self.best = out, trainer, rows, best
        self.most, self.watched = min(_TOKENS, rows.longest_answer), watched

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Evaluate the start; on a resume drop the lines of steps that will be run again."""
        self.trainer.fill_reference(self.out / REFERENCE)
        if is_first():
            for file in (self.out / HELD_OUT, self.out / ANSWERS):
                if file.exists():
                    metrics.trim(file, state.global_step)
        if state.global_step == 0:
            reference = self.trainer.held_out_reference
            if reference:
                sources = {row["number"]: row["source"] for row in self.rows.held_out}
                same = held_out_figures(reference, reference, self.trainer.beta, sources)
                self._note(0, same | {"kl": 0.0})
            self._answer(0)

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: dict[str, Any],
        **kwargs: Any,
    ) -> None:
        """Write the figures of the held-out pairs."""
        self._note(state.global_step, metrics)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Generate answers again, with the kept adapter."""
        if self.best:
            self.best.put_back()
        self._answer(state.global_step)

    def _note(self, step: int, figures: dict[str, Any]) -> None:
        if is_first():
            plain = {name.removeprefix("eval_"): value for name, value in figures.items()}
            metrics.append(self.out / HELD_OUT, {"step": step} | plain)

    def _answer(self, step: int) -> None:
        """Under ZeRO-3 all processes answer, since each holds a part of the weights; else only the first."""
        rows, tokenizer = _few(self.rows, self.watched), self.trainer.processing_class
        if not rows or (not is_first() and not is_deepspeed_zero3_enabled()):
            return
        prompts = [row["prompt_ids"] for row in rows]
        made = greedy_answers(self.trainer.model, tokenizer, prompts, self.most, self.trainer.args.device)
        for row, tokens in zip(rows, made, strict=True) if is_first() else ():
            text = tokenizer.decode(tokens, skip_special_tokens=True).strip()
            found = {"step": step, "pair": row["number"], "tokens": len(tokens), "answer": text}
            metrics.append(self.out / ANSWERS, found)


def _few(rows: PreferenceRows, count: int) -> Sequence[Row]:
    """Pairs of different prompts, of held-out users where there are any."""
    found: dict[tuple[int, ...], Row] = {}
    for row in rows.held_out or rows.train:
        found.setdefault(tuple(row["prompt_ids"]), row)
    return list(found.values())[:count]
