"""The gap between two forms of one model, and log-probabilities that are known."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest

from models.parity import answer_logps, gap


def test_the_gap_is_between_the_means_of_each_answer() -> None:
    assert gap([[-1.0, -3.0], [-2.0]], [[-2.0, -3.0], [-2.5]]) == pytest.approx(0.5)


def test_equal_models_have_no_gap_and_different_ones_cannot_cancel_out() -> None:
    assert gap([[-1.0], [-2.0]], [[-1.0], [-2.0]]) == 0.0
    assert gap([[-1.0], [-2.0]], [[-2.0], [-1.0]]) == 1.0


def test_answers_without_tokens_are_left_out_and_none_at_all_is_refused() -> None:
    assert gap([[], [-1.0]], [[], [-1.25]]) == 0.25
    with pytest.raises(ValueError, match="no answer"):
        gap([[]], [[]])


class _Letters:
    """A tokenizer of letters with the least a chat template needs."""

    chat_template = "{% for m in messages %}{{ m.content }}{% endfor %}"
    special_tokens_map: dict[str, str] = {}  # noqa: RUF012
    added_tokens_decoder: dict[int, Any] = {}  # noqa: RUF012

    def get_chat_template(self) -> str:
        return self.chat_template

    def __call__(self, text: str, **_: object) -> dict[str, list[int]]:
        return {"input_ids": [ord(letter) - ord("a") for letter in text]}


class _Successor:
    """Expects after every letter the next one of the alphabet, at odds of 9 to 25 for all others."""

    device = "cpu"

    def __call__(self, input_ids: Any) -> Any:
        import torch

        following = torch.nn.functional.one_hot((input_ids + 1) % 26, 26)
        return SimpleNamespace(logits=following * math.log(9.0))


def test_each_token_is_predicted_from_the_one_before_it() -> None:
    found = answer_logps(_Successor(), _Letters(), [("user", "ab")], "cdx")
    likely, unlikely = math.log(9 / 34), math.log(1 / 34)
    assert found == pytest.approx([likely, likely, unlikely], abs=1e-5)
