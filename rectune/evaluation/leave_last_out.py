"""The stage `leave_last_out`: rankers under the protocol that papers on sequential recommendation report.

Of every user the last like is for testing, the second last for validation, and the rest for training (Kang
and McAuley 2018, "Self-attentive sequential recommendation"): the users of the test are in training. A ranker
ranks all items but those that the user liked before (Krichene and Rendle 2020, "On sampled metrics for item
recommendation", on why none are sampled).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rectune.core.artifacts import write_atomically
from rectune.core.catalogue import load_catalogue
from rectune.core.extras import needs_extra
from rectune.core.figures.leave_last_out import LeaveLastOutDomain, LeaveLastOutFigures, LeaveLastOutSystem
from rectune.core.figures.record import MeanInterval
from rectune.core.progress import progress, say
from rectune.core.recipe import Recipe
from rectune.core.settings import LeaveLastOutConfig
from rectune.core.stats.metrics import UserBootstrap, hit_at, ndcg_at
from rectune.core.text.figures import figure, mean_in_words
from rectune.core.text.markdown import escaped, joined
from rectune.core.text.tables import Table
from rectune.evaluation.last_likes import LastLikes, split_last_likes
from rectune.evaluation.published_figures import check_one_domain
from rectune.rankers.base import Ranker, ranker_class
from rectune.rankers.domain_data import DomainData
from rectune.rankers.fit_cache import FitCache, FittedData
from rectune.rankers.holdout import HeldOutUser, target_ranks
from rectune.rankers.stage import rankers_path

LISTED = 10
TABLE = "table.md"
_AT_ONCE = 64  # users whose whole catalogue is scored together

Ranks = NDArray[np.int64]


@needs_extra("the stage leave_last_out")
def run(config: Recipe, inputs: Mapping[str, Path], out: Path) -> LeaveLastOutFigures:
    """Write table.md; what an earlier run fitted on the same likes is taken from the artifact store.

    Raises:
        UserError: a domain's likes have no times, or there are published figures and several domains.
    """
    settings = config.leave_last_out
    catalogue = load_catalogue(inputs["data"] / "items.parquet")
    check_one_domain(settings.published, catalogue.domains, "leave_last_out")
    cache = FitCache(rankers_path(out))
    domains: dict[str, LeaveLastOutDomain] = {}
    for domain in catalogue.domains:
        split = split_last_likes(inputs["data"], domain)
        items, embedder = catalogue.of(domain), config.retrieval.embedder
        data = DomainData(domain, items, None, embedder, settings.seed).with_likes(split.train)
        domains[domain] = _measured(data, split, settings, cache)
    found = LeaveLastOutFigures(domains=domains, unlike_published=tuple(_unlike(domains, settings)))
    text = leave_last_out_table(found, settings)
    write_atomically(out / TABLE, text)
    say(text)
    return found


def _measured(
    data: DomainData, split: LastLikes, settings: LeaveLastOutConfig, cache: FitCache
) -> LeaveLastOutDomain:
    """Every ranker on the tested users of a domain."""
    fitted = FittedData(data)
    resampled = UserBootstrap([str(at) for at in range(len(split.test))], settings.bootstrap, settings.seed)
    systems = {}
    with progress(f"leave-last-out: {data.domain}", len(settings.rankers), "rankers") as advance:
        for name, given in settings.rankers.items():
            parameters, ranker, gain = _tuned(name, given, fitted, split, cache)
            ranks = ranks_of(ranker, split.test)
            systems[name] = LeaveLastOutSystem(
                parameters=dict(parameters),
                validation_ndcg_at_10=gain,
                hit_at_10=_mean(hit_at(ranks, LISTED), resampled),
                ndcg_at_10=_mean(ndcg_at(ranks, LISTED), resampled),
            )
            advance(1)
    return LeaveLastOutDomain(
        users=split.users,
        tested=len(split.test),
        items=len(data.items),
        interactions=len(split.train.users) + 2 * len(split.test),
        training=len(split.train.users),
        same_time=split.same_time,
        systems=systems,
    )


def _tuned(
    name: str, given: Mapping[str, Any], fitted: FittedData, split: LastLikes, cache: FitCache
) -> tuple[Mapping[str, Any], Ranker, float]:
    """The parameters with the highest NDCG@10 of the second last likes, the ranker, and that NDCG@10.

    Of equal ones the first is taken; parameters that the recipe gives are the only ones.
    """
    tried: list[tuple[Mapping[str, Any], Ranker, float]] = []
    for parameters in [given] if given else ranker_class(name).grid:
        ranker = cache.ranker(name, parameters, fitted)
        gain = float(ndcg_at(ranks_of(ranker, split.validation), LISTED).mean())
        if not tried or gain > tried[0][2]:
            tried[:] = [(parameters, ranker, gain)]
    return tried[0]


def ranks_of(ranker: Ranker, users: Sequence[HeldOutUser]) -> Ranks:
    """[users] the rank of each target among all items but those of the history."""
    found = []
    for start in range(0, len(users), _AT_ONCE):
        some = users[start : start + _AT_ONCE]
        scores = ranker.score_all([user.history for user in some])
        targets = [ranker.place[user.target] for user in some]
        found.append(target_ranks(scores, targets, [ranker.places_of(user.history) for user in some]))
    return np.concatenate(found)


def _mean(values: NDArray[np.float64], resampled: UserBootstrap) -> MeanInterval:
    low, high = resampled.interval(values)
    return MeanInterval(mean=float(values.mean()), low=low, high=high)


def _unlike(domains: Mapping[str, LeaveLastOutDomain], settings: LeaveLastOutConfig) -> list[str]:
    """Where the data are not those that the published figures were measured on."""
    there = {
        "users": sum(one.users for one in domains.values()),
        "items": sum(one.items for one in domains.values()),
        "interactions": sum(one.interactions for one in domains.values()),
    }
    wanted = settings.published_data
    return [f"{there[name]:,} {name} in place of {n:,}" for name, n in wanted.items() if there[name] != n]


def leave_last_out_table(figures: LeaveLastOutFigures, settings: LeaveLastOutConfig) -> str:
    """Markdown: a row a ranker, the published figures below them, and what the figures are."""
    note = (
        "HR@10 and NDCG@10 of each user's last like among all items but the user's other likes; rankers are "
        "fitted without the last two likes of each user, and chosen by the second last. Ties count against "
        "the ranker. Brackets: 95 %, bootstrap over users."
    )
    parts = ["# Leave-last-out", note]
    if figures.unlike_published:
        differences = "; ".join(figures.unlike_published)
        parts.append(f"**These are not the data of the published figures: {escaped(differences)}.**")
    for domain, found in figures.domains.items():
        parts += [escaped(_about(domain, found)), _rows(found, settings).to_markdown()]
    return joined(*parts) + "\n"


def _about(domain: str, found: LeaveLastOutDomain) -> str:
    words = (
        f"{domain}: {found.tested:,} of {found.users:,} users (those with three likes or more), "
        f"{found.items:,} items, {found.interactions:,} likes, {found.training:,} of them for training."
    )
    if found.same_time:
        words += (
            f" The last two likes of {found.same_time:,} users have the same time, and the order of the file."
        )
    return words


def _rows(found: LeaveLastOutDomain, settings: LeaveLastOutConfig) -> Table:
    measured = [
        (
            name,
            mean_in_words(system.hit_at_10),
            mean_in_words(system.ndcg_at_10),
            figure(system.validation_ndcg_at_10),
            ", ".join(f"{key} {value}" for key, value in system.parameters.items()) or "defaults",
        )
        for name, system in found.systems.items()
    ]
    published = [
        (f"{one.system} (published)", figure(one.hit_at_10), figure(one.ndcg_at_10), None, one.source)
        for one in settings.published
    ]
    heads = ("ranker", "HR@10", "NDCG@10", "validation NDCG@10", "parameters, or source")
    return Table(heads, [*measured, *published], align="lrrrl")
