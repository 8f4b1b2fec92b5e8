"""A planted preference: the shorter answer that names a film wins; with shuffled labels there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
import torch

from rectune.align.candidates import messages_of
from rectune.align.dpo import run
from rectune.core.recipe import Recipe, parse_recipe
from rectune.core.rows import read_rows, write_rows
from rectune.core.settings import LoraSection, ModelsConfig
from rectune.core.types import Preference, with_id
from rectune.models.eval_users import split_eval_users
from rectune.models.loading import add_lora, load_for_training, load_tokenizer, note_base, open_adapter
from rectune.models.logprob_parity import answer_logps
from rectune.models.prepare import make_checkpoint
from rectune.models.reference import locate
from rectune.prompts.answers import read_answer
from tests.align.examples import make_prompt
from tests.train.runs import SHORT

FILMS = ("Heat", "Ronin", "Alien", "Solaris", "Vertigo", "Fargo", "Brazil", "Stalker")
HOLDOUT = 0.25


def make_pairs(count: int) -> list[Preference]:
    """Of each prompt a short answer that names a film, chosen, and a long one that names none."""
    made = []
    for n in range(count):
        film, other = FILMS[n % 8], FILMS[(n * 3 + 1) % 8]
        text = f"I liked {other} and {FILMS[(n + 5) % 8]}, evening {n}. Which film should I see next?"
        chosen = f"It has the same mood as {other}. My recommendation: {film}"
        rejected = (
            "There are so many things that one could say about what to see next, and it depends on the "
            f"evening and on the people who are there, on number {n} too, so that it is hard to say "
            "anything at all about it."
        )
        made.append(with_id(Preference("", make_prompt(n, instruction=text), chosen, rejected, "planted")))
    return made


def shuffled(pairs: Sequence[Preference]) -> list[Preference]:
    """Every other one of the pairs that are trained on the wrong way round: the labels say nothing."""
    out = split_eval_users((f"{p.prompt.domain}/{p.prompt.user}" for p in pairs), HOLDOUT)
    trained = [p for p in pairs if f"{p.prompt.domain}/{p.prompt.user}" not in out]
    turned = {p.id for p in trained[: len(trained) // 2]}
    return [with_id(replace(p, chosen=p.rejected, rejected=p.chosen)) if p.id in turned else p for p in pairs]


def make_inputs(root: Path, base: str, pairs: Sequence[Preference]) -> dict[str, Path]:
    """A base, an adapter that does nothing yet, and the pairs."""
    inputs = {name: root / name for name in ("base", "sft", "tag")}
    for folder in inputs.values():
        folder.mkdir(parents=True)
    models = ModelsConfig(base=base, load_in_4bit=False, compute_dtype="float32")
    make_checkpoint(locate(base), inputs["base"] / "checkpoint")
    adapted = add_lora(
        load_for_training(inputs["base"] / "checkpoint", models),
        LoraSection(r=8, lora_alpha=32, lora_dropout=0.0),
        seed=1,
    )
    adapted.save_pretrained(str(inputs["sft"] / "adapter"), save_embedding_layers=False)
    note_base(inputs["sft"] / "adapter", models)
    write_rows(inputs["tag"] / "preferences.parquet", pairs, Preference)
    return inputs


def recipe(base: str, **align: Any) -> Recipe:
    settings = SHORT | {
        "zero_stage": 0,
        "per_device_train_batch_size": 4,
        "warmup_ratio": 0.0,
        "eval_user_fraction": HOLDOUT,
    }
    settings |= {"lr_scheduler_type": "constant", "eval_steps": 8}
    models = {"base": base, "load_in_4bit": False, "compute_dtype": "float32"}
    return parse_recipe({"models": models, "align": settings | align})


def margins(inputs: dict[str, Path], adapter: Path, pairs: Sequence[Preference]) -> list[float]:
    """By how many nats the chosen answer gained on the rejected one, of each pair that was held out."""
    out = split_eval_users((f"{p.prompt.domain}/{p.prompt.user}" for p in pairs), HOLDOUT)
    kept = [p for p in pairs if f"{p.prompt.domain}/{p.prompt.user}" in out]
    tokenizer = load_tokenizer(inputs["base"] / "checkpoint")
    gains = []
    for folder in (inputs["sft"] / "adapter", adapter):
        base = load_for_training(inputs["base"] / "checkpoint", ModelsConfig(base="tiny", load_in_4bit=False))
        model = open_adapter(base, folder, trainable=False).eval()
        with torch.no_grad():
            sums = [
                [
                    sum(answer_logps(model, tokenizer, messages_of(p.prompt), text))
                    for text in (p.chosen, p.rejected)
                ]
                for p in kept
            ]
        gains.append([chosen - rejected for chosen, rejected in sums])
    return [after - before for before, after in zip(*gains, strict=True)]


def align(
    root: Path, base: str, pairs: Sequence[Preference], **settings: Any
) -> tuple[dict[str, Any], list[float]]:
    """The figures of a run on these pairs, and its margins on the true labels of those held out."""
    inputs = make_inputs(root, base, pairs)
    figures = run(recipe(base, **settings), inputs, root / "out")
    truth = [
        p if p.chosen.startswith("It has") else replace(p, chosen=p.rejected, rejected=p.chosen)
        for p in pairs
    ]
    return figures, margins(inputs, root / "out" / "adapter", truth)


@pytest.mark.slow
def test_a_random_model_learns_the_planted_preference_and_nothing_from_shuffled_labels(
    tmp_path: Path,
) -> None:
    settings = {"learning_rate": 4e-3, "per_device_train_batch_size": 4, "num_train_epochs": 2}
    figures, told = align(tmp_path / "true", "tiny", make_pairs(32), **settings)
    assert figures.held_out.accuracy == 1.0
    assert all(margin > 0 for margin in told)
    _, untold = align(tmp_path / "shuffled", "tiny", shuffled(make_pairs(32)), **settings)
    assert abs(fmean(untold)) < 0.2 * fmean(told)


@pytest.mark.slow
def test_a_language_model_then_answers_as_the_planted_preference_wants(tmp_path: Path) -> None:
    # The sigmoid alone is soon content with making the rejected answers unlikely; what is written instead is
    # open.
    losses = {"loss_type": ["sigmoid", "sft"], "loss_weights": [1.0, 1.0]}
    settings = {
        "learning_rate": 1e-3,
        "per_device_train_batch_size": 2,
        "num_train_epochs": 2,
        "eval_steps": 50,
    }
    figures, told = align(tmp_path, "embedded", make_pairs(18), **settings, **losses)
    assert all(margin > 0 for margin in told)
    assert figures.answer_tokens.after < 0.8 * figures.answer_tokens.before
    before, after = answers(tmp_path / "out")
    assert names_film(after) == len(after) > names_film(before)


def answers(out: Path) -> list[list[str]]:
    """The answers to held-out prompts before and after training."""
    from rectune.models import metrics

    rows = metrics.read(out / "generations.jsonl")
    return [
        [row["answer"] for row in rows if row["step"] == s] for s in sorted({row["step"] for row in rows})
    ]


def names_film(texts: Sequence[str]) -> int:
    """How many answers recommend one of the films."""
    return sum(read_answer(text, FILMS).recommended is not None for text in texts)


def test_the_planted_pairs_are_as_they_are_called(tmp_path: Path) -> None:
    pairs = make_pairs(24)
    assert all(len(p.chosen) < len(p.rejected) for p in pairs)
    assert names_film([p.chosen for p in pairs]) == 24 and names_film([p.rejected for p in pairs]) == 0
    mixed = shuffled(pairs)
    out = split_eval_users((f"movies/{p.prompt.user}" for p in pairs), HOLDOUT)
    turned = [p for p in mixed if not p.chosen.startswith("It has")]
    assert abs(len(turned) - (24 - len(out)) / 2) <= 0.5
    assert not {p.prompt.user for p in turned} & {user.removeprefix("movies/") for user in out}
    write_rows(tmp_path / "p.parquet", mixed, Preference)
    assert read_rows(tmp_path / "p.parquet", Preference) == mixed
