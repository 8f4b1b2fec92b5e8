"""What rows a training stage will see: how many, how long; from finished stages, else from the recipe and averages."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING

from rectune.core.recipe import Recipe

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from rectune.core.types import Prompt

_SAMPLED = 1000  # rows whose tokens are counted
_KEPT = 0.9  # share of examples that pass the filter: the demo's, measured
_ANSWER = 0.75  # length of an answer as a share of the most it may have: the demo's, measured
_PROMPT = 0.6  # length of a prompt as a share of prompts.max_tokens: the demo's, measured


@dataclass(frozen=True)
class Rows:
    """Rows of a stage. `lengths` and `trained` are tokens of sampled rows, in all and labelled; `source` says whence."""

    count: int
    lengths: tuple[int, ...]
    trained: tuple[int, ...]
    source: str

    @property
    def tokens(self) -> float:
        """Tokens of all rows."""
        return self.count * mean(self.lengths)

    @property
    def longest(self) -> int:
        """Tokens of the longest sampled row."""
        return max(self.lengths)

    def packed(self, capacity: int) -> float:
        """Rows of at most `capacity` tokens that all the examples fill, packed as the stage packs them."""
        from rectune.models.training.packing import pack

        sample = list(self.lengths) * math.ceil(_SAMPLED / len(self.lengths))
        return self.count * len(pack(sample, capacity)) / len(sample)

    def padded(self, rows: int) -> float:
        """Tokens of an average batch of so many rows, each padded to its longest."""
        ordered = sorted(self.lengths)
        count = len(ordered)
        # The expected largest of `rows` draws: the chance that it is the n-th of the ordered lengths, times that.
        shares = [((n + 1) / count) ** rows - (n / count) ** rows for n in range(count)]
        return rows * sum(share * length for share, length in zip(shares, ordered, strict=True))


def sft_rows(recipe: Recipe, folders: Mapping[str, Path]) -> Rows:
    """The examples that `sft` trains on, without those held out. `folders` are those of the finished stages."""
    limit = recipe.train.max_length
    if {"filter", "base"} <= folders.keys():
        found = _of_examples(folders["filter"] / "kept.parquet", folders["base"] / "checkpoint", limit)
        return replace(found, count=round(found.count * (1 - recipe.train.holdout)))
    prompt = _assumed_prompt(recipe)
    answer = round(recipe.generate.rationale.max_tokens * _ANSWER)
    count, source = math.floor(recipe.data.train * _KEPT), "data.train, with the demo's averages"
    if "rationales" in folders:
        count, source = (
            _examples_made(folders["rationales"]),
            "examples not yet filtered, with the demo's averages",
        )
    trained_on = round(count * (1 - recipe.train.holdout))
    return Rows(trained_on, (min(limit, prompt + answer),), (answer,), source)


def dpo_rows(recipe: Recipe, folders: Mapping[str, Path]) -> Rows:
    """The pairs of `dpo`: two rows each, prompt and answer, of which the longer counts."""
    limit, align = recipe.align.max_length, recipe.align
    trained = 1 - align.holdout
    if {"tag", "base"} <= folders.keys():
        found = _of_pairs(folders["tag"] / "preferences.parquet", folders["base"] / "checkpoint", limit)
        return replace(found, count=round(found.count * trained))
    prompt = _assumed_prompt(recipe)
    answer = round(recipe.candidates.sampling.max_tokens * _ANSWER)
    source = "data.preference, with the demo's averages"
    prompts = min(recipe.data.preference, recipe.candidates.prompts or recipe.data.preference)
    pairs = prompts * (2 * recipe.candidates.answers - 3 if align.pairs == "all" else 1)
    return Rows(round(pairs * trained), (min(limit, prompt + answer),), (answer,), source)


def _assumed_prompt(recipe: Recipe) -> int:
    return round(recipe.prompts.max_tokens * _PROMPT)


def _examples_made(folder: Path) -> int:
    from rectune.core.rows import count_rows
    from rectune.core.types import Example

    return count_rows(folder / "examples.parquet", Example)


def _of_examples(file: Path, checkpoint: Path, limit: int) -> Rows:
    from rectune.core.rows import count_rows, sample_rows
    from rectune.core.types import Example

    examples, count = sample_rows(file, Example, _SAMPLED), count_rows(file, Example)
    tokenizer = _tokenizer(checkpoint)
    answers = _answer_lengths(tokenizer, [example.response for example in examples])
    prompts = _prompt_lengths(tokenizer, [example.prompt for example in examples])
    return _within(list(zip(prompts, answers, strict=True)), count, limit, "the kept examples")


def _of_pairs(file: Path, checkpoint: Path, limit: int) -> Rows:
    from rectune.core.rows import count_rows, sample_rows
    from rectune.core.types import Preference

    pairs, count = sample_rows(file, Preference, _SAMPLED), count_rows(file, Preference)
    tokenizer = _tokenizer(checkpoint)
    chosen = _answer_lengths(tokenizer, [pair.chosen for pair in pairs])
    rejected = _answer_lengths(tokenizer, [pair.rejected for pair in pairs])
    longer = [max(both) for both in zip(chosen, rejected, strict=True)]
    prompts = _prompt_lengths(tokenizer, [pair.prompt for pair in pairs])
    return _within(list(zip(prompts, longer, strict=True)), count, limit, "the tagged pairs")


def _within(sizes: Sequence[tuple[int, int]], count: int, limit: int, source: str) -> Rows:
    kept = [(prompt + answer, answer) for prompt, answer in sizes if prompt + answer <= limit] or [
        (limit, limit)
    ]
    rows = round(count * len(kept) / max(1, len(sizes)))
    return Rows(rows, tuple(length for length, _ in kept), tuple(answer for _, answer in kept), source)


def _tokenizer(checkpoint: Path) -> PreTrainedTokenizerBase:
    from rectune.models.loading import load_tokenizer

    return load_tokenizer(checkpoint)


def _prompt_lengths(tokenizer: PreTrainedTokenizerBase, prompts: Sequence[Prompt]) -> list[int]:
    from rectune.models.lengths import prompt_lengths

    return prompt_lengths(tokenizer, prompts)


def _answer_lengths(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[int]:
    from rectune.models.turns import TurnEncoder

    return [len(ids) for ids in TurnEncoder(tokenizer).responses(texts)]
