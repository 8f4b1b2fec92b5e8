"""What a frozen language model writes behind a prompt of ids and vectors."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from rectune.core.settings import SamplingConfig
from rectune.inference.requests import GenerationResult
from rectune.models.greedy_answers import end_tokens
from rectune.rankers.allmrec.language_model import FrozenLanguageModel

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# The end of a sentence with the space behind it, which is not that of "Mr." or "J.".
_END = re.compile(r"(?<!\b[A-Z])(?<!\b[A-Z][a-z])(?<!\b[A-Z][a-z]{2})[.!?。…][\"'”’」』)\]]*(?=\s)")


@torch.no_grad()
def write_text(
    model: FrozenLanguageModel,
    prompt: Tensor,
    last: Sequence[int],
    sampling: SamplingConfig,
    seed: int,
    sentences: int = 2,
) -> GenerationResult:
    """What the model writes, up to the end of a line, or of so many sentences.

    The penalty of repetition looks at all that was written, and not at the last 64 tokens.

    Args:
        model: writes.
        prompt: [n, width] input embeddings.
        last: the last ids of the prompt, which decide how the first word is spelt.
        sampling: how it is decoded; a temperature of 0 is greedy.
        seed: of what is drawn; nothing else is, and the state of torch's generators stays as it was.
        sentences: after which it is stopped.

    Returns:
        The text, without what stands behind its end; `finish` is "length" where `sampling.max_tokens` cut it.

    Raises:
        UserError: the model has no positions for so many tokens.
    """
    from transformers import GenerationConfig, StoppingCriteriaList

    model.check_length(len(prompt) + sampling.max_tokens)
    ends = end_tokens(model.model, model.tokenizer)
    config = GenerationConfig(
        max_new_tokens=sampling.max_tokens, repetition_penalty=sampling.repeat_penalty or 1.0, num_beams=1,
        eos_token_id=ends, pad_token_id=ends[0], **_drawn(sampling),
    )  # fmt: skip
    enough = _Enough(model.tokenizer, list(last), sentences)
    devices = [model.device] if model.device.type == "cuda" else []
    with torch.random.fork_rng(devices), warnings.catch_warnings():
        torch.manual_seed(seed)
        # The penalty is for what was written alone, as with every other model.
        warnings.filterwarnings("ignore", "Passing `repetition_penalty`")
        ids = model.model.generate(
            inputs_embeds=prompt[None],
            attention_mask=torch.ones(1, len(prompt), dtype=torch.long, device=prompt.device),
            generation_config=config,
            stopping_criteria=StoppingCriteriaList([enough]),
        )[0]
    text, whole = enough.cut(ids)
    ended = whole or (len(ids) > 0 and int(ids[-1]) in ends)
    return GenerationResult("", text, "stop" if ended else "length", len(prompt), len(ids))


class _Enough:
    """Stops where a line has ended, or so many sentences."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, last: list[int], sentences: int) -> None:
        self._tokenizer, self._last, self._sentences = tokenizer, last, sentences
        self._before = len(self._decoded([]))

    def __call__(self, input_ids: Tensor, scores: Any, **given: Any) -> Tensor:
        return torch.tensor([self.cut(ids)[1] for ids in input_ids], device=input_ids.device)

    def cut(self, ids: Tensor) -> tuple[str, bool]:
        """The text up to where it is enough, and whether it is."""
        text = self._decoded(ids.tolist())[self._before :]
        if not text.strip():
            return "", False
        line, broken, _ = text.lstrip("\n").partition("\n")
        ends = [match.end() for match in _END.finditer(line)]
        if len(ends) >= self._sentences:
            return line[: ends[self._sentences - 1]], True
        return line, bool(broken)

    def _decoded(self, ids: list[int]) -> str:
        return str(self._tokenizer.decode([*self._last, *ids], skip_special_tokens=True))


def _drawn(sampling: SamplingConfig) -> dict[str, Any]:
    """How tokens are drawn; nothing is with a temperature of 0."""
    if not sampling.temperature:
        return {"do_sample": False}
    return {
        "do_sample": True, "temperature": sampling.temperature, "top_k": sampling.top_k,
        "top_p": sampling.top_p or 1.0, "min_p": sampling.min_p,
    }  # fmt: skip
