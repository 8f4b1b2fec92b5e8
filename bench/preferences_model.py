"""The models that `bench.preferences` compares: one base and several adapters, asked for log-probs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rectune.core.recipe import Recipe
from rectune.rankers.likelihood import Messages


class Adapters:
    """The base with the SFT adapter and those of the arms, one of them switched on."""

    def __init__(self, recipe: Recipe, inputs: dict[str, Path]) -> None:
        from rectune.models.loading import load_for_training, load_tokenizer, open_adapter

        checkpoint = inputs["base"] / "checkpoint"
        self.tokenizer = load_tokenizer(checkpoint)
        base = load_for_training(checkpoint, recipe.models)
        self.model = open_adapter(base, inputs["sft"] / "adapter", trainable=False)

    def switch_to(self, model: str, out: Path) -> None:
        """From now on the model is that of an arm; `sft` is what all began with."""
        if model != "sft":
            self.model.load_adapter(str(out / model / "adapter"), adapter_name=model)
        self.model.set_adapter("default" if model == "sft" else model)
        self.model.eval()

    def log_probs(self, row: dict[str, Any]) -> list[list[float]]:
        """Of every token of the chosen answer and of the rejected ones, which share their prompt."""
        import torch

        from rectune.align.softmax_dpo import NO_ANSWER, shared

        batch = shared([row], 0)
        numbers = batch["answer"][0, 1:]
        places = torch.nonzero(numbers != NO_ANSWER).flatten()
        given = {name: batch[name] for name in ("input_ids", "attention_mask", "position_ids")}
        with torch.no_grad():
            logits = self.model(**given, use_cache=False, logits_to_keep=places).logits[0].float()
        logs = logits.log_softmax(-1).gather(1, batch["input_ids"][0, 1:][places][:, None])[:, 0]
        return [logs[numbers[places] == n].tolist() for n in range(1 + len(row["rejected_ids"]))]

    def loglikelihood(
        self, messages: Messages, continuations: Sequence[str], prefill: str = ""
    ) -> list[list[float]]:
        """See `rectune.rankers.likelihood.Scorer`."""
        from rectune.models.chat import encode

        def plain(text: str) -> list[int]:
            found: list[int] = self.tokenizer.encode(
                text, add_special_tokens=False, split_special_tokens=True
            )
            return found

        opened = plain(prefill)
        prompt = encode(self.tokenizer, list(messages), generation_prompt=True) + opened
        answers = [plain(prefill + text)[len(opened) :] for text in continuations]
        return self.log_probs({"prompt_ids": prompt, "chosen_ids": answers[0], "rejected_ids": answers[1:]})
