"""A few greedy answers of a model that is being trained, all at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase


def greedy_answers(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Sequence[int]],
    most: int,
    device: torch.device,
) -> list[list[int]]:
    """The tokens of each answer, including the end of the turn; at most `most` of them.

    Args:
        model: of transformers or peft; it is put into evaluation mode. Under ZeRO-3 all processes must come
            along.
        tokenizer: its tokenizer.
        prompts: token ids, up to where the answer begins.
        most: tokens an answer.
        device: where the model is.
    """
    import torch

    pad = int(tokenizer.pad_token_id)
    width = max(map(len, prompts))
    ids = torch.full((len(prompts), width), pad)
    mask = torch.zeros_like(ids)
    for place, prompt in enumerate(prompts):  # padding goes before, so that answers begin at one place
        ids[place, width - len(prompt) :] = torch.tensor(list(prompt))
        mask[place, width - len(prompt) :] = 1
    model.eval()
    with torch.no_grad():
        made = model.generate(
            input_ids=ids.to(device),
            attention_mask=mask.to(device),
            max_new_tokens=most,
            do_sample=False,
            use_cache=True,
            pad_token_id=pad,
        )
    ends = {int(token) for token in end_tokens(model, tokenizer)}
    return [_until(row[width:].tolist(), ends) for row in made]


def end_tokens(model: Any, tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """The tokens that end a turn, by the model's settings for generation and by the tokenizer."""
    named = model.generation_config.eos_token_id
    known = named if isinstance(named, list) else [named]
    return [token for token in [*known, tokenizer.eos_token_id] if token is not None]


def _until(tokens: list[int], ends: set[int]) -> list[int]:
    """The tokens up to the first end of turn; the rest is padding."""
    place = next((place for place, token in enumerate(tokens) if token in ends), len(tokens) - 1)
    return tokens[: place + 1]
