"""Sources of cases: a dataset, or histories in one dataset and targets in another."""

from __future__ import annotations

import itertools
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from rectune.core import settings
from rectune.core.errors import UserError
from rectune.core.text.nearest import nearest
from rectune.core.types import Case, Split, with_id
from rectune.datagen import histories, mixture, splits
from rectune.datagen.dataset_cache import CachedDataset
from rectune.datagen.negatives import Negatives, draw, open_negatives
from rectune.datagen.rng import hashes64, uniform

if typing.TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class SourceDataset:
    """The dataset of a source's histories or targets, or one category of it."""

    part: CachedDataset
    category: str = ""

    @property
    def interactions(self) -> pl.LazyFrame:
        """Its interactions."""
        return self.part.interactions(self.category)

    def likes(self) -> pl.DataFrame:
        """Columns user and timestamp (null without times): the first like of each user and item."""
        import polars as pl

        liked = self.interactions.filter("liked").select("user", "item", "timestamp")
        if not self.part.counts.met_again:  # then every like is the first
            liked = liked.drop("item")
        if not self.part.ordered:  # a column of nulls that is read takes eight bytes a row
            liked = liked.with_columns(timestamp=pl.lit(None, pl.Int64))
        likes = liked.collect(engine="streaming")
        return splits.first_likes(likes) if "item" in likes.columns else likes


@dataclass(frozen=True)
class CaseSource:
    """Makes cases: histories from `history`, targets from `target`, which differ only if it `crosses`."""

    name: str
    history: SourceDataset
    target: SourceDataset
    share: float
    rules: splits.SplitRules
    pool: splits.UserPool
    config: settings.DataConfig

    @property
    def crosses(self) -> bool:
        """Whether history and target are of different datasets or categories."""
        return self.history is not self.target

    def capacity(self, users: pl.Series) -> int:
        """The number of training cases that these users could give."""
        import polars as pl

        own = self.pool.users.filter(pl.col("user_id").is_in(users.implode()))
        return int(own["capacity"].sum())

    def cut(self, split: Split, users: pl.Series, wanted: int) -> list[Case]:
        """At most `wanted` cases: every user's latest target first, then, in training, earlier ones."""
        import numpy as np

        # A user gives at least one case, but a cross-domain source may give none.
        found = self._people(users if self.crosses else users.head(wanted))
        chosen = list(itertools.islice(histories.places(found.persons, split, self.rules), wanted))
        seeds = hashes64((self.config.seed, self.name, person.user_id, place) for person, place in chosen)
        targets = np.array([person.targets[place] for person, place in chosen], np.int64)
        owners = np.array([person.user for person, _ in chosen], np.int64)
        others = draw(self._negatives, targets, owners, found.touched, seeds, self.config.num_candidates - 1)
        chances = uniform(~seeds, 1)[:, 0].tolist()
        return [
            self._case(split, *one, _inserted(row, int(one[0].targets[one[1]]), chance))
            for one, row, chance in zip(chosen, others, chances, strict=True)
        ]

    def _people(self, users: pl.Series) -> histories.UserHistories:
        here, there = (_coded(end.part, users) for end in (self.history, self.target))
        if self.crosses:
            ends = (self.history.interactions, here), (self.target.interactions, there)
            return histories.cross_domain_histories(*ends, self.rules)
        return histories.user_histories(self.target.interactions, there, self.rules)

    @cached_property
    def _negatives(self) -> Negatives:
        part = self.target.part
        return open_negatives(self.config.negatives, part.items, part.interactions(), self.config.embedder)

    @cached_property
    def _categories(self) -> list[str]:
        return self.target.part.items["category"].to_list()

    def _case(self, split: Split, person: histories.UserHistory, place: int, shown: list[int]) -> Case:
        target, before = int(person.targets[place]), person.before(place)
        here, there = self.history.part, self.target.part
        past = person.history[max(0, before - self.rules.max_history) : before].tolist()
        history = [here.item_ids[item] for item in past]
        return with_id(
            Case(
                id="",
                domain=there.dataset.domain,
                user=person.user_id,
                split=split,
                # An item that two categories share is no history of itself.
                history=tuple(item_id for item_id in history if item_id != there.item_ids[target]),
                target=there.item_ids[target],
                candidates=tuple(there.item_ids[item] for item in shown),
                ordered=self.rules.ordered,
                history_domain=here.dataset.domain,
                category=self._categories[target],
                cutoff=int(person.target_times[place]) // 1000 if self.rules.ordered else None,
            )
        )


def _inserted(others: list[int], target: int, chance: float) -> list[int]:
    """The target at a uniform place among the others."""
    place = int(chance * (len(others) + 1))
    return [*others[:place], target, *others[place:]]


def _coded(part: CachedDataset, users: pl.Series) -> pl.DataFrame:
    """Columns user_id and user, in the order given."""
    return users.alias("user_id").to_frame().join(part.users, on="user_id", maintain_order="left")


def make_case_sources(parts: Sequence[CachedDataset], data: settings.DataConfig) -> list[CaseSource]:
    """A source for every dataset that has interactions, and one for every entry of `cross_domain`.

    Raises:
        UserError: no dataset has interactions, one has no weight, or a cross-domain source is impossible.
    """
    live = [part for part in parts if part.counts.rows_out]
    if not live:
        hint = "add a dataset that has interactions"
        raise UserError(
            "no dataset has interactions, so there are no cases", where="data.datasets", hint=hint
        )
    names = [part.name for part in live]
    crossings = {f"{crossing.history} > {crossing.target}": crossing for crossing in data.cross_domain}
    shares = data.mixture_weights | {name: crossing.weight for name, crossing in crossings.items()}
    train = mixture.allocate(data.train, shares, [*names, *crossings])
    test, preference = mixture.evenly(data.test, names), mixture.evenly(data.preference, names)
    sources = []
    for part in live:
        wanted: dict[Split, int] = {
            "train": train[part.name],
            "preference": preference[part.name],
            "test": test[part.name],
        }
        sources.append(_dataset_source(part, wanted, data))
    for name, crossing in crossings.items():
        sources.append(_crossing_source(name, crossing, live, train[name], data))
    return sources


def _dataset_source(
    part: CachedDataset, wanted: Mapping[Split, int], data: settings.DataConfig
) -> CaseSource:
    end = SourceDataset(part)
    likes = end.likes()
    rules = _rules(part, data, splits.split_timestamp(likes, data.train_time_quantile))
    users = splits.usable_users(likes, part.users["user_id"], rules)
    pool = splits.UserPool(part.name, part.dataset.people, users, wanted)
    return CaseSource(part.name, end, end, data.mixture_weights[part.name], rules, pool, data)


def _crossing_source(
    name: str,
    crossing: settings.CrossDomainConfig,
    parts: Sequence[CachedDataset],
    wanted: int,
    data: settings.DataConfig,
) -> CaseSource:
    history, target = _end(crossing.history, parts), _end(crossing.target, parts)
    _check_crossing(history, target)
    targets = target.likes()
    rules = _rules(target.part, data, splits.split_timestamp(targets, data.train_time_quantile))
    users = splits.cross_domain_users(
        _liking(history, history.likes(), rules.until, data.min_history),
        _liking(target, targets, rules.until, 1),
    )
    if users.is_empty():
        found = f"{name}: nobody liked {data.min_history} items in the one and any in the other"
        hint = "take files of one edition for both (user ids differ between editions), or leave the entry out"
        raise UserError(found, where="data.cross_domain", hint=hint)
    pool = splits.UserPool(
        name, target.part.dataset.people, users, {"train": wanted, "preference": 0, "test": 0}
    )
    return CaseSource(name, history, target, crossing.weight, rules, pool, data)


def _liking(end: SourceDataset, likes: pl.DataFrame, until: int | None, least: int) -> pl.DataFrame:
    """user_id and number of likes of the users with enough likes, counting none after `until`."""
    import polars as pl

    early = likes if until is None else likes.filter(pl.col("timestamp") <= until)
    counts = early.group_by("user").agg(pl.len().alias("likes")).filter(pl.col("likes") >= least)
    return counts.join(end.part.users, on="user").select("user_id", "likes")


def _end(text: str, parts: Sequence[CachedDataset]) -> SourceDataset:
    name, _, category = text.partition("/")
    known = {part.name: part for part in parts}
    if name not in known:
        hint = f"name one of data.datasets that has interactions: {', '.join(known)}"
        raise UserError(f"no dataset {name}", where="data.cross_domain", hint=hint)
    categories = sorted(set(known[name].items["category"]) - {""})
    if category and category not in categories:
        hint = f"there are: {', '.join(categories) or 'none'}"
        found = f"{name} has no category {category}{nearest(category, categories)}"
        raise UserError(found, where="data.cross_domain", hint=hint)
    return SourceDataset(known[name], category)


def _check_crossing(history: SourceDataset, target: SourceDataset) -> None:
    here, there = history.part, target.part
    if here.dataset.people != there.dataset.people:
        found = f"{here.name} and {there.name} do not share user ids, so nobody is known to both"
        raise UserError(
            found, where="data.cross_domain", hint="cross datasets of one publisher, or leave it out"
        )
    if not (here.ordered and there.ordered):
        found = (
            f"{here.name} and {there.name} do not both publish times, so no history is known to come first"
        )
        raise UserError(found, where="data.cross_domain", hint="leave the entry out")


def _rules(part: CachedDataset, data: settings.DataConfig, until: int | None) -> splits.SplitRules:
    return splits.SplitRules(data.min_history, data.max_history, part.ordered, data.seed, until)
