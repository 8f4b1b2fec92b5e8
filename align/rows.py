"""Preference pairs as token ids, and which of them are held out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from rectune.core.types import Preference, content_id
from rectune.models.chat_tokenization import prompt_ids, response_ids
from rectune.models.eval_users import split_eval_users

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# number (int), source (str), prompt_ids and chosen_ids (lists of int), rejected_ids (a list of such lists)
Row = dict[str, Any]


@dataclass(frozen=True)
class PreferenceRows:
    """Rows to train on and rows held out, all rows of one user on one side; `seen` counts the pairs, those
    that were too long, too, and `tokens` those of all answers, each with its prompt.

    A row is a tagged pair, or a chosen answer with all rejected ones of a case that was made for ranking.
    """

    train: list[Row]
    held_out: list[Row]
    seen: int
    tokens: int

    @property
    def pairs(self) -> int:
        """Pairs of all rows."""
        return sum(len(row["rejected_ids"]) for row in self.train + self.held_out)

    @property
    def longest_answer(self) -> int:
        """Tokens of the longest answer."""
        return max(len(answer) for row in self.train + self.held_out for answer in answers_of(row))


def make_rows(
    tokenizer: PreTrainedTokenizerBase, pairs: Sequence[Preference], max_length: int, holdout: float
) -> PreferenceRows:
    """Tokenise pairs and hold out those of some users.

    Args:
        tokenizer: of the model.
        pairs: any number; those made for ranking of one prompt and chosen answer follow each other.
        max_length: pairs whose prompt and longer answer have more tokens are left out, and counted.
        holdout: the share of the users whose pairs are held out.
    """
    kept: list[tuple[str, Row]] = []
    for _, members in groupby(pairs, _group):
        group = list(members)
        row = tokenise_pairs(tokenizer, group)
        left = max_length - len(row["prompt_ids"])
        row["rejected_ids"] = [answer for answer in row["rejected_ids"] if len(answer) <= left]
        if row["rejected_ids"] and len(row["chosen_ids"]) <= left:
            user = f"{group[0].prompt.domain}/{group[0].prompt.user}"
            kept.append((user, row | {"number": len(kept)}))
    out = split_eval_users((user for user, _ in kept), holdout)
    tokens = sum(_tokens(row) for _, row in kept)
    train, held_out = ([row for user, row in kept if (user in out) == side] for side in (False, True))
    return PreferenceRows(train, held_out, len(pairs), tokens)


def tokenise_pairs(tokenizer: PreTrainedTokenizerBase, pairs: Sequence[Preference]) -> Row:
    """Pairs of one prompt and one chosen answer: the prompt once, and each answer with the tokens that end
    the assistant's turn.
    """
    first = pairs[0]
    return {
        "source": first.source,
        "prompt_ids": prompt_ids(tokenizer, first.prompt),
        "chosen_ids": response_ids(tokenizer, first.chosen),
        "rejected_ids": [response_ids(tokenizer, pair.rejected) for pair in pairs],
    }


def answers_of(row: Row) -> list[list[int]]:
    """The chosen answer, then the rejected ones."""
    return [row["chosen_ids"], *row["rejected_ids"]]


def have_several_negatives(rows: Iterable[Row]) -> bool:
    """Whether a row has more than one rejected answer."""
    return any(len(row["rejected_ids"]) > 1 for row in rows)


def _tokens(row: Row) -> int:
    return sum(len(row["prompt_ids"]) + len(answer) for answer in answers_of(row))


def _group(pair: Preference) -> str:
    """What pairs of one row have in common; every tagged pair is a row of its own."""
    return content_id(pair.prompt.id, pair.chosen) if pair.source == "ranking" else pair.id
