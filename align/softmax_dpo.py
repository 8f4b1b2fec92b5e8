"""DPO with several rejected answers to one chosen one.

This module needs torch at import, so it is only ever imported inside a function.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F

from rectune.align.rows import Row

NO_ANSWER = -1  # the number of the answer at places that hold none

Batch = dict[str, torch.Tensor]


def softmax_dpo(
    chosen: torch.Tensor, rejected: torch.Tensor, negatives: Sequence[int], beta: float
) -> torch.Tensor:
    """The loss of every row (S-DPO: Chen et al. 2024, "On Softmax Direct Preference Optimization").

    -log sigmoid(-log sum_j exp(beta * (rejected_j - chosen))); with one negative that is DPO's loss.

    Args:
        chosen: [n] log-probs of the chosen answers less those under the reference, nats.
        rejected: [sum of `negatives`] the same of the rejected answers, row after row.
        negatives: how many of them each row has.
        beta: DPO's beta.

    Returns:
        [n], nats.
    """
    parts = torch.split(rejected, list(negatives))
    gaps = [torch.logsumexp(beta * (part - one), 0) for one, part in zip(chosen, parts, strict=True)]
    return F.softplus(torch.stack(gaps))


def stacked(rows: Sequence[Row], padding: int) -> Batch:
    """Every answer behind a prompt of its own: first the chosen answers, then the rejected ones row by row.

    Returns:
        `input_ids`, `attention_mask` and `answer` (the number of the answer that a token is of, or
        `NO_ANSWER`), each [answers, t]; `tokens`, those without padding.
    """
    asked = [(row["prompt_ids"], row["chosen_ids"]) for row in rows]
    asked += [(row["prompt_ids"], answer) for row in rows for answer in row["rejected_ids"]]
    ids = [prompt + answer for prompt, answer in asked]
    answers = [
        [NO_ANSWER] * len(prompt) + [number] * len(answer) for number, (prompt, answer) in enumerate(asked)
    ]
    return {
        "input_ids": _padded(ids, padding),
        "attention_mask": _padded([[1] * len(row) for row in ids], 0),
        "answer": _padded(answers, NO_ANSWER),
        "tokens": torch.tensor(sum(map(len, ids))),
    }


def labels_of(batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """[rows, t] the token ids of the answers, -100 elsewhere."""
    return batch["input_ids"].masked_fill(batch["answer"] == NO_ANSWER, -100)


def answer_sums(log_probs: torch.Tensor, answer: torch.Tensor, count: int) -> torch.Tensor:
    """[count] the log-prob of each answer, nats.

    Args:
        log_probs: [rows, t - 1] of every token behind the first.
        answer: [rows, t] the numbers of the answers.
        count: answers.
    """
    numbers = answer[:, 1:]
    inside = numbers != NO_ANSWER
    sums = torch.zeros(count, dtype=log_probs.dtype, device=log_probs.device)
    return sums.index_add(0, numbers[inside], log_probs[inside])


def _padded(rows: Sequence[Sequence[int]], filling: int) -> torch.Tensor:
    width = max(map(len, rows))
    return torch.tensor([[*row, *[filling] * (width - len(row))] for row in rows])
