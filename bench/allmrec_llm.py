"""`python -m bench.allmrec_llm --data path/to/data [--quick]`: A-LLMRec's stage 2, and the paper's baselines.

The stage data on MovieLens with 300 test users, whom nothing is fitted on. SASRec and stage 1 are fitted on
all likes of train users; what a language model takes part in (`--soft`) is trained on `--cases` of them:
A-LLMRec, the same with lists for prompts (`allmrec_list`), LLM-SRec (`llmsrec`), MLP-LLM (SASRec's item
vectors in place of the joint space), TALLRec (an adapter, yes or no). Then the next
item of `--users` test users is ranked among 19 others that are drawn alike (or, with `--protocol popularity`,
by their likes), also by: the language model alone (the same prompt without vectors, untrained), popularity,
EASE, ALS, embeddings, both of these, SASRec with and without texts, and stage 1 alone. A-LLMRec is measured
twice, with the joint vectors of items and with those of their texts alone. By the sum and by the mean of the
log-probabilities of a title's tokens.

Shown are Hit@1 with 95 % Wilson intervals, of all, of cold and of warm items (the 35 % least and most liked)
and of cold users (the 35 % who met the fewest items), and MRR; `--history 3` makes everybody a cold user.
Then, of what ranks a whole catalogue in passing, HR@10 and NDCG@10 among all items that a user never met.
`--cross` then ranks the other datasets by what reads texts. `--train-users 1/8,64` takes fewer users for all
that is fitted. Fitted rankers, training and ranks are kept below `--runs`: run again, it goes on where it
stopped.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from bench.allmrec import KeptVectors
from bench.allmrec_data import DATASETS, PROTOCOLS, WorldOptions, foreign, world
from bench.allmrec_systems import SOFT, SystemOptions, fit_all, foreign_systems, systems_of
from bench.allmrec_tables import (
    PUBLISHED,
    catalogue_table,
    differences_table,
    hits_table,
    measured,
    missing_rows,
)
from rectune.retrieval.embedding import dimension, register

_EMBEDDER = "embedded, kept"
_QUICK = {"cases": 16, "users": 5, "sasrec_epochs": 2}


def measure(name: str, options: WorldOptions, how: SystemOptions, cross: Sequence[str]) -> None:
    """Fit on a dataset, rank its test users, and those of the others; print the tables."""
    own = world(name, options)
    parts = (name, options.test, options.train_users, how.sasrec_epochs, options.seed, own.key)
    place = options.runs / "bench-allmrec" / "-".join(map(str, parts)).replace("/", "of")
    found = fit_all(own.data, place, how)
    trained = (how.model, how.cases, how.epochs, options.protocol, options.history)
    ranks = place / "ranks" / "-".join(map(str, trained)).replace("/", "_")
    said = f"{name}, fitted on {options.train_users} of the train users, {options.protocol} others"
    systems = systems_of(found)
    hits = measured(ranks / name, own.asks, systems)
    every = measured(ranks / f"{name}-catalogue", own.whole(), [one for one in systems if one.whole])
    for table in (hits_table(said, own, hits), differences_table(hits), catalogue_table(said, every)):
        print(table.to_markdown(), end="\n\n", flush=True)
    for other in cross:
        there = foreign(world(other, replace(options, train_users="all")))
        others = measured(ranks / other, there.asks, foreign_systems(found, there.data))
        table = hits_table(f"{other}, fitted on {name}", there, others)
        print(table.to_markdown(), end="\n\n")
        print(f"not measured, since they know no foreign items: {', '.join(missing_rows(others, hits))}\n")


def main(arguments: Sequence[str] | None = None) -> None:
    """Fit, train, score, print."""
    given = _arguments(arguments)
    torch.set_num_threads(1)
    given.runs.mkdir(parents=True, exist_ok=True)
    register(_EMBEDDER, dimension(), KeptVectors(given.runs / "allmrec-vectors.npz"), english=True)
    how = SystemOptions(given.model, given.cases, given.epochs, given.sasrec_epochs, given.soft)
    for train_users in given.train_users.split(","):
        options = WorldOptions(
            given.data, given.runs, given.test, given.users, train_users, given.history, given.protocol,
            _EMBEDDER, given.seed,
        )  # fmt: skip
        for name in given.fitted.split(","):
            cross = [other for other in DATASETS if other != name] if given.cross else []
            measure(name, options, how, cross)
    print(PUBLISHED.to_markdown())


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.allmrec_llm", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds movielens/")
    parser.add_argument("--fitted", default="movielens", help=f"of {', '.join(DATASETS)}")
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--cases", type=int, default=1000, help="that the language model is trained on")
    parser.add_argument("--epochs", type=int, default=1, help="of the language model")
    parser.add_argument("--test", type=int, default=300, help="users whom nothing is fitted on")
    parser.add_argument("--users", type=int, default=300, help="of them, how many are ranked")
    parser.add_argument("--train-users", default="all", help="all, 1/8, or a number; several by commas")
    parser.add_argument("--history", type=int, default=0, help="known likes of a test user; 0: up to 20")
    parser.add_argument("--protocol", choices=PROTOCOLS, default="uniform")
    parser.add_argument("--sasrec-epochs", type=int, default=60)
    parser.add_argument("--cross", action="store_true", help="rank the other datasets too")
    parser.add_argument(
        "--soft", nargs="*", choices=SOFT, default=SystemOptions().soft, help="rankers with a language model"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="a try: 16 cases, 5 users, 2 epochs of SASRec")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    given = parser.parse_args(arguments)
    if given.quick:
        vars(given).update(_QUICK)
    return given


if __name__ == "__main__":
    main()
