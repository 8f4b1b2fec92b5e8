"""How many tokens prompts have under a model's chat template, counted for many at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rectune.core.types import Prompt
from rectune.models.chat_tokenization import ChatEncoder

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_BATCH = 4096  # prompts a call: enough to keep the tokenizer's threads busy, little enough to bound memory


def prompt_lengths(
    tokenizer: PreTrainedTokenizerBase, prompts: Sequence[Prompt], at_once: int = _BATCH
) -> list[int]:
    """Length of each prompt in tokens, as `rectune.models.chat_tokenization.prompt_ids` gives it."""
    encoder, lengths = ChatEncoder(tokenizer), list[int]()
    for start in range(0, len(prompts), at_once):
        batch = prompts[start : start + at_once]
        made = encoder.prompts([p.system for p in batch], [p.instruction for p in batch])
        lengths += [len(ids) for ids in made]
    return lengths
