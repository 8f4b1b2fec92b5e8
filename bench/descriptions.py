"""`python -m bench.descriptions DATA [DATA …]`: whether descriptions help to rank for a history.

Each DATA is the folder of a finished stage `data` (`rectune run recipes/demo.yaml --until data`). The last
like of every user of a domain is hidden, and every item that the user has not liked before is ranked by the
items liked before it: by title and categories, as rankers do, and by these and the first `_LONGEST`
characters of the description. Differences are user by user, with 95 % intervals (bootstrap).

`--tags FOLDER` measures the same on real ratings: MovieLens, with what people tagged a film as in the place
of its description, and only by BM25, which needs no embeddings.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from rectune.core.stats.metrics import UserBootstrap
from rectune.core.types import Item
from rectune.rankers.base import CatalogueRanker
from rectune.rankers.baselines import Bm25
from rectune.rankers.domain_data import DomainData
from rectune.rankers.fusion import Hybrid

_LONGEST = 300  # characters of a description
_FEWEST = 2  # likes of a user
_USERS, _SEED, _ROUNDS = 400, 0, 1000
_LIKED = 4.0  # stars


def described(items: Sequence[Item]) -> list[Item]:
    """The items with the beginning of the description in the place of a category: rankers read it so."""
    return [
        replace(item, categories=(*item.categories, item.description[:_LONGEST]))
        if item.description
        else item
        for item in items
    ]


def of_stage(folder: Path) -> Iterator[tuple[str, list[Item], list[list[str]]]]:
    """Each domain of a finished stage `data`: its name, its items, and the likes of each user in order."""
    import polars as pl

    from rectune.core.catalogue import load_catalogue

    every = load_catalogue(folder / "items.parquet")
    rows = pl.read_parquet(folder / "interactions.parquet").filter(pl.col("liked"))
    known = pl.read_parquet(folder / "items.parquet").select("domain", "item", "item_id")
    rows = rows.join(known, on=["domain", "item"]).sort("timestamp", "order", maintain_order=True)
    for (domain,), own in rows.group_by("domain", maintain_order=True):
        histories = own.group_by("user", maintain_order=True).agg("item_id")["item_id"].to_list()
        yield str(domain), [one for one in every.items.values() if one.domain == domain], histories


def of_tags(folder: Path) -> tuple[str, list[Item], list[list[str]]]:
    """The films of MovieLens that were tagged, and the likes of users among them."""
    import polars as pl

    films = pl.read_csv(folder / "movies.csv")
    tags = pl.read_csv(folder / "tags.csv").group_by("movieId").agg(pl.col("tag").cast(pl.String))
    tagged = films.join(tags, on="movieId")
    items = [
        Item("movies", str(id), title, tuple(genres.split("|")), ", ".join(dict.fromkeys(said)))
        for id, title, genres, said in tagged.select("movieId", "title", "genres", "tag").iter_rows()
    ]
    rated = pl.read_csv(folder / "ratings.csv").filter(pl.col("rating") >= _LIKED).sort("timestamp")
    rated = rated.filter(pl.col("movieId").is_in(tagged["movieId"].implode()))
    grouped = rated.group_by("userId", maintain_order=True).agg(pl.col("movieId").cast(pl.String))
    return "movies, tags", items, grouped["movieId"].to_list()


def gains(ranker: CatalogueRanker, histories: Sequence[Sequence[str]]) -> list[float]:
    """NDCG@10 of each user's last like among the items not liked before."""
    found = list[float]()
    for history in histories:
        row = ranker.score_all([history[:-1]])[0]
        row[ranker.places_of(frozenset(history[:-1]))] = -np.inf
        rank = np.count_nonzero(row >= row[ranker.place[history[-1]]])  # the target loses ties
        found.append(float(1 / np.log2(rank + 1)) if rank <= 10 else 0.0)
    return found


def lines(name: str, items: Sequence[Item], likes: Sequence[Sequence[str]], words: bool) -> Iterator[str]:
    """A line for each ranker: NDCG@10 without and with descriptions, and their difference."""
    rng = np.random.default_rng(_SEED)
    able = [list(dict.fromkeys(one)) for one in likes]
    able = [one for one in able if len(one) >= _FEWEST]
    drawn = [able[at] for at in sorted(rng.permutation(len(able))[:_USERS])]
    ways: Mapping[str, type[CatalogueRanker]] = {"bm25": Bm25, "hybrid": Hybrid}
    texts = {"without": DomainData(name, items), "with": DomainData(name, described(items))}
    boot = UserBootstrap([str(at) for at in range(len(drawn))], _ROUNDS, _SEED)
    for way, kind in ways.items():
        if words and way != "bm25":
            continue
        found = {part: gains(kind().fit(data), drawn) for part, data in texts.items()}
        apart = [b - a for a, b in zip(found["without"], found["with"], strict=True)]
        low, high = boot.interval(apart)
        means = " | ".join(f"{np.mean(some):.3f}" for some in (*found.values(), apart))
        yield f"| {name} | {way} | {len(drawn)} | {means} ({low:+.3f} to {high:+.3f}) |"


def main() -> None:
    """Print one table."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("data", type=Path, nargs="*")
    asked.add_argument("--tags", type=Path)
    told = asked.parse_args()
    print("| domain | ranker | users | title and categories | and description | difference |")
    print("|---|---|---:|---:|---:|---:|")
    if told.tags:
        print("\n".join(lines(*of_tags(told.tags), True)), flush=True)
    for folder in told.data:
        for name, items, likes in of_stage(folder):
            if any(item.description for item in items):
                print("\n".join(lines(name, items, likes, False)), flush=True)


if __name__ == "__main__":
    main()
