"""Token ids of whole columns of text, with the fast tokenizer of a checkpoint."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

BATCH = 4096  # texts a call: enough to keep the tokenizer's threads busy, little enough to bound memory


def encode_batches(tokenizer: Any, texts: Sequence[str], batch: int = BATCH) -> Iterator[list[list[int]]]:
    """Token ids of the texts, a batch at a time, special tokens neither added nor recognised."""
    for start in range(0, len(texts), batch):
        encoded = tokenizer(
            list(texts[start : start + batch]),
            add_special_tokens=False,
            split_special_tokens=True,
            return_attention_mask=False,
        )
        yield encoded["input_ids"]
