"""`make bench-hybrid-knn DATA=path/to/data`: hybrid item-kNN by its parts, and its embedder tuned.

The stage data on anime, books and MovieLens, without any language model. Test users of anime and MovieLens,
in no training, are ranked with all they are known to like (as the protocol `served` does): hybrid_knn by text
alone, by Jaccard alone, and by both, beside item_knn, with the untuned embedder. Then the embedder is tuned
on pairs of anime that the same train users like, the guard tries mixtures on held-out train users of all
three domains, and the same test users are ranked by the tuned one whole, and by the mixture that passed. In
the end the protocol `held_out_ratings` on both domains. `--quick` takes popular items, few users, few pairs.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from rectune.core.artifacts import ArtifactStore
from rectune.core.catalogue import load_catalogue
from rectune.core.figures.held_out_ratings import HeldOutRatingsFigures
from rectune.core.recipe import Recipe, load_recipe
from rectune.core.rows import read_rows
from rectune.core.settings import HeldOutRatingsConfig
from rectune.core.stats.metrics import UserBootstrap, hit_at, ndcg_at
from rectune.core.text.figures import with_ends
from rectune.core.text.tables import Table
from rectune.core.types import Case
from rectune.evaluation.held_out_ratings import held_out_ratings_table, measured
from rectune.evaluation.rating_split import split_ratings
from rectune.evaluation.served_ranks import TargetRanks, scored_ranks
from rectune.evaluation.served_users import ServedUser, served_users
from rectune.pipeline.run import RunOptions, run_pipeline
from rectune.pipeline.tune_embedder import EmbedderRequest, prepare, trial_table
from rectune.rankers.base import fit_ranker
from rectune.rankers.domain_data import DomainData, train_likes
from rectune.rankers.embedder_guard import Embed, try_mixtures
from rectune.rankers.fit_cache import FitCache
from rectune.rankers.tune_embedder import TuningOptions, embed_by, set_mixture, train_on_pairs, weights_of
from rectune.retrieval.embedding import EMBEDDED, Vectors, dimension, load_model, register

TUNED_ON, DOMAINS = "anime", ("anime", "movies")
PARTS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "embedding_best": ("embedding_best", {}),
    "item_knn": ("item_knn", {}),
    "hybrid_knn, text alone": ("hybrid_knn", {"jaccard_weight": 0.0}),
    "hybrid_knn, Jaccard alone": ("hybrid_knn", {"jaccard_weight": 1.0}),
    "hybrid_knn, half each": ("hybrid_knn", {"jaccard_weight": 0.5}),
    "hybrid_knn": ("hybrid_knn", {}),
    "hybrid_knn, 100 neighbours": ("hybrid_knn", {"neighbours": 100}),
}
OF_TEXT = ("embedding_best", "hybrid_knn, text alone", "hybrid_knn, half each", "hybrid_knn")
HEADS = (
    "domain", "embedder", "ranker", "users", "NDCG@10", "less untuned", "HR@10", "Hit@1 of 20", "fit, s",
    "rank, s",
)  # fmt: skip


@dataclass(frozen=True)
class Setting:
    """How large the measurement is."""

    users: int
    pairs: int
    guards: int
    overrides: tuple[str, ...] = ()


FULL = Setting(300, 2_000, 300)
QUICK = Setting(40, 160, 60, ("data.min_item_likes=60",))


@dataclass(frozen=True)
class Tested:
    """A domain of the test: its data, and the users who are ranked."""

    data: DomainData
    users: Sequence[ServedUser]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.hybrid_knn", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds one folder a dataset")
    parser.add_argument("--quick", action="store_true", help="popular items, few users and few pairs")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    given = parser.parse_args()
    setting = QUICK if given.quick else FULL
    overrides = [
        f"data.root={given.data}",
        "data.datasets=[anime, books, movielens]",
        "data.mixture_weights={anime: 1, books: 1, movielens: 1}",
        f"data.test={3 * setting.users}",
        *("data.train=150", "data.preference=60", "data.train_time_quantile=1.0", "data.max_history=20"),
        *setting.overrides,
    ]
    recipe = Path("demo")
    folder = run_pipeline(RunOptions(recipe, overrides, "data"), ArtifactStore(given.runs))["data"]
    tested = {domain: _tested(folder, domain, setting) for domain in DOMAINS}
    untuned = {domain: _ranked(one, PARTS, EMBEDDED, {}) for domain, one in tested.items()}
    for rows, _ in untuned.values():
        print(Table(HEADS, rows, align="lllr").to_markdown(), flush=True)
    request = EmbedderRequest(recipe, overrides, Path(), (TUNED_ON,), setting.pairs, setting.guards)
    for name in _tuned(request, load_recipe(recipe, overrides), folder):
        for domain, one in tested.items():
            again = Tested(_with_embedder(one.data, name), one.users)
            rows, _ = _ranked(again, {part: PARTS[part] for part in OF_TEXT}, name, untuned[domain][1])
            print(Table(HEADS, rows, align="lllr").to_markdown(), flush=True)
    print(_held_out(folder, tested, setting))


def _tested(folder: Path, domain: str, setting: Setting) -> Tested:
    catalogue, cases = load_catalogue(folder / "items.parquet"), read_rows(folder / "cases.parquet", Case)
    likes = partial(train_likes, folder, cases, domain)
    data = DomainData(domain, catalogue.of(domain), likes)
    own = [case for case in cases if case.split == "test" and case.domain == case.history_domain == domain]
    users = [user for user in served_users(folder, own, setting.users, seed=7) if user.history]
    return Tested(data, users)


def _with_embedder(data: DomainData, embedder: str) -> DomainData:
    likes = data.likes
    return DomainData(data.domain, list(data.items.values()), lambda: likes, embedder)


def _ranked(
    tested: Tested,
    parts: Mapping[str, tuple[str, dict[str, Any]]],
    embedder: str,
    before: Mapping[str, TargetRanks],
) -> tuple[list[tuple[str, ...]], dict[str, TargetRanks]]:
    """The rows of the table, and the ranks by ranker; `before` are those with the untuned embedder."""
    drawn = UserBootstrap([user.name for user in tested.users], 10_000, 7)
    begun = time.process_time()
    tested.data.full_vectors()
    print(f"{tested.data.domain}: embedded by {embedder} in {time.process_time() - begun:.0f} processor s")
    rows: list[tuple[str, ...]] = []
    found: dict[str, TargetRanks] = {}
    for label, (name, parameters) in parts.items():
        begun = time.process_time()
        ranker = fit_ranker(name, tested.data, parameters)
        fitted = time.process_time()
        found[label] = ranks = scored_ranks(ranker, tested.users, lambda done: None)
        gains = ndcg_at(ranks.ranks, 10)
        less = gains - ndcg_at(before[label].ranks, 10) if label in before else None
        rows.append(
            (
                tested.data.domain, embedder, label, f"{len(tested.users)}",
                with_ends(float(gains.mean()), drawn.interval(gains)),
                "" if less is None else with_ends(float(less.mean()), drawn.interval(less), signed=True),
                f"{hit_at(ranks.ranks, 10).mean():.3f}", f"{hit_at(ranks.own, 1).mean():.3f}",
                f"{fitted - begun:.1f}", f"{time.process_time() - fitted:.1f}",
            )
        )  # fmt: skip
    return rows, found


def _tuned(request: EmbedderRequest, config: Recipe, folder: Path) -> list[str]:
    """Tune on one domain, and register what is measured: the tuned one, and the mixture that passed."""
    prepared = prepare(request, config, folder)
    model, plain = load_model(EMBEDDED), load_model(EMBEDDED)
    untuned, begun = weights_of(model), time.process_time()
    train_on_pairs(model, prepared.pairs, TuningOptions(seed=config.fit.seed))
    tuned, spent = weights_of(model), time.process_time() - begun
    print(f"tuned on {len(prepared.pairs):,} pairs of {TUNED_ON} in {spent:.0f} processor s", flush=True)

    def mixture(share: float) -> Embed:
        set_mixture(model, untuned, tuned, share)
        return embed_by(model)

    trials = try_mixtures(prepared.guarded, prepared.tuned, embed_by(plain), mixture, config.fit.seed)
    print(trial_table(trials).to_markdown(), flush=True)
    passed = [trials[-1].share] if trials[-1].passes(prepared.tuned) else []
    print(f"the guard takes {passed[0]:.0%} of it" if passed else "the guard refuses it")
    names = []
    for share in dict.fromkeys([1.0, *passed]):
        names.append(name := f"tuned, {share:.0%}")
        register(name, dimension(EMBEDDED), partial(_embedded_by, mixture, share), english=True)
    return names


def _embedded_by(mixture: Callable[[float], Embed], share: float, texts: Sequence[str]) -> Vectors:
    """The vectors of a mixture, whose weights are set anew."""
    return mixture(share)(texts)


def _held_out(folder: Path, tested: Mapping[str, Tested], setting: Setting) -> str:
    """The table of the protocol of held-out ratings."""
    config = HeldOutRatingsConfig(users=2 * setting.users, list_lengths=[3, 10])
    domains = {}
    for domain, one in tested.items():
        split = split_ratings(folder, domain, config.held_out_fraction, config.seed)
        domains[domain] = measured(one.data.with_likes(split.promoted), split, config, FitCache())
    return held_out_ratings_table(HeldOutRatingsFigures(domains=domains))


if __name__ == "__main__":
    np.seterr(all="raise", under="ignore")
    main()
