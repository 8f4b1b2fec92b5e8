"""How close two forms of one model are: log-probabilities of the same answers, token by token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from models.chat import encode


def answer_logps(model: Any, tokenizer: Any, messages: Sequence[tuple[str, str]], answer: str) -> list[float]:
    """The log-probability (nats) of each token of an answer under a Hugging Face model.

    Args:
        model: a causal language model, adapters included; it is run as it is, without gradients.
        tokenizer: its fast tokenizer with a chat template.
        messages: (role, content) pairs before the answer.
        answer: taken as plain text; no part of it becomes a control token.
    """
    import torch

    prompt = encode(tokenizer, messages, generation_prompt=True)
    tail = tokenizer(answer, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    ids = torch.tensor([[*prompt, *tail]], device=model.device)  # (1, tokens)
    with torch.inference_mode():
        logits = model(input_ids=ids).logits[0, len(prompt) - 1 : -1].float()  # row i predicts tail[i]
    scores = torch.log_softmax(logits, dim=-1).gather(1, ids[0, len(prompt) :, None])
    found: list[float] = scores[:, 0].tolist()
    return found


def gap(ours: Sequence[Sequence[float]], theirs: Sequence[Sequence[float]]) -> float:
    """Mean over answers of the absolute difference between the two means of log-probability a token (nats).

    Args:
        ours: per answer the log-probabilities of its tokens under one form of the model.
        theirs: the same under the other; an answer without tokens has no mean and is left out.

    Raises:
        ValueError: no answer has tokens, or the lists do not pair up.
    """
    pairs = [(a, b) for a, b in zip(ours, theirs, strict=True) if a and b]
    if not pairs:
        raise ValueError("no answer with tokens to compare")
    return sum(abs(sum(a) / len(a) - sum(b) / len(b)) for a, b in pairs) / len(pairs)
