"""Preference pairs as token ids, and which of them are held out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rectune.core.types import Preference
from rectune.models.chat_tokenization import prompt_ids, response_ids
from rectune.models.eval_users import split_eval_users

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Row = dict[str, Any]  # number (int), prompt_ids, chosen_ids, rejected_ids (lists of int)


@dataclass(frozen=True)
class PreferenceRows:
    """Pairs to train on and pairs held out, all pairs of one user on one side; `seen` counts those that were
    too long, too, and `tokens` those of both sides of all pairs.
    """

    train: list[Row]
    held_out: list[Row]
    seen: int
    tokens: int

    def __len__(self) -> int:
        return len(self.train) + len(self.held_out)

    @property
    def longest_answer(self) -> int:
        """Tokens of the longest answer."""
        return max(
            len(row[side]) for row in self.train + self.held_out for side in ("chosen_ids", "rejected_ids")
        )


def make_rows(
    tokenizer: PreTrainedTokenizerBase, pairs: Sequence[Preference], max_length: int, holdout: float
) -> PreferenceRows:
    """Tokenise pairs and hold out those of some users.

    Args:
        tokenizer: of the model.
        pairs: any number.
        max_length: pairs whose prompt and longer answer have more tokens are left out, and counted.
        holdout: the share of the users whose pairs are held out.
    """
    kept: list[tuple[str, Row]] = []
    for pair in pairs:
        row = tokenise_pair(tokenizer, pair)
        if _length(row) <= max_length:
            kept.append((f"{pair.prompt.domain}/{pair.prompt.user}", row | {"number": len(kept)}))
    out = split_eval_users((user for user, _ in kept), holdout)
    tokens = sum(
        2 * len(row["prompt_ids"]) + len(row["chosen_ids"]) + len(row["rejected_ids"]) for _, row in kept
    )
    train, held_out = ([row for user, row in kept if (user in out) == side] for side in (False, True))
    return PreferenceRows(train, held_out, len(pairs), tokens)


def tokenise_pair(tokenizer: PreTrainedTokenizerBase, pair: Preference) -> Row:
    """The prompt once, and each answer with the tokens that end the assistant's turn."""
    return {
        "prompt_ids": prompt_ids(tokenizer, pair.prompt),
        "chosen_ids": response_ids(tokenizer, pair.chosen),
        "rejected_ids": response_ids(tokenizer, pair.rejected),
    }


def _length(row: Row) -> int:
    return len(row["prompt_ids"]) + max(len(row["chosen_ids"]), len(row["rejected_ids"]))
