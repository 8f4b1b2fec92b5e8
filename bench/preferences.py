"""`python -m bench.preferences --stages runs/by-recipe/demo`: what preference training changes.

Starts from the finished stages data, queries, base, sft and candidates of a run, tags its candidates by the
simulated annotator and trains several arms of the stage `dpo`, each in a process of its own and kept under
`--out`, apart for other stages, settings and held-out users: run again, it goes on where it stopped. A share
of the preference users is held out from every arm, and no adapter is chosen on them. Of the SFT model, and of
every arm as soon as it is trained:

- the log-probability of chosen and rejected answers of held-out users, and the share of pairs whose chosen
  answer is the more likely one;
- the target among the case's own 20 candidates by the likelihood of titles, for `--users` test users, the
  same for all.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from bench.preferences_model import Adapters
from rectune.align.annotation_stage import run as run_tag
from rectune.align.held_out_figures import LogProbs
from rectune.align.rows import answers_of, make_rows
from rectune.core.catalogue import load_catalogue
from rectune.core.recipe import Recipe, load_recipe
from rectune.core.rows import read_rows, write_rows
from rectune.core.stats.metrics import UserBootstrap, target_rank
from rectune.core.types import Case, Preference, content_id
from rectune.models.eval_users import split_eval_users
from rectune.rankers.eval_cases import EvalCase, as_asked, read_test_cases
from rectune.rankers.likelihood import Likelihood, RenderedPrompt

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
SOURCES = ("tags", "ranking")  # of the pairs that are measured
STAGES = ("data", "queries", "base", "sft", "candidates")


def main() -> None:
    """Run what is missing, and print the tables."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    asked.add_argument("--recipe", type=Path, default=Path("recipes/demo.yaml"))
    asked.add_argument("--stages", type=Path, required=True, help="folder with the finished stages of a run")
    asked.add_argument("--out", type=Path, default=Path("runs/bench-preferences"))
    asked.add_argument("--arms", default="today,sft_term,ranking,both,endings,slow")
    asked.add_argument("--users", type=int, default=40, help="test users for whom titles are ranked")
    asked.add_argument("--held-out", type=float, default=0.5, help="share of the preference users")
    asked.add_argument("--train", default="", help="train this arm only, and measure nothing")
    given = asked.parse_args()
    recipe = load_recipe(
        given.recipe, ["align.eval_user_fraction=0.0", "align.zero_stage=0", "align.watched_prompts=0"]
    )
    inputs = {name: (given.stages / name).resolve() for name in STAGES}
    out = folder_of(given.out, recipe, inputs, given.held_out)
    if given.train:
        train(given.train, recipe, inputs, out, given.held_out)
        return
    pairs_of(recipe, inputs, out)
    adapters, done = Adapters(recipe, inputs), list[str]()
    print_tokens(adapters, recipe, out)
    tests = cases_of(inputs, given.users)
    for model in ["sft", *filter(None, given.arms.split(","))]:
        if model != "sft" and not (out / model / "figures.json").exists():
            began = time.monotonic()
            command = [sys.executable, "-m", "bench.preferences", *sys.argv[1:], "--train", model]
            subprocess.run(command, check=True)
            print(f"{model}: trained in {time.monotonic() - began:.0f} s", flush=True)
        adapters.switch_to(model, out)
        measure_pairs(model, adapters, recipe, out, given.held_out)
        measure_ranks(model, adapters, tests, inputs, out)
        done.append(model)
        report(done, out)


def folder_of(out: Path, recipe: Recipe, inputs: Mapping[str, Path], share: float) -> Path:
    """Where results are kept: rows of other held-out users, or of other answers, have the same numbers.

    Args:
        out: holds such folders.
        recipe: with the settings of alignment and of the models.
        inputs: the finished stages, each in a folder of the artifact store.
        share: of the preference users who are held out.
    """
    stages = [path.name for path in inputs.values()]
    return out / content_id(stages, recipe.result_fields(("align", "models")), share)


def pairs_of(recipe: Recipe, inputs: dict[str, Path], out: Path) -> None:
    """`tag/` and `endings/`: pairs of all sources, written by the stage `tag`."""
    for name, answers in (("tag", "whole"), ("endings", "ending")):
        if not (out / name / "preferences.parquet").exists():
            (out / name).mkdir(parents=True, exist_ok=True)
            changed = recipe.align.model_copy(update={"ranking_pairs": CASES, "ranking_answers": answers})
            run_tag(Recipe.model_construct(align=changed), inputs, out / name)


def read_pairs(out: Path, sources: Sequence[str], share: float, *, held_out: bool) -> list[Preference]:
    """The pairs of some sources, of the share of users who are held out or of the others."""
    whole = read_rows(out / "tag" / "preferences.parquet", Preference)
    found = [pair for pair in whole if pair.source in sources]
    if "endings" in sources:
        ends = read_rows(out / "endings" / "preferences.parquet", Preference)
        found += [pair for pair in ends if pair.source == "ranking"]
    users = split_eval_users((_user(pair) for pair in whole), share)
    return [pair for pair in found if (_user(pair) in users) == held_out]


def print_tokens(adapters: Adapters, recipe: Recipe, out: Path) -> None:
    """What all pairs of a source take: each with a prompt a side, a prompt an answer, one prompt a row."""
    for source in ("tags", "ranking", "endings"):
        pairs = [pair for side in (True, False) for pair in read_pairs(out, [source], 0.5, held_out=side)]
        rows = make_rows(adapters.tokenizer, pairs, recipe.align.max_length, 0.0).train
        asked = [(len(row["prompt_ids"]), *map(len, answers_of(row))) for row in rows]
        apart = sum(2 * prompt + chosen + one for prompt, chosen, *rest in asked for one in rest)
        stacked = sum(len(rest) * prompt + sum(rest) for prompt, *rest in asked)
        shared = sum(prompt - 1 + len(rest) + sum(rest) for prompt, *rest in asked)
        print(
            f"{source}: {len(rows)} rows of {len(pairs)} pairs, tokens {apart}, {stacked}, {shared}",
            flush=True,
        )


def _user(pair: Preference) -> str:
    return f"{pair.prompt.domain}/{pair.prompt.user}"


def train(arm: str, recipe: Recipe, inputs: dict[str, Path], out: Path, share: float) -> None:
    """One arm, on the pairs of users who are not held out."""
    from rectune.align.dpo import run as run_dpo

    sources, settings = ARMS[arm]
    folder = out / arm
    (folder / "pairs").mkdir(parents=True, exist_ok=True)
    write_rows(
        folder / "pairs" / "preferences.parquet", read_pairs(out, sources, share, held_out=False), Preference
    )
    section = recipe.align.model_copy(update=settings)
    figures = run_dpo(
        recipe.model_copy(update={"align": section}), inputs | {"tag": folder / "pairs"}, folder
    )
    (folder / "figures.json").write_text(figures.to_json(), encoding="utf-8")


def measure_pairs(model: str, adapters: Adapters, recipe: Recipe, out: Path, share: float) -> None:
    """The log-probs of all answers of held-out users, into one file a source."""
    for source in SOURCES:
        kept = out / f"held-out-{source}-{model}.json"
        if not kept.exists():
            pairs = read_pairs(out, [source], share, held_out=True)
            rows = make_rows(adapters.tokenizer, pairs, recipe.align.max_length, 0.0)
            found = {row["number"]: list(map(sum, adapters.log_probs(row))) for row in rows.train}
            kept.write_text(json.dumps(found), encoding="utf-8")


def cases_of(inputs: dict[str, Path], count: int) -> list[EvalCase]:
    """So many test cases in an order that follows from their ids."""
    tests = read_test_cases(read_rows(inputs["data"] / "cases.parquet", Case), inputs["queries"])
    return sorted(tests, key=lambda test: test.case.id)[:count]


def measure_ranks(
    model: str, adapters: Adapters, tests: Sequence[EvalCase], inputs: dict[str, Path], out: Path
) -> None:
    """The rank of the target among the candidates of every case, into a file."""
    catalogue, kept = load_catalogue(inputs["data"] / "items.parquet"), out / f"ranks-{model}.jsonl"
    known = _read_ranks(kept)
    with kept.open("a", encoding="utf-8") as log:
        for test in tests:
            if test.case.id in known:
                continue
            titles = {item.item_id: item.title for item in catalogue.of(test.case.domain)}
            asked = as_asked(test.prompt)
            ranker = Likelihood(model, adapters, titles, partial(_always, asked))
            (scores,) = ranker.score([test.case.history], [test.case.candidates])
            rank = target_rank(test.case.candidates, list(scores), test.case.target)
            log.write(json.dumps({"case": test.case.id, "rank": rank}) + "\n")
            log.flush()


def _always(asked: RenderedPrompt, history: Sequence[str]) -> RenderedPrompt:
    return asked


def _read_ranks(file: Path) -> dict[str, int]:
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return {row["case"]: row["rank"] for row in map(json.loads, lines)}


def report(models: Sequence[str], out: Path) -> None:
    """Print the tables of the models that are measured, and keep them in results.json."""
    tables = {"held out": _held_out(models, out), "ranking": _ranking(models, out)}
    (out / "results.json").write_text(json.dumps(tables, indent=1), encoding="utf-8")
    for name, rows in tables.items():
        print(f"\n{name}")
        for row in rows:
            print(json.dumps(row), flush=True)


def _held_out(models: Sequence[str], out: Path) -> list[dict[str, Any]]:
    """Of every model and source: log-probs, how they changed, margins, and shares of pairs ranked right."""
    lines = []
    for source in SOURCES:
        sums: dict[str, LogProbs] = {}
        for model in models:
            stored = json.loads((out / f"held-out-{source}-{model}.json").read_text(encoding="utf-8"))
            sums[model] = {int(number): tuple(values) for number, values in stored.items()}
        drawn = UserBootstrap([str(number) for number in sums["sft"]], 1000, 7)
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


def _ranking(models: Sequence[str], out: Path) -> list[dict[str, Any]]:
    """Of every model Hit@1 and MRR over the cases that all of them ranked."""
    ranks = {model: _read_ranks(out / f"ranks-{model}.jsonl") for model in models}
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
