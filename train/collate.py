"""Rows of examples into batches: padded, packed, or laid end to end.

This module needs torch and trl at import, so it is only ever imported inside a function.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling
from trl.trainer.utils import pad

from rectune.train.rows import NOT_TRAINED, TokenRows

Layout = Literal["padded", "packed", "flat"]
NO_EXAMPLE = -1


class PackedCollator:
    """Batches from lists of examples; `owners` names the example of each token, -1 for padding.

    `padded` has one example a row and an attention mask. `packed` has rows of many: positions begin anew with
    each example and there is no mask, from which transformers builds attention that is blind across examples,
    for sdpa and eager. `flat` lays all rows end to end, for attention that takes the examples' borders: flash
    attention and `rectune.models.attention`. Padding is a row of examples of one token, so that no position
    is left without anything to attend to.
    """

    def __init__(self, rows: TokenRows, pad_token: int, layout: Layout) -> None:
        self.rows, self.layout = rows, layout
        self.theirs = DataCollatorForLanguageModeling(
            pad_token_id=pad_token, padding_free=layout == "flat", return_position_ids=layout == "packed"
        )

    def __call__(self, features: Sequence[dict[str, list[int]]]) -> dict[str, Any]:
        """`features` hold the numbers of each row's `examples`; tensors are (rows, tokens)."""
        members = [feature["examples"] for feature in features]
        batch: dict[str, Any] = self.theirs([self._row(row) for row in members])
        lengths = torch.tensor([self.rows.lengths[number] for row in members for number in row])
        owners = torch.tensor([number for row in members for number in row]).repeat_interleave(lengths)
        if self.layout == "flat":
            return batch | {"owners": owners[None]}
        if self.layout == "packed":
            del batch["attention_mask"]
        rows = torch.split(owners, [sum(self.rows.lengths[number] for number in row) for row in members])
        return batch | {"owners": pad(list(rows), padding_value=NO_EXAMPLE, padding_side="right")}

    def _row(self, numbers: Sequence[int]) -> dict[str, Any]:
        tokens = [self.rows.tokens(number) for number in numbers]
        labels = [ids.copy() for ids in tokens]
        for number, ids in zip(numbers, labels, strict=True):
            # The first token of an example has none before it: no label, whatever its neighbour ended with.
            ids[: max(1, self.rows.prompt_length(number))] = NOT_TRAINED
        lengths = [len(ids) for ids in tokens]
        return {"input_ids": np.concatenate(tokens), "labels": np.concatenate(labels), "seq_lengths": lengths}
