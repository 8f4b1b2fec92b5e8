"""`make bench-picks`: how well simulated visitors are served after a few ticks, by what they are asked about.

`python -m bench.picks [--data path/to/data] [--datasets movielens,anime]`; the samples without `--data`. Of
each dataset so many users with 20 likes and more are held out; rankers and picks learn from the others. Half
of a visitor's likes are to be found (never ticked); of the other half, and of what they met without liking
it, they can tick what they know: the more people like an item, the more probably (0.2 + 0.8 * the root of its
likes by the most). Twelve items are on the page. They tick the first that they can, its place is filled by
the next pick; where they can tick none of the twelve, twelve others come. Ticked likes are the history.

Measured is NDCG@10 of the half that is to be found among all items that were not ticked or met, after 3, 5
and 8 ticks (however many items that takes), and after 12, 24, 48 items shown (however many ticks these got).
Intervals are of the bootstrap over users, differences are paired.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.picks_tables import Floats, Moment, table
from rectune.core.artifacts import ArtifactStore
from rectune.core.catalogue import load_catalogue
from rectune.core.rng import generator_of
from rectune.core.tables import read_table
from rectune.core.types import Item
from rectune.pipeline.run import RunOptions, run_pipeline
from rectune.rankers.base import Ranker, fit_ranker
from rectune.rankers.co_likes import CoLikes
from rectune.rankers.domain_data import DomainData, TrainLikes
from rectune.recommender.item_space import space_of_items, space_of_likes
from rectune.recommender.picks import SHOWN, ItemPicks, Marks

if TYPE_CHECKING:
    import polars as pl

TICKS, ITEMS = (3, 5, 8), (12, 24, 48)
_LEAST = 20  # likes of a visitor
_LONGEST = 1200  # items shown, after which a visitor leaves

Ask = Callable[[Marks, int, Sequence[str], Sequence[str]], list[str]]
"""(marks, how many, what was shown before, what of it waits for an answer) -> what is shown next."""


@dataclass(frozen=True)
class Visitor:
    """A user who was held out.

    Attributes:
        name: their id.
        ticks: what they can tick: item id -> whether they like it.
        targets: likes that are to be found.
        met: all else that they met; no list holds it.
    """

    name: str
    ticks: dict[str, bool]
    targets: frozenset[str]
    met: frozenset[str]


@dataclass
class Visit:
    """What was ticked by when."""

    ticked: list[str] = field(default_factory=list)
    shown_at: list[int] = field(default_factory=list)
    """How many items had been shown at each tick."""
    shown: int = 0

    def after_ticks(self, count: int) -> list[str]:
        """What was ticked first."""
        return self.ticked[:count]

    def after_items(self, count: int) -> list[str]:
        """What was ticked among the first items."""
        return [item for item, at in zip(self.ticked, self.shown_at, strict=True) if at <= count]

    def shown_for(self, count: int) -> int:
        """How many items were shown for so many ticks."""
        return self.shown_at[count - 1] if len(self.shown_at) >= count else self.shown


def visit(visitor: Visitor, ask: Ask) -> Visit:
    """A visitor ticks until they have ticked 8 items and seen 48, or there is no more, or it is too long."""
    found, marks, before = Visit(), Marks(), list[str]()
    while len(found.ticked) < max(TICKS) or len(before) < max(ITEMS):
        grid = ask(marks, SHOWN, before, ())
        before += grid
        if not grid or len(before) > _LONGEST:
            break
        while at := next((at for at, item in enumerate(grid) if item in visitor.ticks), -1) + 1:
            item = grid.pop(at - 1)
            found.ticked.append(item)
            found.shown_at.append(len(before))
            liked, others = list(marks.liked), list(marks.others)
            (liked if visitor.ticks[item] else others).append(item)
            marks = Marks(liked, others)
            following = ask(marks, 1, before, grid)
            grid[at - 1 : at - 1] = following
            before += following
    found.shown = len(before)
    return found


@dataclass(frozen=True)
class Domain:
    """One dataset, its visitors held out."""

    name: str
    items: list[Item]
    likes: TrainLikes
    visitors: list[Visitor]


def domains(data: Path, users: int, seed: int) -> Iterator[Domain]:
    """The datasets of a finished stage `data`."""
    import polars as pl

    catalogue = load_catalogue(data / "items.parquet")
    for name in catalogue.domains:
        items, own = catalogue.of(name), pl.col("domain") == name
        ids = read_table(data / "items.parquet").filter(own).select("item", "item_id")
        rows = read_table(data / "interactions.parquet").filter(own).join(ids, on="item")
        rows = rows.group_by("user", "item_id").agg(pl.col("liked").max()).sort("user", "item_id")
        likes = rows.filter("liked").group_by("user").len().filter(pl.col("len") >= _LEAST)["user"].sort()
        drawn = generator_of("picks", seed, name).permutation(len(likes))
        held = likes.gather(drawn[: min(users, len(likes) // 3)]).sort()
        rest = rows.filter(pl.col("liked") & ~pl.col("user").is_in(held.implode()))
        place = {item.item_id: at for at, item in enumerate(items)}
        train = TrainLikes(
            tuple(place), rest["user"].cast(pl.Int64).to_numpy(),
            np.array([place[item] for item in rest["item_id"]], np.int64),
        )  # fmt: skip
        met = rows.filter(pl.col("user").is_in(held.implode())).partition_by("user")
        yield Domain(name, items, train, [_visitor(one, train, seed) for one in met])


def _visitor(rows: pl.DataFrame, likes: TrainLikes, seed: int) -> Visitor:
    name = str(rows["user"][0])
    rng = generator_of("picks", seed, name)
    liked = {item for item, like in zip(rows["item_id"], rows["liked"], strict=True) if like}
    targets = set(rng.permutation(sorted(liked))[: len(liked) // 2].tolist())
    met = frozenset(rows["item_id"]) - targets
    top, ticks = float(likes.counts.max()), {}
    for item in sorted(met):
        if rng.random() < 0.2 + 0.8 * (likes.counts[likes.place[item]] / top) ** 0.5:
            ticks[item] = item in liked
    return Visitor(name, ticks, frozenset(targets), met)


def in_order(order: Sequence[str]) -> Ask:
    """Shows items in this order, whatever is ticked."""
    left = iter(order)
    return lambda marks, count, before, grid: [item for _, item in zip(range(count), left, strict=False)]


def by_picks(picks: ItemPicks) -> Ask:
    """What the service asks about."""
    return lambda marks, count, before, grid: picks.choose(marks, count, besides=before, shown=grid)


def ndcg(listed: Sequence[str], targets: frozenset[str]) -> float:
    """NDCG@10 of a list for several targets, each of gain 1."""
    gains = 1 / np.log2(np.arange(2, 12))
    hits = np.array([item in targets for item in listed[:10]])
    return float((gains[: len(hits)] @ hits) / gains[: min(10, len(targets))].sum())


def asked(domain: Domain, seed: int, rankers: Sequence[Ranker]) -> dict[str, Callable[[Visitor], Ask]]:
    """What each system shows to a visitor; the service's own is the first.

    Where `hybrid` is among the rankers, so are picks that know its embeddings, and not who liked what.
    """
    ids = domain.likes.item_ids
    popular = [ids[at] for at in np.argsort(-domain.likes.counts, kind="stable")]
    picks = ItemPicks(space_of_likes(CoLikes.of(domain.likes), ids))

    def at_random(visitor: Visitor) -> Ask:
        return in_order(generator_of("picks", seed, visitor.name, "order").permutation(list(ids)).tolist())

    found: dict[str, Callable[[Visitor], Ask]] = {
        "picks": lambda visitor: by_picks(picks),
        "popular": lambda visitor: in_order(popular),
        "random": at_random,
    }
    if hybrid := next((one for one in rankers if one.name == "hybrid"), None):
        blind = ItemPicks(space_of_items(domain.items, hybrid))
        found["picks, likes unknown"] = lambda visitor: by_picks(blind)
    return found


def measured(domain: Domain, names: Sequence[str], seed: int) -> str:
    """The table of one dataset."""
    data = DomainData(domain.name, domain.items, lambda: domain.likes)
    rankers = [fit_ranker(name, data) for name in names]
    visits: dict[str, list[Visit]] = {}
    for system, asks in asked(domain, seed, rankers).items():
        begun = time.perf_counter()
        visits[system] = [visit(one, asks(one)) for one in domain.visitors]
        print(f"{domain.name}, {system}: {time.perf_counter() - begun:.0f} s", flush=True)
    moments = [_moment(domain, rankers, visits, "ticks", count) for count in TICKS]
    moments += [_moment(domain, rankers, visits, "items", count) for count in ITEMS]
    return table(domain.name, names, moments, [one.name for one in domain.visitors]).to_markdown()


def _moment(
    domain: Domain, rankers: Sequence[Ranker], visits: Mapping[str, list[Visit]], kind: str, count: int
) -> Moment:
    ndcg, effort = {}, {}
    for system, some in visits.items():
        if kind == "ticks":
            ticked = [one.after_ticks(count) for one in some]
            effort[system] = np.array([one.shown_for(count) for one in some], np.float64)
        else:
            ticked = [one.after_items(count) for one in some]
            effort[system] = np.array([len(one) for one in ticked], np.float64)
        for ranker in rankers:
            ndcg[ranker.name, system] = gains(domain, ranker, ticked)
    return Moment(f"{count} {kind}", ndcg, effort)


def gains(domain: Domain, ranker: Ranker, ticked: Sequence[Sequence[str]]) -> Floats:
    """[visitors] NDCG@10; who likes nothing of what they ticked gets what is popular, as the service does.

    Of what a visitor met only the targets are ranked: of the rest, ticked or not, it is known whether they
    like it, and it would take the places of items of which that is not known.

    Args:
        domain: whose visitors.
        ranker: fitted on the likes of the others.
        ticked: by visitor, from what each could tick.
    """
    histories = [
        [item for item in some if one.ticks[item]] for one, some in zip(domain.visitors, ticked, strict=True)
    ]
    order = np.argsort(-domain.likes.counts, kind="stable")[:_LONGEST]
    popular = [domain.likes.item_ids[at] for at in order]
    found = []
    ranked = ranker.top(histories, 10, exclude=[one.met for one in domain.visitors])
    for visitor, history, best in zip(domain.visitors, histories, ranked, strict=True):
        left = [item for item in popular if item not in visitor.met]
        ids = [one.item_id for one in best] if history else left
        found.append(ndcg(ids[:10], visitor.targets))
    return np.array(found)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read, simulate, print."""
    parser = argparse.ArgumentParser(prog="python -m bench.picks", description=__doc__)
    parser.add_argument("--data", type=Path, help="holds one folder a dataset; the samples if not given")
    parser.add_argument("--datasets", default="movielens,anime")
    parser.add_argument("--rankers", default="ease,hybrid", help="ease alone embeds nothing")
    parser.add_argument("--users", type=int, default=200, help="visitors of each dataset, at most a third")
    parser.add_argument("--seed", type=int, default=7, help="of the choice of visitors and of what they know")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    given = parser.parse_args(arguments)
    names = given.datasets.split(",")
    wanted = [
        f"data.datasets=[{', '.join(names)}]",
        f"data.mixture_weights={{{', '.join(f'{name}: 1' for name in names)}}}",
        *([f"data.root={given.data}"] if given.data else []),
    ]
    store = ArtifactStore(given.runs)
    data = run_pipeline(RunOptions(Path("demo"), wanted, "data"), store)["data"]
    for domain in domains(data, given.users, given.seed):
        print(f"{domain.name}: {len(domain.visitors)} visitors", flush=True)
        print(measured(domain, given.rankers.split(","), given.seed), end="\n\n", flush=True)


if __name__ == "__main__":
    main()
