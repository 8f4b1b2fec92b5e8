"""`python -m bench.persona --catalogue FILE --interactions FILE`: what a persona finds, and what it is worth.

Three questions, on real users. How many claims does a user have, and how many of those whose items are drawn
at random have any: from the whole catalogue, which the tests are made for, and by popularity, which they are
not. How much does re-ordering by claims change NDCG@10 of the next like of users whom the ranker was not
fitted on: `--ranker chosen` is what is served, chosen on other users; any other name is that ranker alone.
Each weight is compared with 0 on the same users; the best one is judged on users it was not chosen on.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from rectune.core.progress import muted
from rectune.core.stats.intervals import wilson
from rectune.core.stats.metrics import ndcg_at
from rectune.core.text.tables import Table
from rectune.core.types import Item
from rectune.dialogue.claim_ranking import POOL, claim_ranking
from rectune.dialogue.findings import findings
from rectune.dialogue.knowledge import Claim, Persona, UserKnowledge
from rectune.dialogue.traits import CatalogueTraits
from rectune.rankers.base import Ranker, ScoredItem, fit_ranker
from rectune.rankers.choice import ChoiceOptions
from rectune.rankers.choose_weights import cross_fitted, resampled
from rectune.rankers.chosen import ChosenRanker
from rectune.rankers.domain_data import DomainData, TrainLikes
from rectune.rankers.fit_cache import FitCache
from rectune.readers.catalogue import CatalogueOptions
from rectune.readers.drops import Drops
from rectune.readers.file_format import FileFormat
from rectune.readers.interactions import InteractionTable
from rectune.recommender.tables import items_of

WEIGHTS = (0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
_FEWEST = 6  # likes of a user who is held out: a history of five and what came next


@dataclass(frozen=True)
class Person:
    """What a user liked, oldest first, with the times where all are known, and what the user disliked."""

    liked: tuple[str, ...]
    disliked: frozenset[str]
    times: tuple[int, ...] = ()


def main() -> None:
    """Read, count, measure, print."""
    given = _arguments()
    options = CatalogueOptions(domain=given.domain, facts=given.facts.split(",") if given.facts else ())
    items = items_of(given.catalogue, options)
    people = _people(given, {item.item_id for item in items})
    catalogue = CatalogueTraits.of(items)
    print(f"{len(items):,} items, {len(people):,} users with a like", end="\n\n")
    print(_counts(people, catalogue).to_markdown(), end="\n\n")
    if given.ranker:
        print(_gains(given, items, people, catalogue).to_markdown())


def _people(given: argparse.Namespace, known: set[str]) -> list[Person]:
    table = InteractionTable(given.interactions, FileFormat(), {}, "rating")
    rows = pl.concat(table.batches(table.columns(), Drops())).filter(pl.col("item_id").is_in(sorted(known)))
    if "timestamp" in rows.columns:
        rows = rows.sort("timestamp", maintain_order=True)
    timed = "timestamp" in rows.columns and not rows["timestamp"].null_count()
    first = rows.filter(pl.col("value") >= given.liked).unique(
        ["user_id", "item_id"], keep="first", maintain_order=True
    )
    liked = first.group_by("user_id", maintain_order=True).agg("item_id", *(["timestamp"] if timed else []))
    disliked = rows.filter(pl.col("value") <= given.disliked).group_by("user_id").agg("item_id")
    against = dict(disliked.iter_rows())
    return [
        Person(tuple(ids), frozenset(against.get(user, ())) - set(ids), tuple(map(int, *times)))
        for user, ids, *times in sorted(liked.iter_rows())
    ]


def _counts(people: Sequence[Person], catalogue: CatalogueTraits) -> Table:
    """Claims of real users, and of the same users with items drawn at random."""
    ids = sorted(catalogue.items)
    likes = Counter(item for one in people for item in one.liked)
    popular = np.array([likes[item] for item in ids], np.float64)
    rows = []
    for name, weights in (
        ("real", None),
        ("drawn from the catalogue", popular * 0 + 1),
        ("by popularity", popular),
    ):
        own = people if weights is None else list(_drawn(people, ids, weights))
        found = [findings(UserKnowledge(one.liked, one.disliked), catalogue) for one in own]
        counts = sorted(map(len, found))
        any_, (low, high) = sum(map(bool, found)), wilson(sum(map(bool, found)), len(found))
        quartiles = " / ".join(str(counts[len(counts) * part // 4]) for part in (1, 2, 3))
        kinds = Counter(_kind(claim) for some in found for claim in some)
        said = ", ".join(f"{kind} {count / len(own):.2f}" for kind, count in kinds.most_common())
        rows.append((name, f"{any_ / len(own):.3f} ({low:.3f} to {high:.3f})", quartiles, said or "none"))
    heads = ("users", "share with a claim (95 %)", "claims: quartiles", "claims a user, by what they are")
    return Table(heads, rows)


def _drawn(people: Sequence[Person], ids: Sequence[str], weights: np.ndarray) -> Iterator[Person]:
    rng = np.random.default_rng(7)
    share = weights / weights.sum()
    for one in people:
        size = len(one.liked) + len(one.disliked)
        if size <= np.count_nonzero(weights):
            some = [ids[at] for at in rng.choice(len(ids), size, replace=False, p=share)]
            yield Person(tuple(some[: len(one.liked)]), frozenset(some[len(one.liked) :]))


def _kind(claim: Claim) -> str:
    return f"{'lately' if claim.recent else claim.stance} {claim.aspect}"


def _gains(
    given: argparse.Namespace, items: Sequence[Item], people: Sequence[Person], catalogue: CatalogueTraits
) -> Table:
    """NDCG@10 of held-out users' next like, by the weight of their claims."""
    rng = np.random.default_rng(given.seed)
    able = [at for at in rng.permutation(len(people)) if len(people[at].liked) >= _FEWEST]
    held = able[: min(given.users, len(people) // 3)]
    rest = [one for at, one in enumerate(people) if at not in set(held)]
    with muted():
        ranker = _fitted(given, items, rest)
    ranks = np.array([_ranks(ranker, people[at], catalogue) for at in held], np.int64).T
    gains, bootstrap = ndcg_at(ranks, 10), resampled(len(held))
    rows = [
        (f"{weight:g}", f"{own.mean():.4f}", _difference(own - gains[0], bootstrap.interval(own - gains[0])))
        for weight, own in zip(WEIGHTS, gains, strict=True)
    ]
    fair = ndcg_at(cross_fitted(ranks), 10)
    rows.append(
        (
            "best, on others",
            f"{fair.mean():.4f}",
            _difference(fair - gains[0], bootstrap.interval(fair - gains[0])),
        )
    )
    return Table(("weight of claims", f"NDCG@10, n = {len(held)}", "less without (95 %)"), rows)


def likes_of(items: Sequence[Item], people: Sequence[Person]) -> TrainLikes:
    """What people liked; where no times are known, places in their histories stand for them."""
    place = {item.item_id: at for at, item in enumerate(items)}
    rows = [
        (user, place[item], time)
        for user, one in enumerate(people)
        for item, time in zip(one.liked, one.times or range(len(one.liked)), strict=True)
    ]
    users, at, times = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    return TrainLikes(tuple(place), users, at, times)


def _fitted(given: argparse.Namespace, items: Sequence[Item], people: Sequence[Person]) -> Ranker:
    likes = likes_of(items, people)
    data = DomainData(given.domain, items, lambda: likes)
    if given.ranker != "chosen":
        return fit_ranker(given.ranker, data)
    cache = FitCache(given.runs / "rankers")
    return ChosenRanker().fit_with(data, ChoiceOptions(users=given.users, cache=cache))


def _ranks(ranker: Ranker, one: Person, catalogue: CatalogueTraits) -> list[int]:
    """The rank of the last like for each weight; claims re-order the first of the ranking."""
    history, target = one.liked[:-1], one.liked[-1]
    persona = Persona(tuple(findings(UserKnowledge(history, one.disliked), catalogue)))
    absent = {*history, *one.disliked}
    (ranked,) = ranker.top([history], len(ranker.item_ids), [absent])
    head, rest = ranked[:POOL], ranked[POOL:]
    found = []
    for weight in WEIGHTS:
        again = claim_ranking(head, persona, catalogue, weight)
        found.append(_place([*again, *rest], target))
    return found


def _place(ranked: Sequence[ScoredItem], target: str) -> int:
    return next(at for at, one in enumerate(ranked, 1) if one.item_id == target)


def _difference(values: np.ndarray, interval: tuple[float, float]) -> str:
    return f"{values.mean():+.4f} ({interval[0]:+.4f} to {interval[1]:+.4f})"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.persona", description=__doc__)
    parser.add_argument("--catalogue", type=Path, required=True)
    parser.add_argument("--interactions", type=Path, required=True)
    parser.add_argument("--domain", default="movies")
    parser.add_argument("--facts", default="", help="columns that travel with an item, parted by commas")
    parser.add_argument("--liked", type=float, default=4.0, help="the least rating that is a like")
    parser.add_argument("--disliked", type=float, default=2.0, help="the highest rating that is a dislike")
    parser.add_argument("--ranker", default="chosen", help="chosen, the name of a ranker, or nothing")
    parser.add_argument("--users", type=int, default=300, help="held out, a third of all at most")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
