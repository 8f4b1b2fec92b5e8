"""The stage `random_split`: rankers on a random split of the likes, as reports with LightFM give it.

Likes are split at random, so that the users of the test are in training. Reported are precision@10 and AUC,
means over users, of the likes for training and of those for testing. A ranker scores a user's likes for
training as the history. The evaluation that comes with LightFM ranks all items unless it is told otherwise,
so that in the test likes for training fill the first places; both ways are measured.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rectune.core.artifacts import write_atomically
from rectune.core.catalogue import load_catalogue
from rectune.core.errors import UserError
from rectune.core.extras import needs_extra
from rectune.core.figures.random_split import (
    RandomSplitDomain,
    RandomSplitFigures,
    RandomSplitSystem,
    SplitFigures,
)
from rectune.core.figures.record import MeanInterval
from rectune.core.progress import progress, say
from rectune.core.recipe import Recipe
from rectune.core.settings.random_split import RandomSplitConfig
from rectune.core.stats.metrics import UserBootstrap
from rectune.core.stats.relevant import auc, precision_at
from rectune.core.text.figures import figure, mean_in_words
from rectune.core.text.markdown import escaped, joined
from rectune.core.text.tables import Table
from rectune.evaluation.published_figures import check_one_domain
from rectune.evaluation.random_likes import RandomLikes, items_by_user, split_at_random
from rectune.rankers.base import Ranker, Scores, fit_ranker
from rectune.rankers.domain_data import Codes, DomainData

LISTED = 10
TABLE = "table.md"
_AT_ONCE = 64  # users whose whole catalogue is scored together

_NOTE = (
    "Means over users of precision@10 and AUC, among all items; likes are split at random, and a user's "
    'likes for training are the history. "Unseen": without these in the list. Ties count against the '
    "ranker in precision@10, a half in AUC. Brackets: 95 %, bootstrap over users."
)


@needs_extra("the stage random_split")
def run(config: Recipe, inputs: Mapping[str, Path], out: Path) -> RandomSplitFigures:
    """Write table.md.

    Raises:
        UserError: a domain has no two likes, or there are published figures and several domains.
    """
    settings = config.random_split
    catalogue = load_catalogue(inputs["data"] / "items.parquet")
    check_one_domain(settings.published, catalogue.domains, "random_split")
    domains: dict[str, RandomSplitDomain] = {}
    for domain in catalogue.domains:
        split = split_at_random(inputs["data"], domain, settings.test_share, settings.seed)
        items, embedder = catalogue.of(domain), config.retrieval.embedder
        data = DomainData(domain, items, None, embedder, settings.seed).with_likes(split.train)
        domains[domain] = _measured(data, split, settings)
    found = RandomSplitFigures(domains=domains)
    text = random_split_table(found, settings)
    write_atomically(out / TABLE, text)
    say(text)
    return found


def _measured(data: DomainData, split: RandomLikes, settings: RandomSplitConfig) -> RandomSplitDomain:
    """Every ranker on a domain."""
    train, test = items_by_user(split.train), items_by_user(split.test)
    systems = {}
    with progress(f"random split: {data.domain}", len(settings.rankers), "rankers") as advance:
        for name, parameters in settings.rankers.items():
            begun = time.process_time()
            ranker = fit_ranker(name, data, parameters)
            spent = time.process_time() - begun
            figures = [_figures(way, settings) for way in _all_ways(ranker, train, test)]
            systems[name] = RandomSplitSystem(
                parameters=parameters,
                fit_processor_seconds=spent,
                train=figures[0],
                test=figures[1],
                test_unseen=figures[2],
            )
            advance(1)
    return RandomSplitDomain(
        users=len(train.keys() | test.keys()),
        tested=len(test),
        without_training=len(test.keys() - train.keys()),
        items=len(data.items),
        training=len(split.train.users),
        testing=len(split.test.users),
        systems=systems,
    )


class _Way(NamedTuple):
    """One way to judge lists: [users] each, of users for whom the figures can be told."""

    precision: list[float]
    auc: list[float]


def _all_ways(ranker: Ranker, train: Mapping[int, Codes], test: Mapping[int, Codes]) -> tuple[_Way, ...]:
    """Training, test, and test among unseen items; see `RandomSplitSystem`."""
    ways = tuple(_Way([], []) for _ in range(3))
    nothing = np.zeros(0, np.int64)
    for user, scores in _scored(ranker, train, test):
        seen, next_ones = train.get(user, nothing), test.get(user, nothing)
        unseen = np.ones(len(scores), np.bool_)
        unseen[seen] = False
        everything = np.ones(len(scores), np.bool_)
        for way, likes, among in zip(
            ways, (seen, next_ones, next_ones), (everything, everything, unseen), strict=True
        ):
            _judge(way, scores, likes, among)
    return ways


def _scored(
    ranker: Ranker, train: Mapping[int, Codes], test: Mapping[int, Codes]
) -> Iterator[tuple[int, Scores]]:
    """Every user, and the scores of all items for the user's likes for training."""
    users = sorted(train.keys() | test.keys())
    for start in range(0, len(users), _AT_ONCE):
        some = users[start : start + _AT_ONCE]
        histories = [[ranker.item_ids[at] for at in train.get(user, ())] for user in some]
        yield from zip(some, ranker.score_all(histories), strict=True)


def _judge(way: _Way, scores: Scores, likes: Codes, among: NDArray[np.bool_]) -> None:
    """Add a user who has such likes, and something else among the items."""
    relevant = np.zeros(len(scores), np.bool_)
    relevant[likes] = True
    listed, liked = scores[among], relevant[among]
    if liked.any() and not liked.all():
        way.precision.append(precision_at(listed, liked, LISTED))
        way.auc.append(auc(listed, liked))


def _figures(way: _Way, settings: RandomSplitConfig) -> SplitFigures:
    count = len(way.precision)
    if not count:
        raise UserError("nobody likes some items and not others", hint="get more interactions")
    resampled = UserBootstrap([str(at) for at in range(count)], settings.bootstrap, settings.seed)

    def mean(values: list[float]) -> MeanInterval:
        low, high = resampled.interval(np.array(values))
        return MeanInterval(mean=float(np.mean(values)), low=low, high=high)

    return SplitFigures(precision_at_10=mean(way.precision), auc=mean(way.auc))


def random_split_table(figures: RandomSplitFigures, settings: RandomSplitConfig) -> str:
    """Markdown: a row a ranker, the published figures below them, and what the figures are."""
    parts = ["# Random split of the likes", _NOTE]
    for domain, found in figures.domains.items():
        parts += [escaped(_about(domain, found)), _rows(found, settings).to_markdown()]
    return joined(*parts) + "\n"


def _about(domain: str, found: RandomSplitDomain) -> str:
    return (
        f"{domain}: {found.users:,} users, {found.items:,} items; {found.training:,} likes for training, "
        f"{found.testing:,} likes of {found.tested:,} users for testing, of whom {found.without_training:,} "
        "have none for training."
    )


def _rows(found: RandomSplitDomain, settings: RandomSplitConfig) -> Table:
    measured = [
        (
            name,
            *(mean_in_words(way.precision_at_10) for way in (system.train, system.test, system.test_unseen)),
            *(mean_in_words(way.auc) for way in (system.train, system.test, system.test_unseen)),
            f"{system.fit_processor_seconds:.1f}",
            ", ".join(f"{key} {value}" for key, value in system.parameters.items()) or "defaults",
        )
        for name, system in found.systems.items()
    ]
    published = [
        (
            f"{one.system} (published)",
            figure(one.precision_at_10_train),
            figure(one.precision_at_10_test),
            None,
            figure(one.auc_train),
            figure(one.auc_test),
            None,
            None,
            one.source,
        )
        for one in settings.published
    ]
    heads = (
        "ranker", "precision@10, train", "test", "test, unseen", "AUC, train", "test", "test, unseen",
        "fit, processor s", "parameters, or source",
    )  # fmt: skip
    return Table(heads, [*measured, *published], align="lrrrrrrrl")
