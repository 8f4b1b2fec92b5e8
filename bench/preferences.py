"""`python -m bench.preferences --stages runs/by-recipe/demo`: what preference training changes.

Starts from the finished stages data, queries, base, sft and candidates of a run, tags its candidates by the
simulated annotator and trains several arms of the stage `dpo`, each in a process of its own and kept under
`--out`: run again, it goes on where it stopped. A share of the preference users is held out from every arm,
and no adapter is chosen on them. Then, of the SFT model and of every arm:

- the log-probability of chosen and rejected answers of held-out users, and the share of pairs whose chosen
  answer is the more likely one;
- the target among the case's own 20 candidates by the likelihood of titles, for as many test users as fit
  into `--seconds`; all arms rank the same users.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from rectune.align.annotation_stage import run as run_tag
from rectune.align.held_out_figures import LogProbs
from rectune.align.rows import make_rows
from rectune.core.catalogue import load_catalogue
from rectune.core.recipe import Recipe, load_recipe
from rectune.core.rows import read_rows, write_rows
from rectune.core.stats.metrics import UserBootstrap, target_rank
from rectune.core.types import Case, Preference
from rectune.models.eval_users import split_eval_users
from rectune.rankers.eval_cases import as_asked, read_test_cases
from rectune.rankers.likelihood import Likelihood, Messages

HELD_OUT = 0.5  # of the preference users
CASES = 30  # of pairs made for ranking
# Arm -> its sources of pairs, and what it sets beside the recipe.
SFT_TERM = {"loss_type": ["sigmoid", "sft"], "loss_weights": [1.0, 1.0]}
FELT: dict[str, Any] = {"learning_rate": 3e-4}
ARMS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "today": (("tags",), FELT),
    "sft_term": (("tags",), FELT | SFT_TERM),
    "ranking": (("tags", "ranking"), FELT),
    "both": (("tags", "ranking"), FELT | SFT_TERM),
    "endings": (("tags", "endings"), FELT),
    "slow": (("tags",), {}),
}
CHANGES = ("eval_user_fraction=0.0", "zero_stage=0", "watched_prompts=0")
STAGES = ("data", "queries", "base", "sft", "candidates")


def main() -> None:
    """Run what is missing, and print the tables."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    asked.add_argument("--recipe", type=Path, default=Path("recipes/demo.yaml"))
    asked.add_argument("--stages", type=Path, required=True, help="folder with the finished stages of a run")
    asked.add_argument("--out", type=Path, default=Path("runs/bench-preferences"))
    asked.add_argument("--arms", default="today,sft_term,ranking,both,endings,slow")
    asked.add_argument("--seconds", type=float, default=400.0, help="for the ranking of test users")
    asked.add_argument("--train", default="", help="train this arm only, and measure nothing")
    given = asked.parse_args()
    recipe = load_recipe(
        given.recipe, ["align.eval_user_fraction=0.0", "align.zero_stage=0", "align.watched_prompts=0"]
    )
    inputs = {name: (given.stages / name).resolve() for name in STAGES}
    if given.train:
        train(given.train, recipe, inputs, given.out)
        return
    pairs_of(recipe, inputs, given.out)
    arms = [arm for arm in given.arms.split(",") if arm]
    for arm in arms:
        if not (given.out / arm / "figures.json").exists():
            began = time.monotonic()
            command = [sys.executable, "-m", "bench.preferences", *sys.argv[1:], "--train", arm]
            subprocess.run(command, check=True)
            print(f"{arm}: trained in {time.monotonic() - began:.0f} s", flush=True)
    measure(arms, recipe, inputs, given.out, given.seconds)


def pairs_of(recipe: Recipe, inputs: dict[str, Path], out: Path) -> None:
    """`tag/` and `endings/`: pairs of all sources, written by the stage `tag`."""
    for name, answers in (("tag", "whole"), ("endings", "ending")):
        if not (out / name / "preferences.parquet").exists():
            (out / name).mkdir(parents=True, exist_ok=True)
            changed = recipe.align.model_copy(update={"ranking_pairs": CASES, "ranking_answers": answers})
            run_tag(Recipe.model_construct(align=changed), inputs, out / name)


def read_pairs(out: Path, sources: Sequence[str], *, held_out: bool) -> list[Preference]:
    """The pairs of some sources, of users who are held out or of the others."""
    whole = read_rows(out / "tag" / "preferences.parquet", Preference)
    found = [pair for pair in whole if pair.source in sources]
    if "endings" in sources:
        ends = read_rows(out / "endings" / "preferences.parquet", Preference)
        found += [pair for pair in ends if pair.source == "ranking"]
    users = split_eval_users((_user(pair) for pair in whole), HELD_OUT)
    return [pair for pair in found if (_user(pair) in users) == held_out]


def _user(pair: Preference) -> str:
    return f"{pair.prompt.domain}/{pair.prompt.user}"


def train(arm: str, recipe: Recipe, inputs: dict[str, Path], out: Path) -> None:
    """One arm, on the pairs of users who are not held out."""
    from rectune.align.dpo import run as run_dpo

    sources, settings = ARMS[arm]
    folder = out / arm
    (folder / "pairs").mkdir(parents=True, exist_ok=True)
    write_rows(folder / "pairs" / "preferences.parquet", read_pairs(out, sources, held_out=False), Preference)
    section = recipe.align.model_copy(update=settings)
    figures = run_dpo(
        recipe.model_copy(update={"align": section}), inputs | {"tag": folder / "pairs"}, folder
    )
    (folder / "figures.json").write_text(figures.to_json(), encoding="utf-8")


class Adapters:
    """The base with the SFT adapter and those of the arms, one of them switched on."""

    def __init__(self, recipe: Recipe, inputs: dict[str, Path], out: Path, arms: Sequence[str]) -> None:
        from rectune.models.loading import load_for_training, load_tokenizer, open_adapter

        checkpoint = inputs["base"] / "checkpoint"
        self.tokenizer = load_tokenizer(checkpoint)
        self.model = open_adapter(
            load_for_training(checkpoint, recipe.models), inputs["sft"] / "adapter", trainable=False
        )
        for arm in arms:
            self.model.load_adapter(str(out / arm / "adapter"), adapter_name=arm)
        self.model.eval()

    @contextmanager
    def on(self, arm: str) -> Iterator[None]:
        """Within the block the model is that of the arm; `sft` is what all began with."""
        self.model.set_adapter("default" if arm == "sft" else arm)
        yield

    def log_probs(self, row: dict[str, Any]) -> list[list[float]]:
        """Of every token of the chosen answer and of the rejected ones, which share their prompt."""
        import torch

        from rectune.align.softmax_dpo import NO_ANSWER, shared

        batch = shared([row], 0)
        numbers = batch["answer"][0, 1:]
        places = torch.nonzero(numbers != NO_ANSWER).flatten()
        given = {name: batch[name] for name in ("input_ids", "attention_mask", "position_ids")}
        with torch.no_grad():
            logits = self.model(**given, use_cache=False, logits_to_keep=places).logits[0].float()
        logs = logits.log_softmax(-1).gather(1, batch["input_ids"][0, 1:][places][:, None])[:, 0]
        return [logs[numbers[places] == n].tolist() for n in range(1 + len(row["rejected_ids"]))]

    def loglikelihood(
        self, messages: Messages, continuations: Sequence[str], prefill: str = ""
    ) -> list[list[float]]:
        """See `rectune.rankers.likelihood.Scorer`."""
        from rectune.models.chat import encode

        def plain(text: str) -> list[int]:
            found: list[int] = self.tokenizer.encode(
                text, add_special_tokens=False, split_special_tokens=True
            )
            return found

        opened = plain(prefill)
        prompt = encode(self.tokenizer, list(messages), generation_prompt=True) + opened
        answers = [plain(prefill + text)[len(opened) :] for text in continuations]
        return self.log_probs({"prompt_ids": prompt, "chosen_ids": answers[0], "rejected_ids": answers[1:]})


def measure(arms: Sequence[str], recipe: Recipe, inputs: dict[str, Path], out: Path, seconds: float) -> None:
    """Both measurements, the tables of which are printed and kept in results.json."""
    adapters = Adapters(recipe, inputs, out, arms)
    models = ["sft", *arms]
    held_out = _held_out(models, adapters, recipe, out)
    ranks = _ranks(models, adapters, inputs, out, seconds)
    tables = {"held out": held_out, "ranking": _ranking_table(ranks, models)}
    (out / "results.json").write_text(json.dumps(tables, indent=1), encoding="utf-8")
    for name, rows in tables.items():
        print(f"\n{name}")
        for row in rows:
            print(json.dumps(row))


def _held_out(models: Sequence[str], adapters: Adapters, recipe: Recipe, out: Path) -> list[dict[str, Any]]:
    """Of every model and source: log-probs, how they changed, margins, and shares of pairs ranked right."""
    lines = []
    for source in ("tags", "ranking", *(["endings"] if "endings" in models else [])):
        pairs = read_pairs(out, [source], held_out=True)
        rows = make_rows(adapters.tokenizer, pairs, recipe.align.max_length, 0.0)
        sums: dict[str, LogProbs] = {}
        for model in models:
            kept = out / f"held-out-{source}-{model}.json"
            if not kept.exists():
                with adapters.on(model):
                    found = {row["number"]: list(map(sum, adapters.log_probs(row))) for row in rows.train}
                kept.write_text(json.dumps(found), encoding="utf-8")
            stored = json.loads(kept.read_text(encoding="utf-8"))
            sums[model] = {int(number): tuple(values) for number, values in stored.items()}
        users = [str(number) for number in sums["sft"]]
        drawn = UserBootstrap(users, 1000, 7)
        lines += [{"source": source, "model": m} | _changes(sums["sft"], sums[m], drawn) for m in models]
    return lines


def _changes(before: LogProbs, after: LogProbs, drawn: UserBootstrap) -> dict[str, Any]:
    chosen = [after[n][0] - before[n][0] for n in before]
    rejected = [fmean(after[n][1:]) - fmean(before[n][1:]) for n in before]
    margins = [a - b for a, b in zip(chosen, rejected, strict=True)]
    right = [fmean(after[n][0] > one for one in after[n][1:]) for n in before]
    return {
        "rows": len(before),
        "chosen": round(fmean(sums[0] for sums in after.values()), 2),
        "rejected": round(fmean(fmean(sums[1:]) for sums in after.values()), 2),
        "chosen change": _mean(chosen, drawn),
        "rejected change": _mean(rejected, drawn),
        "margin change": _mean(margins, drawn),
        "right": _mean(right, drawn),
    }


def _mean(values: Sequence[float], drawn: UserBootstrap) -> list[float]:
    """The mean and its 95 % interval."""
    return [round(value, 3) for value in (fmean(values), *drawn.interval(values))]


def _ranks(
    models: Sequence[str], adapters: Adapters, inputs: dict[str, Path], out: Path, seconds: float
) -> dict[str, dict[str, int]]:
    """By model and test case the rank of the target; cases in a seeded order, all models on each of them."""
    kept = out / "ranks.jsonl"
    found: dict[str, dict[str, int]] = {model: {} for model in models}
    if kept.exists():
        for line in kept.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            found.setdefault(row["model"], {})[row["case"]] = row["rank"]
    catalogue = load_catalogue(inputs["data"] / "items.parquet")
    tests = read_test_cases(read_rows(inputs["data"] / "cases.parquet", Case), inputs["queries"])
    until = time.monotonic() + seconds
    with kept.open("a", encoding="utf-8") as log:
        for test in sorted(tests, key=lambda test: test.case.id):
            if time.monotonic() > until:
                break
            titles = {item.item_id: item.title for item in catalogue.of(test.case.domain)}
            for model in models:
                if test.case.id in found[model]:
                    continue
                asked = as_asked(test.prompt)
                with adapters.on(model):
                    ranker = Likelihood(model, adapters, titles, lambda history, asked=asked: asked)
                    (scores,) = ranker.score([test.case.history], [test.case.candidates])
                rank = target_rank(test.case.candidates, list(scores), test.case.target)
                found[model][test.case.id] = rank
                log.write(json.dumps({"model": model, "case": test.case.id, "rank": rank}) + "\n")
                log.flush()
    return found


def _ranking_table(ranks: dict[str, dict[str, int]], models: Sequence[str]) -> list[dict[str, Any]]:
    cases = sorted(set.intersection(*(set(ranks[model]) for model in models)))
    drawn = UserBootstrap(cases, 1000, 7)
    lines = []
    for model in models:
        hits = [float(ranks[model][case] == 1) for case in cases]
        reciprocal = [1 / ranks[model][case] for case in cases]
        before = [1 / ranks["sft"][case] for case in cases]
        gap = [float(a - b) for a, b in zip(reciprocal, before, strict=True)]
        hit_gap = [hit - float(ranks["sft"][case] == 1) for hit, case in zip(hits, cases, strict=True)]
        lines.append(
            {
                "model": model,
                "users": len(cases),
                "hit@1": _mean(hits, drawn),
                "mrr": _mean(reciprocal, drawn),
                "hit@1 less sft": _mean(hit_gap, drawn),
                "mrr less sft": _mean(gap, drawn),
                "median rank": float(np.median([ranks[model][case] for case in cases])),
            }
        )
    return lines


if __name__ == "__main__":
    main()
