"""Answers during training: the same few held-out prompts at every evaluation.

This module needs transformers at import, so it is only ever imported inside a function.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from rectune.models import metrics
from rectune.models.distributed import is_first
from rectune.models.greedy_answers import greedy_answers
from rectune.train.rows import TokenRows

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedTokenizerBase

_PROMPTS = 5
_TOKENS = 48  # of an answer


def choose(rows: TokenRows, held_out: Sequence[int]) -> list[int]:
    """The prompts to monitor: the held-out examples with the lowest ids, which are content hashes."""
    ids = dict(zip(held_out, rows.ids(held_out), strict=True))
    return sorted(held_out, key=lambda number: ids[number])[:_PROMPTS]


class GenerationCallback(TrainerCallback):  # type: ignore[misc]
    """Writes `generations.jsonl`: step, example, prompt, the answer in the data, and the model's greedy one.

    Under ZeRO-3 all processes generate, since each holds a part of the weights; else the first one does.
    """

    def __init__(
        self, path: Path, rows: TokenRows, held_out: Sequence[int], tokenizer: PreTrainedTokenizerBase
    ) -> None:
        self.path, self.rows, self.tokenizer = path, rows, tokenizer
        self.numbers = choose(rows, held_out)

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Drop the answers of steps that will be run again."""
        if is_first():
            metrics.trim(self.path, state.global_step)

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Generate and write the answers."""
        from transformers.integrations.deepspeed import is_deepspeed_zero3_enabled

        if not is_first() and not is_deepspeed_zero3_enabled():
            return
        answers = self._answers(kwargs["model"], args.device)
        for number, answer in zip(self.numbers, answers, strict=True) if is_first() else ():
            metrics.append(self.path, {"step": state.global_step, **self._known(number), "answer": answer})

    def _known(self, number: int) -> dict[str, str]:
        tokens, length = self.rows.tokens(number), self.rows.prompt_length(number)
        prompt, wanted = self.tokenizer.decode(tokens[:length]), self._plain(tokens[length:])
        return {"example": self.rows.ids([number])[0], "prompt": prompt, "wanted": wanted}

    def _answers(self, model: PeftModel, device: torch.device) -> list[str]:
        prompts = [
            self.rows.tokens(number)[: self.rows.prompt_length(number)].tolist() for number in self.numbers
        ]
        answers = greedy_answers(model, self.tokenizer, prompts, _TOKENS, device)
        return [self._plain(tokens) for tokens in answers]

    def _plain(self, tokens: Any) -> str:
        return str(self.tokenizer.decode(tokens, skip_special_tokens=True)).strip()
