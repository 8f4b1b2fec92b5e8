"""A cheap embedder for tests, by the name `letters`: how often each letter stands in a text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rectune.retrieval.embedding import Vectors, register


def letters(texts: Sequence[str]) -> Vectors:
    """[n, 16], rows of unit length."""
    counts = [[1.0, *(text.lower().count(chr(97 + n)) for n in range(15))] for text in texts]
    made = np.array(counts, np.float32).reshape(-1, 16)
    return np.asarray(made / np.linalg.norm(made, axis=1, keepdims=True), np.float32)


register("letters", 16, letters)
