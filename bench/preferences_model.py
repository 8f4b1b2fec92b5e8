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

        from rectune.align.shared_prompt import shared_rows
        from rectune.align.softmax_dpo import labels_of, stacked

        batch = stacked([row], 0)
        labels = labels_of(batch)
        rows = shared_rows(batch["input_ids"], batch["attention_mask"], labels)
        assert rows is not None  # a row has two answers at least
        given = {name: value for name, value in rows.inputs.items() if name != "shift_labels"}
        following = rows.inputs["shift_labels"]
        places = torch.nonzero(following[0] != -100).flatten()
        with torch.no_grad():
            logits = self.model(**given, use_cache=False, logits_to_keep=places).logits[0].float()
        found = torch.zeros(following.shape)
        found[0, places] = logits.log_softmax(-1).gather(1, following[0, places][:, None])[:, 0]
        logs = zip(rows.rows(found), rows.labelled, strict=True)
        return [answer[labelled].tolist() for answer, labelled in logs]

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
