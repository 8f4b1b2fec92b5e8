"""Ranks of `bench.allmrec_llm`: kept case by case, and what the tables show of them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.allmrec_data import ALL, Ask, World
from bench.allmrec_systems import System
from rectune.core.stats.intervals import wilson
from rectune.core.stats.metrics import UserBootstrap, hit_at, ndcg_at, reciprocal_ranks, target_rank
from rectune.core.text.figures import with_ends
from rectune.core.text.tables import Table

_BOOTSTRAP = 2000
COMPARED = ("allmrec, sum", "allmrec_list, sum", "llmsrec")  # the first of them that was measured
Ranks = dict[str, dict[str, int]]  # of a row of the table, and in it of an ask

# As published, on other data: Kim et al. 2024, "Large Language Models meet Collaborative Filtering" (Hit@1,
# one target among 19 uniform others), and Kim et al. 2025, "Lost in Sequence" (NDCG@10, one among 99), which
# has CTRL and RECFORMER too.
PUBLISHED = Table(
    ["system, as published", "Hit@1 of 20: Movies", "Games", "Beauty", "Toys",
     "NDCG@10 of 100: Movies", "Scientific", "Electronics", "CDs"],
    [
        ["SASRec", ".615", ".540", ".530", ".236", ".346", ".292", ".227", ".345"],
        ["CTRL", None, None, None, None, ".279", ".215", ".168", ".297"],
        ["RECFORMER", None, None, None, None, ".207", ".291", ".203", ".324"],
        ["LLM alone (.012 to .017 over these four)", None, None, None, None, None, None, None, None],
        ["MLP-LLM", ".584", ".479", ".555", ".323", None, None, None, None],
        ["TALLRec", ".235", ".440", ".554", ".071", ".167", ".259", ".225", ".310"],
        ["A-LLMRec", ".624", ".528", ".581", ".334", ".326", ".288", ".279", ".312"],
        ["LLM-SRec", None, None, None, None, ".356", ".339", ".304", ".381"],
    ],
    note="Published by others, on Amazon's data, with larger models: not comparable with the tables above.",
)  # fmt: skip


class KeptRanks:
    """The ranks of one system, a line an ask; what is there is not measured again.

    Args:
        file: JSON lines; one that was cut off is dropped.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        whole = [line for line in lines if line.endswith("}")]
        if len(whole) < len(lines):
            file.write_text("".join(f"{line}\n" for line in whole), encoding="utf-8")
        self.rows: dict[str, dict[str, Any]] = {row["ask"]: row for row in map(json.loads, whole)}

    def measure(self, ask: Ask, system: System) -> None:
        """Rank the target of an ask, unless that was done; it loses ties."""
        if ask.id in self.rows:
            return
        begun = time.process_time()
        scores = system.scores(ask)
        row = {
            "ask": ask.id,
            "ranks": {name: target_rank(ask.candidates, own, ask.target) for name, own in scores.items()},
            "seconds": round(time.process_time() - begun, 3),
        }
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.open("a", encoding="utf-8") as opened:
            opened.write(json.dumps(row) + "\n")
        self.rows[ask.id] = row


def measured(folder: Path, asks: Sequence[Ask], systems: Sequence[System]) -> Ranks:
    """The ranks of all asks by all systems; says what an ask took.

    Args:
        folder: where ranks are kept, a file a system.
        asks: one after the other by all systems, so that a run that was cut short has the same for all.
        systems: see `System`.
    """
    kept = {one.name: KeptRanks(folder / f"{one.name.replace(', ', '-').replace(' ', '_')}.jsonl")
            for one in systems}  # fmt: skip
    for ask in asks:
        for system in systems:
            kept[system.name].measure(ask, system)
    found: Ranks = {}
    for name, ranks in kept.items():
        rows = [ranks.rows[ask.id] for ask in asks]
        print(f"{name}: {np.mean([row['seconds'] for row in rows]):.2f} processor s an ask", flush=True)
        for row in rows:
            for cell, rank in row["ranks"].items():
                found.setdefault(cell, {})[row["ask"]] = rank
    return found


def hits_table(title: str, world: World, ranks: Ranks) -> Table:
    """Hit@1 of each system by group, with 95 % Wilson intervals; then MRR of all."""
    asked = {ask.id for ask in world.asks}
    groups = {group: sorted(asked & ids) for group, ids in world.groups.items() if asked & ids}
    heads = ["Hit@1 of 20", *(f"{group}, n = {len(ids)}" for group, ids in groups.items()), "MRR"]
    rows = [
        [
            name,
            *(_share([own[ask] == 1 for ask in ids]) for ids in groups.values()),
            f"{reciprocal_ranks(list(own.values())).mean():.3f}",
        ]
        for name, own in ranks.items()
    ]
    return Table(heads, rows, title)


def differences_table(ranks: Ranks, seed: int = 0) -> Table:
    """Hit@1 and MRR of the first of `COMPARED` that was measured less those of each of the others, over the
    same users, with 95 % intervals by a bootstrap; empty where none was.
    """
    name = next((one for one in COMPARED if one in ranks), None)
    if name is None:
        return Table([], [])
    own = ranks[name]
    drawn = UserBootstrap(list(own), _BOOTSTRAP, seed)

    def less(of: Callable[[Sequence[int]], NDArray[np.float64]], other: Mapping[str, int]) -> str:
        values = of(list(own.values())) - of([other[ask] for ask in own])
        low, high = drawn.interval(values)
        return f"{values.mean():+.3f} ({low:+.3f} to {high:+.3f})"

    rows = [
        [other, less(partial(hit_at, k=1), found), less(reciprocal_ranks, found)]
        for other, found in ranks.items()
        if other != name
    ]
    return Table([f"{name}, less", f"Hit@1, {ALL}, n = {len(own)}", "MRR"], rows)


def catalogue_table(title: str, ranks: Ranks, seed: int = 0) -> Table:
    """HR@10 and NDCG@10 among a whole catalogue, with 95 % intervals by a bootstrap over users."""
    users = list(next(iter(ranks.values()), ()))
    drawn, rows = UserBootstrap(users, _BOOTSTRAP, seed), []
    for name, own in ranks.items():
        places = [own[ask] for ask in users]
        figures = [hit_at(places, 10), ndcg_at(places, 10)]
        rows.append([name, *(with_ends(float(one.mean()), drawn.interval(one)) for one in figures)])
    return Table(["whole catalogue", f"HR@10, n = {len(users)}", "NDCG@10"], rows, title)


def _share(hits: Sequence[bool]) -> str:
    low, high = wilson(sum(hits), len(hits))
    return f"{np.mean(hits):.3f} ({low:.3f} to {high:.3f})"


def missing_rows(ranks: Ranks, wanted: Mapping[str, object]) -> list[str]:
    """Rows of another table that this one lacks: what these systems cannot rank."""
    return [name for name in wanted if name not in ranks]
