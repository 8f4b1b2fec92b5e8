"""The rows of a training stage, from finished stages or else the recipe, and a speed probe on them."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, mean
from typing import Any

from rectune.core.artifacts import ArtifactStore, WorkDir
from rectune.core.recipe import Recipe, dump_sections
from rectune.core.rows import count_rows, read_batches, sample_rows, write_rows
from rectune.core.settings import TrainConfig, TrainingConfig
from rectune.core.types import Example, Preference, Prompt, Provenance
from rectune.pipeline.launch import launch
from rectune.pipeline.machines import process_group_of

STEPS = 3  # optimiser steps of a probe; the first is left out of the rate, since it sets things up

_SAMPLED = 1000  # rows whose tokens are counted
_KEPT = 0.9  # share of examples that pass the filter: the demo's, measured
_ANSWER = 0.75  # length of an answer as a share of the most it may have: the demo's, measured
_PROMPT = 0.6  # length of a prompt as a share of prompts.max_tokens: the demo's, measured
_FRAME = 12  # tokens of a chat template, about
_LIST, _LIST_ANSWER = (
    190,
    150,
)  # tokens of a history as a list, and of its titles: films and anime
# What a probe leaves out: checkpoints, evaluations, trackers, warm-up, which is as good as no step; and it is
# one pass.
_PROBED = {
    "num_train_epochs": 1.0, "save_steps": 10_000, "logging_steps": 1, "report_to": [],
    "eval_user_fraction": 0.0, "warmup_ratio": 0.0, "max_loss_ratio": 0.0, "history_lists": 0,
}  # fmt: skip


@dataclass(frozen=True)
class TrainingStage:
    """A stage that trains: its section of the recipe, its function, and where its rows come from.

    `needs` are the stages it starts from; the rows are in `file` of the stage `source`.
    """

    name: str
    section: str
    function: str
    needs: tuple[str, ...]
    source: str
    file: str
    kind: type[Example] | type[Preference]
    rows: str

    def settings(self, recipe: Recipe) -> TrainingConfig:
        """The stage's section of the recipe."""
        found: TrainingConfig = getattr(recipe, self.section)
        return found


SFT = TrainingStage(
    "sft", "train", "rectune.train.sft:run", ("base",), "filter", "kept.parquet", Example, "the kept examples"
)
DPO = TrainingStage(
    "dpo", "align", "rectune.align.dpo:run", ("base", "sft"),
    "tag", "preferences.parquet", Preference, "the tagged pairs",
)  # fmt: skip


@dataclass(frozen=True)
class RowLengths:
    """Rows of a stage: how many it trains on, and a sample.

    `lengths` and `trained` are tokens of the sampled rows, in all and labelled; of a pair's two rows the
    longer counts. `source` says where they come from, `sample` holds the rows, if there are any yet.
    """

    count: int
    lengths: tuple[int, ...]
    trained: tuple[int, ...]
    source: str
    sample: tuple[Any, ...] = ()

    @property
    def tokens(self) -> float:
        """Tokens of all rows."""
        return self.count * mean(self.lengths)

    @property
    def longest(self) -> int:
        """Tokens of the longest sampled row."""
        return max(self.lengths)

    def packed(self, capacity: int) -> float:
        """The number of rows of at most `capacity` tokens after packing as in the stage."""
        from rectune.models.training.packing import pack

        sample = list(self.lengths) * math.ceil(_SAMPLED / len(self.lengths))
        return self.count * len(pack(sample, capacity)) / len(sample)

    def padded(self, rows: int) -> float:
        """Tokens of an average batch of this many rows, padded to its longest."""
        ordered = sorted(self.lengths)
        count = len(ordered)
        # The expected largest of `rows` draws: the chance that it is the n-th of the ordered lengths, times
        # that.
        shares = [((n + 1) / count) ** rows - (n / count) ** rows for n in range(count)]
        return rows * sum(share * length for share, length in zip(shares, ordered, strict=True))

    def spread(self, count: int) -> list[int]:
        """Places of `count` sampled rows: the longest, then evenly from short to long, repeated if needed."""
        ordered = sorted(
            range(len(self.lengths)), key=lambda place: (self.lengths[place], self.trained[place])
        )
        step = max(1, len(ordered) // count)
        chosen = [ordered[-1], *ordered[step // 2 :: step]]
        return [chosen[number % len(chosen)] for number in range(count)]


def is_packed(settings: TrainingConfig) -> bool:
    """Whether rows are filled up to `max_length` with several examples."""
    return isinstance(settings, TrainConfig) and settings.packing


def rows_of(stage: TrainingStage, recipe: Recipe, folders: Mapping[str, Path]) -> RowLengths:
    """The rows that a stage trains on, without those held out.

    Args:
        stage: `SFT` or `DPO`.
        recipe: of the run.
        folders: of its finished stages; if those of the rows and of the base model are there, rows are
            counted.
    """
    if {stage.source, "base"} <= folders.keys():
        found = _counted(stage, recipe, folders)
    else:
        found = _assumed(stage, recipe, folders)
    if stage is SFT and recipe.train.history_lists:
        found = _with_lists(found, recipe.train.history_lists)
    holdout = recipe.train.eval_user_fraction if stage is SFT else recipe.align.eval_user_fraction
    return replace(found, count=round(found.count * (1 - holdout)))


def _with_lists(rows: RowLengths, lists: int) -> RowLengths:
    """And so many histories as lists, of an average length, in their share of the sample."""
    share = max(1, round(len(rows.lengths) * lists / max(1, rows.count)))
    made = (_common_words(SFT, _LIST - _LIST_ANSWER, _LIST_ANSWER),) if rows.sample else ()
    return RowLengths(
        rows.count + lists,
        (*rows.lengths, *(_LIST,) * share),
        (*rows.trained, *(_LIST_ANSWER,) * share),
        f"{rows.source}, and {lists} histories as lists",
        (*rows.sample, *made * share),
    )


def _assumed(stage: TrainingStage, recipe: Recipe, folders: Mapping[str, Path]) -> RowLengths:
    if stage is DPO:
        count = min(recipe.data.preference, recipe.candidates.prompts or recipe.data.preference)
        count *= 2 * recipe.candidates.answers - 3 if recipe.align.pairs == "all" else 1
        count += min(recipe.align.ranking_pairs, recipe.data.train + recipe.data.preference)
        source, most = "data.preference", recipe.candidates.sampling.max_tokens
    else:
        count, source = math.floor(recipe.data.train * _KEPT), "data.train"
        most = recipe.generate.rationale.max_tokens
        if "rationales" in folders:
            count = count_rows(folders["rationales"] / "examples.parquet", Example)
            source = "examples not yet filtered"
    answer = round(most * _ANSWER)
    prompts = round(_mean_limit(recipe) * _PROMPT)
    length = min(stage.settings(recipe).max_length, prompts + answer)
    return RowLengths(count, (length,), (answer,), f"{source}, with the demo's averages")


def _mean_limit(recipe: Recipe) -> float:
    """Tokens that a prompt may have, over the languages in their shares."""
    limits, shares = recipe.prompts.token_limits, recipe.prompts.locales
    return fmean(limits.values(), [shares[locale] for locale in limits]) if limits else 0.0


def _counted(stage: TrainingStage, recipe: Recipe, folders: Mapping[str, Path]) -> RowLengths:
    from rectune.models.chat_tokenization import ChatEncoder
    from rectune.models.loading import load_tokenizer
    from rectune.models.prompt_lengths import prompt_lengths

    limit = stage.settings(recipe).max_length
    file, tokenizer = folders[stage.source] / stage.file, load_tokenizer(folders["base"] / "checkpoint")
    sample: Sequence[Any] = sample_rows(file, stage.kind, _SAMPLED)
    sides = ("response",) if stage is SFT else ("chosen", "rejected")
    texts = [getattr(row, side) for row in sample for side in sides]
    sizes = [len(ids) for ids in ChatEncoder(tokenizer).responses(texts)]
    answers = [max(sizes[place : place + len(sides)]) for place in range(0, len(sizes), len(sides))]
    prompts = prompt_lengths(tokenizer, [row.prompt for row in sample])
    every = zip(sample, prompts, answers, strict=True)
    kept = [(row, prompt + answer, answer) for row, prompt, answer in every if prompt + answer <= limit]
    count = round(_row_count(stage, recipe, file) * (len(kept) or 1) / max(1, len(sample)))
    if not kept:
        return RowLengths(count, (limit,), (limit,), stage.rows)
    rows, lengths, trained = zip(*kept, strict=True)
    return RowLengths(count, lengths, trained, stage.rows, rows)


def _row_count(stage: TrainingStage, recipe: Recipe, file: Path) -> int:
    """Rows of a file; pairs of one case that was made for ranking share a prompt, and cost about one pair."""
    if stage is SFT:
        return count_rows(file, stage.kind)
    sources = [name for batch in read_batches(file, stage.kind) for name in batch["source"].to_pylist()]
    ranking = sources.count("ranking")
    return len(sources) - ranking + math.ceil(ranking / recipe.align.ranking_negatives)


@dataclass(frozen=True)
class SpeedProbe:
    """The measurement of a few steps.

    `rate` in tokens per second over all processes, without padding; `memory` in bytes, the peak of all of
    them together; `start` in seconds before the first step and after the last.
    """

    rate: float
    memory: int
    start: float


def why_no_probe(stage: TrainingStage, recipe: Recipe, folders: Mapping[str, Path]) -> str:
    """Why a stage cannot be probed on this machine; empty if it can."""
    absent = [needed for needed in stage.needs if needed not in folders]
    if absent:
        return f"{' and '.join(absent)} would have to run before a probe"
    process_group, cores = process_group_of(stage.settings(recipe)), os.cpu_count() or 1
    if process_group.machines > 1:
        return f"the recipe wants {process_group.machines} machines"
    if process_group.world_size > cores:
        return f"the recipe wants {process_group.world_size} processes and {cores} cores"
    import torch

    here = torch.cuda.device_count() if torch.cuda.is_available() else process_group.world_size
    return (
        f"the recipe wants {process_group.world_size} processes, and {here} accelerators are here"
        if here < process_group.world_size
        else ""
    )


def probe(stage: TrainingStage, recipe: Recipe, folders: Mapping[str, Path], rows: RowLengths) -> SpeedProbe:
    """Run a stage for a few steps, as the pipeline does, on rows of these lengths, in temporary folders.

    Raises:
        UserError: as the stage does.
        StageFailed: as the stage does, for example out of memory.
    """
    from rectune.models import metrics

    process_group = process_group_of(stage.settings(recipe))
    sections = dump_sections(recipe, ("models", stage.section))
    section = sections[stage.section]
    section |= {name: value for name, value in _PROBED.items() if name in section}
    with tempfile.TemporaryDirectory(prefix="rectune-probe-") as folder:
        made = Path(folder, "rows")
        made.mkdir()
        write_rows(made / stage.file, _probe_rows(stage, recipe, rows), stage.kind)
        inputs = {name: folders[name].resolve() for name in stage.needs} | {stage.source: made}
        spec = {"sections": sections, "inputs": {name: str(path) for name, path in inputs.items()}}
        with ArtifactStore(Path(folder)).work("probe", "probe") as place:
            work = WorkDir(place.folder.resolve(), place.lock)
            _, usage = launch(stage.function, spec, work, process_group)
            logged = [row for row in metrics.read(place.folder / "metrics.jsonl") if "loss" in row]
    steady = logged[1:] or logged
    seconds = sum(row["seconds"] for row in steady)
    rate = sum(row["tokens"] for row in steady) / seconds if seconds else 0.0
    return SpeedProbe(rate, usage.peak_memory, usage.seconds - sum(row["seconds"] for row in logged))


def _probe_rows(stage: TrainingStage, recipe: Recipe, rows: RowLengths) -> list[Any]:
    """Enough of the sampled rows for a probe; if there are none yet, rows of common words."""
    settings = stage.settings(recipe)
    count = (
        STEPS
        * settings.per_device_train_batch_size
        * settings.gradient_accumulation_steps
        * process_group_of(settings).world_size
    )
    if is_packed(settings):  # so many examples go into a row, on average
        count *= max(1, round(settings.max_length / mean(rows.lengths)))
    sample = rows.sample or [
        _common_words(stage, length - answer, answer)
        for length, answer in zip(rows.lengths, rows.trained, strict=True)
    ]
    return [sample[place] for place in rows.spread(count)]


def _common_words(stage: TrainingStage, prompt: int, answer: int) -> Example | Preference:
    """A row of about this many tokens: most vocabularies have these words as one token each."""
    asked = Prompt(
        id="probe", domain="films", scenario="passive", form="direct", locale="en", split="train",
        user="nobody", system="", instruction=" ".join(["film"] * max(1, prompt - _FRAME)),
        history=("a",), candidates=(),
        target="b", query="", template="probe", history_domain="films",
    )  # fmt: skip
    good, bad = (" ".join([word] * max(1, answer - 2)) for word in ("good", "bad"))
    if stage is DPO:
        return Preference("probe", asked, good, bad, "probe")
    return Example("probe", asked, good, Provenance("probe", "", "{}", 0, ""))
