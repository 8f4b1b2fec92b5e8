"""Token ids of whole columns of text, with the fast tokenizer of a checkpoint."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any

from rectune.core.prefetch import prefetch
from rectune.filters.score import TokenIds, as_tokens, score_column

BATCH = 4096  # texts a call: enough to keep the tokenizer's threads busy, little enough to bound memory
_CHARACTERS = 4 << 20  # a call takes fewer texts where these are longer than a thousand characters


def score_texts(tokenizer: Any, texts: Iterable[str]) -> dict[str, Any]:
    """Scores of a whole column of texts at once; see `rectune.filters.score.score_column`."""
    import numpy as np

    parts = [score_column(tokens) for tokens in encode_batches(tokenizer, texts)] or [score_column([])]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def encode_batches(
    tokenizer: Any, texts: Iterable[str], batch: int = BATCH, characters: int = _CHARACTERS
) -> Generator[TokenIds, None, None]:
    """Token ids of the texts, batch by batch, special tokens neither added nor recognised.

    The next batch is read and encoded in another thread while the current one is used.
    """
    encode = _encoder(tokenizer)
    for rows in prefetch(encode(some) for some in _batches(texts, batch, characters)):
        yield as_tokens(rows)


def _encoder(tokenizer: Any) -> Callable[[list[str]], Iterable[list[int]]]:
    """A function that encodes a list of texts; iterating over its result extracts the ids."""
    if getattr(tokenizer, "backend_tokenizer", None) is None:  # written in Python
        return lambda texts: tokenizer(texts, add_special_tokens=False, split_special_tokens=True)[
            "input_ids"
        ]
    backend = _plain(tokenizer)
    return lambda texts: (row.ids for row in backend.encode_batch_fast(texts, add_special_tokens=False))


@functools.lru_cache(maxsize=1)
def _plain(tokenizer: Any) -> Any:
    """A fast tokenizer's core without its wrapper (half the time), truncation and padding."""
    backend = copy.deepcopy(tokenizer.backend_tokenizer)
    backend.no_truncation()
    backend.no_padding()
    backend.encode_special_tokens = True
    return backend


def _batches(texts: Iterable[str], most: int, most_characters: int) -> Iterator[list[str]]:
    some, characters = list[str](), 0
    for text in texts:
        some.append(text)
        characters += len(text)
        if len(some) >= most or characters >= most_characters:
            yield some
            some, characters = [], 0
    if some:
        yield some
