"""The stage `held_out_ratings`: lists of known users, judged by ratings that were held out at random.

A protocol for ratings: a tenth of all ratings is held out, whoever gave them and whenever. Rankers are fitted
on what users promoted (9 or 10 of 10) among the rest, and list for each user k items that the user has not
met there. Of a list only the items count that the user rated in the held-out part: 9 or 10 of 10 add one, 6
and less take one away. It asks whether what is listed pleases those who are known to have met it, and says
nothing of the other items, nor of new users.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rectune.core.artifacts import write_atomically
from rectune.core.catalogue import load_catalogue
from rectune.core.extras import needs_extra
from rectune.core.figures.held_out_ratings import (
    HeldOutRatingsDomain,
    HeldOutRatingsFigures,
    HeldOutRatingsSystem,
    JudgedLists,
)
from rectune.core.figures.record import MeanInterval
from rectune.core.progress import progress, say
from rectune.core.recipe import Recipe
from rectune.core.rng import generator_of
from rectune.core.settings import HeldOutRatingsConfig
from rectune.core.stats.metrics import UserBootstrap, percentiles
from rectune.core.text.figures import mean_in_words
from rectune.core.text.markdown import escaped, joined
from rectune.core.text.tables import Cell, Table
from rectune.evaluation.rating_split import JudgedUser, RatingSplit, split_ratings
from rectune.rankers.base import Ranker
from rectune.rankers.domain_data import DomainData
from rectune.rankers.fit_cache import FitCache, FittedData
from rectune.rankers.stage import rankers_path

TABLE = "table.md"

Judgements = NDArray[np.int64]  # [users, 3] listed promoters, passives and detractors


@needs_extra("the stage held_out_ratings")
def run(config: Recipe, inputs: Mapping[str, Path], out: Path) -> HeldOutRatingsFigures:
    """Write table.md; what an earlier run fitted on the same ratings is taken from the artifact store.

    Raises:
        UserError: a domain has no ratings of 5 or of 10.
    """
    settings, domains = config.held_out_ratings, dict[str, HeldOutRatingsDomain]()
    catalogue = load_catalogue(inputs["data"] / "items.parquet")
    cache = FitCache(rankers_path(out))
    for domain in catalogue.domains:
        split = split_ratings(inputs["data"], domain, settings.held_out_fraction, settings.seed)
        say(f"{domain}: the ratings are taken to be of {split.scale:g}, the least scale that holds them all")
        embedder = config.retrieval.embedder
        items = catalogue.of(domain)
        data = DomainData(domain, items, None, embedder, settings.seed).with_likes(split.promoted)
        domains[domain] = measured(data, split, settings, cache)
    found = HeldOutRatingsFigures(domains=domains)
    text = held_out_ratings_table(found)
    write_atomically(out / TABLE, text)
    say(text)
    return found


def measured(
    data: DomainData, split: RatingSplit, settings: HeldOutRatingsConfig, cache: FitCache
) -> HeldOutRatingsDomain:
    """Every ranker on the judged users of a domain, at most `settings.users`, drawn by the seed."""
    rng = generator_of("held-out ratings, users", settings.seed, data.domain)
    chosen = sorted(rng.permutation(len(split.users))[: settings.users].tolist())
    users = [split.users[at] for at in chosen]
    drawn = UserBootstrap([str(at) for at in range(len(users))], settings.bootstrap, settings.seed)
    systems, fitted = {}, FittedData(data)
    with progress(f"held-out ratings: {data.domain}", len(settings.rankers), "rankers") as advance:
        for name, parameters in settings.rankers.items():
            ranker = cache.ranker(name, parameters, fitted)
            lists = listed_items(ranker, users, max(settings.list_lengths))
            judged = {
                str(k): in_figures(judgements(users, [row[:k] for row in lists]), drawn)
                for k in settings.list_lengths
            }
            systems[name] = HeldOutRatingsSystem(parameters=dict(parameters), lists=judged)
            advance(1)
    given = [value for user in users for value in user.held_out.values()]
    return HeldOutRatingsDomain(
        scale=split.scale,
        ratings=split.ratings,
        held_out=split.held_out,
        users=len(users),
        without_history=split.without_history,
        promoters=given.count(1),
        passives=given.count(0),
        detractors=given.count(-1),
        systems=systems,
    )


def listed_items(ranker: Ranker, users: Sequence[JudgedUser], k: int) -> list[list[str]]:
    """By user the first k items of the catalogue but for what the user is known to have met."""
    found = ranker.top([user.history for user in users], k, [user.absent for user in users])
    return [[one.item_id for one in row] for row in found]


def judgements(users: Sequence[JudgedUser], lists: Sequence[Sequence[str]]) -> Judgements:
    """[users, 3] how many items of a list its user promoted, found passable and detracted, as held out."""
    rows = [
        [user.held_out[item] for item in listed if item in user.held_out]
        for user, listed in zip(users, lists, strict=True)
    ]
    return np.array([[row.count(kind) for kind in (1, 0, -1)] for row in rows], np.int64).reshape(-1, 3)


def in_figures(judged: Judgements, drawn: UserBootstrap) -> JudgedLists:
    """Counts, and the two scores with their intervals."""
    promoters, passives, detractors = judged.sum(axis=0).tolist()
    net, rated = (judged[:, 0] - judged[:, 2]).astype(np.float64), judged.sum(axis=1).astype(np.float64)
    low, high = drawn.interval(net)
    return JudgedLists(
        promoters=promoters,
        passives=passives,
        detractors=detractors,
        score=MeanInterval(mean=float(net.mean()) if len(net) else 0.0, low=low, high=high),
        net_promoter=_ratio(net, rated, drawn),
    )


def _ratio(net: NDArray[np.float64], rated: NDArray[np.float64], drawn: UserBootstrap) -> MeanInterval | None:
    """The share over all users together, with the interval of the bootstrap over users."""
    if not rated.sum():
        return None
    below = drawn.means(rated)
    low, high = percentiles(drawn.means(net)[below > 0] / below[below > 0])
    return MeanInterval(mean=float(net.sum() / rated.sum()), low=low, high=high)


def held_out_ratings_table(figures: HeldOutRatingsFigures) -> str:
    """Markdown: a row a ranker and length of the lists, by domain."""
    note = (
        "Of the first k items of each user's list those count that the user rated in the held-out part: a "
        "promoter (9 or 10 of 10) +1, a passive 0, a detractor (6 and less) -1. Score: their sum, mean over "
        "users. Net promoter: their sum, by the listed items that have a held-out rating. Brackets: 95 %, "
        "bootstrap over users."
    )
    parts = ["# Held-out ratings", note]
    for domain, found in figures.domains.items():
        parts += [escaped(_about(domain, found)), _rows(found).to_markdown()]
    return joined(*parts) + "\n"


def _about(domain: str, found: HeldOutRatingsDomain) -> str:
    rated = found.promoters + found.passives + found.detractors
    net = (found.promoters - found.detractors) / rated if rated else 0.0
    return (
        f"{domain}: {found.held_out:,} of {found.ratings:,} ratings (of {found.scale:g}) are held out; "
        f"{found.users:,} users are judged, and {found.without_history:,} promoted nothing in the rest and "
        f"are left out. All {rated:,} held-out ratings of those who are judged: net promoter {net:.3f}."
    )


def _rows(found: HeldOutRatingsDomain) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (
            name,
            int(k),
            mean_in_words(lists.score, signed=True),
            mean_in_words(lists.net_promoter, signed=True) if lists.net_promoter else None,
            lists.promoters,
            lists.passives,
            lists.detractors,
        )
        for name, system in found.systems.items()
        for k, lists in system.lists.items()
    ]
    heads = ("ranker", "k", "score", "net promoter", "promoters", "passives", "detractors")
    return Table(heads, rows)
