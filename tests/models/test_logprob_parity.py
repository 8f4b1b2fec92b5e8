"""The gap between two forms of one model, and log-probabilities that are known."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from rectune.core.errors import RectuneError
from rectune.core.figures.models import Divergence
from rectune.models.logprob_parity import AnswerLogprobs, answer_logps, answer_rows, divergence, gap


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


def test_the_rows_of_answers_hold_what_every_token_could_be() -> None:
    rows = answer_rows(_Successor(), _Letters(), [([("user", "ab")], "cd"), ([("user", "x")], "y")])
    assert rows.tokens.tolist() == [2, 3, 24] and rows.logs.shape == (3, 26)
    assert np.exp(rows.logs).sum(axis=1) == pytest.approx(np.ones(3), abs=1e-5)
    assert [row.argmax() for row in rows.logs] == [2, 3, 24]


def rows(*shares: list[float]) -> AnswerLogprobs:
    return AnswerLogprobs(np.zeros(len(shares), np.int64), np.log(np.array(shares, np.float32)))


def test_the_divergence_of_known_distributions() -> None:
    found = divergence(rows([0.5, 0.5], [0.5, 0.5]), rows([0.25, 0.75], [0.5, 0.5]))
    assert found.tokens == 2 and found.max_gap == pytest.approx(math.log(2), abs=1e-6)
    assert found.mean_gap == pytest.approx(math.log(2) / 2, abs=1e-6)
    assert found.kl == pytest.approx((0.5 * math.log(2) + 0.5 * math.log(2 / 3)) / 2, abs=1e-6)


def test_a_padded_vocabulary_is_no_difference_and_equal_rows_are_not_below_zero() -> None:
    padded = AnswerLogprobs(np.zeros(1, np.int64), np.log(np.array([[0.3, 0.7, 1e-30]], np.float32)))
    assert divergence(rows([0.3, 0.7]), padded) == Divergence(tokens=1, mean_gap=0.0, max_gap=0.0, kl=0.0)


def test_other_tokens_cannot_be_compared_and_what_is_no_number_stays_none() -> None:
    one = rows([0.3, 0.7])
    with pytest.raises(RectuneError, match="different tokens"):
        divergence(one, AnswerLogprobs(np.ones(1, np.int64), one.logs))
    assert divergence(one, AnswerLogprobs(one.tokens, one.logs * np.nan)).mean_gap is None


def test_rows_come_back_from_their_file(tmp_path: Path) -> None:
    rows([0.3, 0.7]).save(tmp_path / "rows.npz")
    found = AnswerLogprobs.load(tmp_path / "rows.npz")
    assert found.tokens.tolist() == [0] and np.array_equal(found.logs, rows([0.3, 0.7]).logs)
    assert [path.name for path in tmp_path.iterdir()] == ["rows.npz"]
