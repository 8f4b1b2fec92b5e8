"""DPO with several rejected answers to one chosen one, and the answers of a prompt laid out in one row.

This module needs torch at import, so it is only ever imported inside a function.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

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


def shared(rows: Sequence[Row], padding: int) -> Batch:
    """All answers of a row behind one prompt, so that it is computed once.

    Each answer begins with a copy of the prompt's last token, which predicts its first one; it sees the
    prompt and itself, and has the positions that it would have alone.

    Returns:
        `input_ids`, `position_ids` and `answer` [n, t], the answers numbered as by `stacked`;
        `attention_mask` [n, 1, t, t], True where a token (third axis) sees another; `tokens`.
    """
    after = list(accumulate((len(row["rejected_ids"]) for row in rows), initial=len(rows)))
    laid = [_laid_out(row, place, after[place]) for place, row in enumerate(rows)]
    width = max(len(ids) for ids, _, _, _ in laid)
    masks = torch.zeros(len(rows), 1, width, width, dtype=torch.bool)
    masks |= torch.eye(width, dtype=torch.bool)  # a token that sees nothing has no attention at all
    for place, (_, _, segments, _) in enumerate(laid):
        own = torch.tensor(segments)
        sees = (own[:, None] == own[None, :]) | (own[None, :] == 0)
        masks[place, 0, : len(own), : len(own)] |= sees & torch.ones_like(sees).tril()
    return {
        "input_ids": _padded([ids for ids, _, _, _ in laid], padding),
        "position_ids": _padded([positions for _, positions, _, _ in laid], 0),
        "answer": _padded([answers for _, _, _, answers in laid], NO_ANSWER),
        "attention_mask": masks,
        "tokens": torch.tensor(sum(len(ids) for ids, _, _, _ in laid)),
    }


def _laid_out(row: Row, chosen: int, rejected: int) -> tuple[list[int], list[int], list[int], list[int]]:
    """Ids, positions, segments (0: the prompt) and numbers of answers of one row."""
    *prompt, last = row["prompt_ids"]
    ids, positions = list(prompt), list(range(len(prompt)))
    segments, answers = [0] * len(prompt), [NO_ANSWER] * len(prompt)
    numbers = [chosen, *range(rejected, rejected + len(row["rejected_ids"]))]
    for segment, (number, answer) in enumerate(
        zip(numbers, [row["chosen_ids"], *row["rejected_ids"]], strict=True), 1
    ):
        ids += [last, *answer]
        positions += range(len(prompt), len(prompt) + 1 + len(answer))
        segments += [segment] * (1 + len(answer))
        answers += [NO_ANSWER, *[number] * len(answer)]
    return ids, positions, segments, answers


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


def can_share(model: Any) -> bool:
    """Whether a model's attention takes any mask: transformers' sdpa, and no layer of another kind."""
    config = model.config.get_text_config()
    kinds = set(getattr(config, "layer_types", None) or ())
    return getattr(config, "_attn_implementation", "") == "sdpa" and kinds <= {"full_attention"}


def _padded(rows: Sequence[Sequence[int]], filling: int) -> torch.Tensor:
    width = max(map(len, rows))
    return torch.tensor([[*row, *[filling] * (width - len(row))] for row in rows])
