"""A few steps of the real stage with the real model, in processes of their own: its memory, and its tokens a second."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rectune.core.recipe import Recipe, dump_sections
from rectune.core.rows import write_rows
from rectune.core.runs import RunStore, Workplace
from rectune.core.types import Example, Preference, Prompt, Provenance, with_id
from rectune.pipeline.launch import launch
from rectune.pipeline.machines import team_of

STEPS = 3  # optimiser steps; the first is left out of the rate, since it sets things up
_NO_MODEL = Provenance("probe", "", "{}", 0, "")


@dataclass(frozen=True)
class Probe:
    """`rate` in tokens a second over all processes, padding left out; `memory` bytes of all of them at their most;
    `start` seconds before the first step and after the last."""

    rate: float
    memory: int
    start: float


@dataclass(frozen=True)
class Lengths:
    """Rows of the probe: tokens of prompt and answer, about one a word."""

    prompts: Sequence[int]
    answers: Sequence[int]

    @classmethod
    def of(cls, lengths: Sequence[int], trained: Sequence[int], count: int) -> Lengths:
        """The longest row, then others evenly from short to long: the most memory, and an average rate."""
        pairs = sorted(zip(lengths, trained, strict=True))
        step = max(1, len(pairs) // count)
        chosen = [pairs[-1], *pairs[step // 2 :: step]]
        chosen = [chosen[number % len(chosen)] for number in range(count)]
        return cls([length - answer for length, answer in chosen], [answer for _, answer in chosen])


def probe_sft(recipe: Recipe, base: Path, lengths: Sequence[int], trained: Sequence[int]) -> Probe:
    """Train on made-up rows of these lengths for a few steps.

    Raises:
        UserError: as the stage does.
        StageFailed: as the stage does, out of memory for one.
    """
    settings = recipe.train
    count = STEPS * settings.batch_size * settings.accumulation * team_of(settings).world
    if settings.packing:  # so many examples go into a row, on average
        count *= max(1, round(settings.max_length * len(lengths) / sum(lengths)))
    with tempfile.TemporaryDirectory(prefix="rectune-probe-") as folder:
        root = Path(folder)
        made = list(_examples(Lengths.of(lengths, trained, count)))
        write_rows(root / "kept.parquet", made, Example)
        return _run("rectune.train.sft:run", recipe, "train", {"base": base, "filter": root})


def probe_dpo(
    recipe: Recipe, base: Path, adapter: Path, lengths: Sequence[int], trained: Sequence[int]
) -> Probe:
    """Align on made-up pairs of these lengths for a few steps, from the finished `sft` in the folder `adapter`."""
    settings = recipe.align
    count = STEPS * settings.batch_size * settings.accumulation * team_of(settings).world
    with tempfile.TemporaryDirectory(prefix="rectune-probe-") as folder:
        root = Path(folder)
        examples = _examples(Lengths.of(lengths, trained, count))
        pairs = [_pair(example) for example in examples]
        write_rows(root / "preferences.parquet", pairs, Preference)
        return _run("rectune.align.dpo:run", recipe, "align", {"base": base, "tag": root, "sft": adapter})


def _run(function: str, recipe: Recipe, section: str, inputs: dict[str, Path]) -> Probe:
    """Launch the stage as the pipeline does, in a store that goes away."""
    from rectune.models import metrics

    sections = dump_sections(recipe, ("models", section))
    sections[section] |= _plain(sections[section])
    spec = {"sections": sections, "inputs": {name: str(path.resolve()) for name, path in inputs.items()}}
    with (
        tempfile.TemporaryDirectory(prefix="rectune-probe-") as store,
        RunStore(Path(store)).work("probe", "probe") as place,
    ):
        work = Workplace(place.folder.resolve(), place.lock)
        _, effort = launch(function, spec, work, team_of(getattr(recipe, section)))
        rows = [row for row in metrics.read(place.folder / "metrics.jsonl") if "loss" in row]
    steady = rows[1:] or rows
    seconds = sum(row["seconds"] for row in steady)
    rate = sum(row["tokens"] for row in steady) / seconds if seconds else 0.0
    return Probe(rate, effort.peak_memory, effort.seconds - sum(row["seconds"] for row in rows))


def _plain(settings: dict[str, Any]) -> dict[str, Any]:
    """What a probe leaves out: checkpoints, evaluations, trackers, warm-up, which is as good as no step; one pass."""
    plain = {
        "epochs": 1.0,
        "save_steps": 10_000,
        "log_steps": 1,
        "report_to": [],
        "holdout": 0.0,
        "warmup_ratio": 0.0,
        "max_loss_ratio": 0.0,
    }
    return {name: value for name, value in plain.items() if name in settings}


def _examples(lengths: Lengths) -> Iterator[Example]:
    """Rows of common words, one token each in most vocabularies; those of a row differ from those of the next."""
    for number, (prompt, answer) in enumerate(zip(lengths.prompts, lengths.answers, strict=True)):
        asked = with_id(_prompt(number, " ".join(["film"] * max(1, prompt - _FRAME))))
        yield with_id(Example("", asked, " ".join(["good"] * max(1, answer - 2)), _NO_MODEL))


_FRAME = 12  # tokens of the chat template and the number


def _prompt(number: int, words: str) -> Prompt:
    return Prompt(
        id="",
        domain="films",
        scenario="passive",
        form="direct",
        locale="en",
        split="train",
        user=f"user {number}",
        system="",
        instruction=f"{number} {words}",
        history=("a",),
        candidates=(),
        target="b",
        query="",
        template="probe",
        history_domain="films",
    )


def _pair(example: Example) -> Preference:
    worse = example.response.replace("good", "bad")
    return with_id(Preference("", example.prompt, example.response, worse, "probe"))


def can_probe(recipe: Recipe, section: str) -> str:
    """Why this machine cannot run a probe of the stage; empty if it can."""
    team = team_of(getattr(recipe, section))
    if team.machines > 1:
        return f"{team.machines} machines"
    cores = os.cpu_count() or 1
    return f"{team.world} processes and {cores} cores" if team.world > cores else ""
