"""bench.text_length: items of known lengths, and the memory of blocks whose sizes are known."""

from __future__ import annotations

import pytest
import torch

from bench.text_length import MIB, item, peak_of
from rectune.rankers.item_text import item_text
from rectune.retrieval.embedding import EMBEDDED, embedder_tokens


@pytest.mark.parametrize("tokens", [8, 32, 128, 2048])
def test_texts_are_about_as_long_as_asked(tokens: int):
    counter = embedder_tokens(EMBEDDED)
    assert counter is not None and counter.most == 256
    found = counter.count(item_text(item(3, tokens), "title+description"))
    assert abs(found - tokens) <= max(4, 0.15 * tokens)


def block(mib: int) -> torch.Tensor:
    return torch.zeros(mib * MIB, dtype=torch.uint8)


def test_the_peak_is_the_most_that_is_held_at_once():
    kept = block(50)  # held before: not counted

    def work() -> int:
        first, second = block(10), block(20)
        del first
        return len(block(5)) + len(second) + len(kept)

    assert peak_of(work) == pytest.approx(30, abs=0.01)
