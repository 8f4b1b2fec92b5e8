"""`make bench-rankers`: fitting and scoring by rankers that learn from likes, against the library implicit.

The likes are made up (seeded), with the long tail of MovieLens: log-normal activity of users, popularity of
items by a power law with a flat head. Each ranker is fitted in a process of its own on 1 and 10 million likes
(with `--largest` on 57 million too), and then finds the ten best of the whole catalogue for 500 new users.
Rivals of implicit do the same on the same likes: `CosineRecommender` (an `ItemItemRecommender` that keeps
20 neighbours of each item; item_knn keeps all), and `AlternatingLeastSquares` of the same size.

Ratios are those of processor time; all have the same number of threads, one by default, since threads that
wait for each other on busy cores count as work. Memory is the peak while fitting, less what the process with
the likes held before, as Linux counts it. What would need more memory than is available, by the least that is
known to be needed, is left out, with the reason.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from bench.measure_process import measure
from rectune.core.text.tables import Table
from rectune.core.types import Item
from rectune.rankers.base import fit_ranker
from rectune.rankers.domain_data import DomainData, TrainLikes

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

NEW_USERS, HISTORY, K = 500, 40, 10
OURS = ("popularity", "item_knn", "svd", "ease", "als")
RIVALS = {"implicit cosine": "item_knn", "implicit ALS": "als"}
_WARM = 8  # users that are scored before the time is taken


class Size(NamedTuple):
    """How many likes, users and items."""

    likes: int
    users: int
    items: int


SIZES = (Size(1_000_000, 7_000, 4_000), Size(10_000_000, 70_000, 11_000))
LARGEST = Size(57_000_000, 310_000, 17_000)  # users and titles as in MyAnimeList 2020


def make(folder: Path, size: Size) -> None:
    """Write users.npy and items.npy, [likes] each, and histories.npy, [NEW_USERS, HISTORY] of other users."""
    rng = np.random.default_rng(0)
    activity = rng.lognormal(0, 1.1, size.users)
    wanted = np.clip(activity / activity.sum() * size.likes * 1.4, 2, size.items / 4).astype(np.int64)
    ladder = np.cumsum((np.arange(size.items) + size.items / 50) ** -1.3)
    place = rng.permutation(size.items)

    def draw(count: int) -> np.ndarray[Any, Any]:
        drawn: np.ndarray[Any, Any] = place[np.searchsorted(ladder, rng.random(count) * ladder[-1])]
        return drawn

    pairs = np.repeat(np.arange(size.users), wanted) * size.items + draw(int(wanted.sum()))
    pairs.sort()
    pairs = pairs[np.concatenate([[True], pairs[1:] != pairs[:-1]])]
    if len(pairs) > size.likes:
        pairs = np.sort(rng.choice(pairs, size.likes, replace=False, shuffle=False))
    folder.mkdir(parents=True)
    np.save(folder / "users.npy", (pairs // size.items).astype(np.int32))
    np.save(folder / "items.npy", (pairs % size.items).astype(np.int32))
    np.save(folder / "histories.npy", draw(NEW_USERS * HISTORY).reshape(NEW_USERS, HISTORY))


def load(folder: Path, items: int) -> tuple[DomainData, np.ndarray[Any, Any]]:
    """The likes as a domain, their matrix ready, and the histories of new users."""
    users, liked = (np.load(folder / f"{name}.npy").astype(np.int64) for name in ("users", "items"))
    catalogue = [Item("made-up", f"i{number}", "") for number in range(items)]
    likes = TrainLikes(tuple(item.item_id for item in catalogue), users, liked)
    likes.matrix, likes.counts  # noqa: B018  # computed once for all rankers
    return DomainData("made-up", catalogue, lambda: likes), np.load(folder / "histories.npy")


def ours(name: str, data: DomainData, histories: np.ndarray[Any, Any]) -> dict[str, float]:
    """The figures of one of our rankers."""
    figures, ranker = _fitted(lambda: fit_ranker(name, data))
    asked = [[f"i{at}" for at in row] for row in histories]
    ranker.top(asked[:_WARM], K)
    return figures | _timed("top", lambda: ranker.top(asked, K))[0]


def rival(name: str, data: DomainData, histories: np.ndarray[Any, Any]) -> dict[str, float]:
    """The figures of a recommender of implicit."""
    from scipy.sparse import csr_matrix
    from threadpoolctl import threadpool_limits

    likes = csr_matrix(data.likes.matrix)
    rows = np.repeat(np.arange(NEW_USERS), HISTORY)
    ones = np.ones(rows.size, np.float32)
    asked = csr_matrix((ones, (rows, histories.ravel())), (NEW_USERS, likes.shape[1]))
    asked.data[:] = 1.0  # what is twice in a history
    with threadpool_limits(1, "blas"):  # as the library asks for
        figures, recommend = _fitted(lambda: _fitted_rival(name, likes))
        recommend(asked[:_WARM])
        return figures | _timed("top", lambda: recommend(asked))[0]


def _fitted_rival(name: str, likes: csr_matrix) -> Callable[[csr_matrix], Any]:
    from implicit.cpu.als import AlternatingLeastSquares
    from implicit.nearest_neighbours import CosineRecommender

    threads = len(os.sched_getaffinity(0))
    if name == "implicit cosine":
        model, options = CosineRecommender(num_threads=threads), {}
    else:
        model = AlternatingLeastSquares(64, 10.0, 1.0, iterations=15, random_state=0, num_threads=threads)
        options = {"recalculate_user": True}
    model.fit(likes, show_progress=False)
    return lambda asked: model.recommend(np.arange(asked.shape[0]), asked, K, **options)


def _fitted(fit: Callable[[], Any]) -> tuple[dict[str, float], Any]:
    """Seconds, and the peak of memory in GiB above what is held already; and the result."""
    Path("/proc/self/clear_refs").write_text("5")  # sets the peak to what is held now
    held = _kib("VmRSS")
    figures, found = _timed("fit", fit)
    return figures | {"memory": (_kib("VmHWM") - held) / 2**20}, found


def _kib(name: str) -> int:
    status = Path("/proc/self/status").read_text().split()
    return int(status[status.index(f"{name}:") + 1])


def _timed(name: str, work: Callable[[], Any]) -> tuple[dict[str, float], Any]:
    """Seconds of wall-clock and of processor time, and the result."""
    begun, spent = time.perf_counter(), time.process_time()
    found = work()
    figures = {name: time.perf_counter() - begun, f"{name} processor": time.process_time() - spent}
    return figures, found


def child(folder: Path, name: str, items: int) -> None:
    """The measured part: one system; writes its figures beside the likes."""
    data, histories = load(folder, items)
    figures = (rival if name in RIVALS else ours)(name, data, histories)
    (folder / "figures.json").write_text(json.dumps(figures))


def needed(name: str, size: Size) -> float:
    """The least GiB that a system needs: the likes, their matrix, and what it keeps of either."""
    copies = {"popularity": 0, "item_knn": 1, "svd": 3, "ease": 2, "als": 3}
    own = copies[RIVALS.get(name, name)] * 8 * size.likes
    return (30 * size.likes + own + (4 * size.items**2 if name == "ease" else 0)) / 2**30


def measured(folder: Path, size: Size) -> list[list[str]]:
    """The rows of the table for one size."""
    import psutil

    rows: list[list[str]] = []
    found: dict[str, dict[str, float]] = {}
    for name in (*OURS, *RIVALS):
        free = psutil.virtual_memory().available / 2**30
        if needed(name, size) > 0.9 * free:
            needs = f"needs {needed(name, size):.1f} GiB, available are {free:.1f}"
            print(f"left out: {name} on {size.likes:,} likes {needs}", flush=True)
            continue
        arguments = ["--child", str(folder), "--name", name, "--items", str(size.items)]
        measure("bench.rankers", arguments)
        found[name] = json.loads((folder / "figures.json").read_text())
        rows.append(_row(name, size, found[name], found.get(RIVALS.get(name, ""), {})))
    return rows


def _row(name: str, size: Size, figures: dict[str, float], own: dict[str, float]) -> list[str]:
    """The cells of a system; `own` are the figures of our ranker of the same kind, if there is one."""
    parts = ("fit processor", "top processor")
    ratios = [f"{figures[part] / own[part]:.2f}" if own else "" for part in parts]
    return [
        name, f"{size.likes / 1e6:.0f}", f"{figures['fit']:.1f}", f"{figures['fit processor']:.1f}",
        f"{figures['memory']:.2f}", f"{NEW_USERS / figures['top']:,.0f}",
        f"{NEW_USERS / figures['top processor']:,.0f}", *ratios,
    ]  # fmt: skip


HEADS = (
    "ranker", "million likes", "fit, s", "processor s", "memory, GiB", "users a second",
    "a processor second", "fit, times ours", "ranking, times ours",
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line; `--child` is what its own child process runs."""
    parser = argparse.ArgumentParser(prog="python -m bench.rankers", description=__doc__)
    parser.add_argument("--largest", action="store_true", help="57 million likes too")
    parser.add_argument("--smallest", action="store_true", help="1 million likes only")
    parser.add_argument("--threads", type=int, default=1, help="processors that each process may use")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--name", help=argparse.SUPPRESS)
    parser.add_argument("--items", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.child:
        child(given.child, given.name, given.items)
        return
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: given.threads])
    sizes = SIZES[:1] if given.smallest else (*SIZES, LARGEST) if given.largest else SIZES
    rows: list[list[str]] = []
    with tempfile.TemporaryDirectory() as temporary:
        for number, size in enumerate(sizes):
            folder = Path(temporary) / str(number)
            make(folder, size)
            count = len(np.load(folder / "users.npy", mmap_mode="r"))
            print(f"{count:,} likes of {size.users:,} users and {size.items:,} items", flush=True)
            rows += measured(folder, size)
    print(Table(HEADS, rows).to_markdown())


if __name__ == "__main__":
    main()
