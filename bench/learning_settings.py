"""`python -m bench.learning_settings --data path`: learning rate and rank of the adapters, by held-out lists.

Trains on the lists of `bench.learning_curve` (anime and movies in turn, a list a user) with each setting,
then takes the loss on lists of train users who gave no row, and on lists of books, which is in no training:
nats a token of the titles after the second, and what that is less the first setting, list by list, with
intervals of 95 % (bootstrap over lists). No test user takes part: settings are chosen on other users than
figures are of.

A setting is RANK:RATE, or RANK:RATE:TOKENS with the tokens that a step is made of at most. Rows that lie in
one step are each attended to by themselves, so that packing changes nothing but how many make a step. Every
training is kept below `--runs`: run again, it goes on where it stopped.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from bench.learning_model import BATCH, Clock, Learner, Trained, checkpoint_in
from bench.learning_rows import list_tokens, lists_behind, made
from bench.learning_users import LEFT_OUT, TRAINED, data_folder, read_world
from rectune.core.settings import LoraSection
from rectune.core.stats.metrics import UserBootstrap
from rectune.core.text.figures import with_ends
from rectune.core.text.tables import Table
from rectune.models.loading import load_tokenizer

_SEED = 7
_SETTINGS = ("16:1e-3", "16:3e-4", "16:3e-3", "4:1e-3", "64:1e-3", "16:1e-3:4096")


@dataclass(frozen=True)
class Setting:
    """How adapters are trained; `tokens` a step at most."""

    rank: int
    rate: float
    tokens: int = BATCH

    @property
    def name(self) -> str:
        """As the table and its folder show it."""
        return f"{self.rank}:{self.rate:g}" + (f":{self.tokens}" if self.tokens != BATCH else "")


def read_setting(text: str) -> Setting:
    """RANK:RATE or RANK:RATE:TOKENS.

    Raises:
        argparse.ArgumentTypeError: it is no such thing.
    """
    try:
        rank, rate, *tokens = text.split(":")
        return Setting(int(rank), float(rate), *map(int, tokens))
    except (TypeError, ValueError):
        raise argparse.ArgumentTypeError(f"{text!r} is not RANK:RATE or RANK:RATE:TOKENS") from None


def settings_table(domain: str, losses: dict[str, NDArray[np.float64]], costs: dict[str, Trained]) -> Table:
    """A row a setting; `losses` are [lists] nats a token, the first of them those of the untrained model."""
    bootstrap = UserBootstrap([str(at) for at in range(len(next(iter(losses.values()))))], 5000, _SEED)
    first = list(losses)[min(1, len(losses) - 1)]
    rows = []
    for name, own in losses.items():
        gap = own - losses[first]
        less = "" if name == first else with_ends(float(gap.mean()), bootstrap.interval(gap), signed=True)
        cost = [f"{costs[name].steps:,}", f"{costs[name].seconds:,.0f}"] if name in costs else ["", ""]
        rows.append([name, *cost, with_ends(float(own.mean()), bootstrap.interval(own)), less])
    heads = ("setting", "steps", "processor s", "held-out nats a token", f"less {first}")
    return Table(heads, rows, domain, f"{len(losses[first])} lists, each of another user, none trained on")


def main() -> None:
    """The command line."""
    given = _arguments()
    torch.set_num_threads(1)
    data, place = data_folder(given), given.runs / "learning-settings"
    checkpoint = checkpoint_in(place, given.model)
    world = read_world(data, load_tokenizer(checkpoint))
    tokens = list_tokens(world, TRAINED, given.size, _SEED)
    rows = partial(made, world, "list", TRAINED, tokens, _SEED)
    held_out = {
        domain: lists_behind(world, domain, given.size, given.held_out, _SEED)
        for domain in (*TRAINED, LEFT_OUT)
    }
    untrained = Learner(checkpoint, LoraSection(r=1, lora_alpha=2, lora_dropout=0.0), 1.0)
    losses = {domain: {"untrained": untrained.losses(some)} for domain, some in held_out.items()}
    costs: dict[str, Trained] = {}
    for setting in given.settings:
        folder = place / f"{given.model.replace('/', '_')}-{data.name}-{given.size}" / setting.name
        lora = LoraSection(r=setting.rank, lora_alpha=2 * setting.rank, lora_dropout=0.0)
        learner = Learner(checkpoint, lora, setting.rate, setting.tokens)
        costs[setting.name], now = learner.trained_in(folder, rows, _SEED, Clock(0))
        if now:
            print(f"{setting.name}: {costs[setting.name]}", file=sys.stderr, flush=True)
        for domain, some in held_out.items():
            losses[domain][setting.name] = learner.losses(some)
    for domain, found in losses.items():
        print(settings_table(domain, found, costs).to_markdown(), flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.learning_settings", description=__doc__)
    parser.add_argument(
        "--data", type=Path, help="holds the folders movielens, anime, books; samples without"
    )
    parser.add_argument("--model", default="embedded", help="a model reference")
    parser.add_argument("--settings", nargs="+", type=read_setting, default=[*map(read_setting, _SETTINGS)])
    parser.add_argument("--size", type=int, default=100, help="lists that are trained on")
    parser.add_argument("--held-out", type=int, default=60, help="lists of each domain")
    parser.add_argument("--quick", action="store_true", help="samples, the tiny model, few rows")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    given = parser.parse_args()
    if given.quick:
        given.model, given.data, given.size, given.held_out = "tiny", None, 8, 4
    return given


if __name__ == "__main__":
    main()
