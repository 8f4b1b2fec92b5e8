"""Answers to one prompt read it once: the model sees the prompt, then each answer, which sees no other one.

A preference pair is two rows with the same prompt, which is most of their tokens. In one row the prompt is
computed once, and log-probs and gradients are the same up to the order of additions (Wang and Hegde 2024,
"Accelerating Direct Preference Optimization with Prefix Sharing").

This module needs torch and trl at import, so it is only ever imported inside a function.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from rectune.models.attention import BLOCKS

_PER_TOKEN = ("log_probs", "entropy", "log_sum_sq_probs", "mean_logits", "is_top1")


@dataclass(frozen=True)
class SharedRows:
    """Rows of a batch, those with the same prompt in one.

    Attributes:
        inputs: what the model is given: input_ids, position_ids and shift_labels [groups, tokens],
            attention_mask [groups, 1, tokens, tokens].
        place: [rows, t - 1] where in the flattened groups the label behind each position of a row stands.
        labelled: [rows, t - 1] whether there is one.
    """

    inputs: dict[str, Tensor]
    place: Tensor
    labelled: Tensor

    def rows(self, values: Tensor) -> Tensor:
        """[groups, tokens] values of labels as those of the rows, [rows, t - 1]; 0 where there is none."""
        return values.reshape(-1)[self.place].masked_fill(~self.labelled, 0)


class PromptSharing:
    """While it is `on`, `model(..., fused_lm_head=True)` computes the prompt of several rows once.

    Args:
        model: a causal language model with trl's fused head, as it is inside peft's wrapper.

    Attributes:
        possible: false for a model whose layers need a mask of their own (sliding windows), or whose
            attention takes none; it stays as it is.
        on: false at first.
    """

    def __init__(self, model: Any) -> None:
        config = model.config.get_text_config()
        odd = set(getattr(config, "layer_types", None) or ()) - {"full_attention"}
        self.possible = not odd and getattr(config, "_attn_implementation", "") in ("sdpa", BLOCKS)
        self.on = False
        if not self.possible:
            return
        fused = model.forward

        @functools.wraps(fused)
        def forward(_: Any, *args: Any, **given: Any) -> Any:
            return self._shared(fused, given) if self.on and not args else fused(*args, **given)

        model.forward = types.MethodType(forward, model)

    def _shared(self, fused: Callable[..., Any], given: dict[str, Any]) -> Any:
        given = {name: value for name, value in given.items() if value is not None}  # peft hands on defaults
        if not given.get("fused_lm_head") or set(given) - _KNOWN:
            return fused(**given)
        rows = shared_rows(given["input_ids"], given["attention_mask"], given["labels"])
        if rows is None:
            return fused(**given)
        rest = {name: value for name, value in given.items() if name not in (*rows.inputs, "labels")}
        found = fused(**rest, **rows.inputs)
        for name in _PER_TOKEN:
            if found.get(name) is not None:
                found[name] = rows.rows(found[name])
        found["label_mask"] = rows.labelled
        return found


# What trl hands to the model; anything else, as pictures, may belong to single rows.
_KNOWN = {"input_ids", "attention_mask", "labels", "fused_lm_head", "use_cache"}


def shared_rows(input_ids: Tensor, attention_mask: Tensor, labels: Tensor) -> SharedRows | None:
    """The rows of a batch with each prompt once; None where that saves nothing.

    Args:
        input_ids: [rows, t] right-padded.
        attention_mask: [rows, t] 1 for what is no padding.
        labels: [rows, t] -100 for prompt and padding.
    """
    length = attention_mask.sum(dim=1).tolist()
    begin = (labels != -100).int().argmax(dim=1).tolist()
    ids = [row[:end] for row, end in zip(input_ids.tolist(), length, strict=True)]
    answered = (labels != -100).sum(dim=1).tolist()
    if any(one != end - start or start < 1 for one, start, end in zip(answered, begin, length, strict=True)):
        return None  # a label is missing inside an answer, or there is no prompt
    groups: dict[tuple[int, ...], list[int]] = {}
    for row, start in enumerate(begin):
        groups.setdefault(tuple(ids[row][:start]), []).append(row)
    if len(groups) == len(ids):
        return None
    packed = [_group(prompt, [ids[row][len(prompt) :] for row in rows]) for prompt, rows in groups.items()]
    width = max(len(one.ids) for one in packed)
    device = input_ids.device
    place = torch.zeros(input_ids.shape[0], input_ids.shape[1] - 1, dtype=torch.long)
    for number, (rows, one) in enumerate(zip(groups.values(), packed, strict=True)):
        for row, start in zip(rows, one.starts, strict=True):
            first, last = begin[row] - 1, length[row] - 1
            place[row, first:last] = torch.arange(last - first) + number * width + start
    return SharedRows(_padded(packed, width, device), place.to(device), labels[:, 1:] != -100)


@dataclass(frozen=True)
class _Group:
    """One prompt and its answers in a row. `part` is 0 in the prompt, then the number of the answer from 1;
    `starts` are where each answer's inputs begin: with the last token of the prompt, which is there once for
    each answer, since another token follows it in each.
    """

    ids: list[int]
    positions: list[int]
    labels: list[int]
    part: list[int]
    starts: list[int]


def _group(prompt: Sequence[int], answers: Sequence[Sequence[int]]) -> _Group:
    before = len(prompt) - 1
    one = _Group(list(prompt[:-1]), list(range(before)), [-100] * before, [0] * before, [])
    for number, answer in enumerate(answers, start=1):
        one.starts.append(len(one.ids))
        one.ids.extend([prompt[-1], *answer[:-1]])
        one.positions.extend(range(before, before + len(answer)))
        one.labels.extend(answer)
        one.part.extend([number] * len(answer))
    return one


def _padded(groups: Sequence[_Group], width: int, device: torch.device) -> dict[str, Tensor]:
    """What the model is given; padding is a part of its own in each group, and sees only itself."""

    def table(rows: Sequence[list[int]], filling: int) -> Tensor:
        return torch.tensor([row + [filling] * (width - len(row)) for row in rows], device=device)

    part = table([one.part for one in groups], -1)
    behind = torch.ones(width, width, dtype=torch.bool, device=device).tril()
    own = part[:, None, :] == part[:, :, None]
    seen = behind & (own | ((part == 0)[:, None, :] & (part > 0)[:, :, None]))
    return {
        "input_ids": table([one.ids for one in groups], 0),
        "position_ids": table([one.positions for one in groups], 0),
        "shift_labels": table([one.labels for one in groups], -100),
        "attention_mask": seen[:, None],
    }
