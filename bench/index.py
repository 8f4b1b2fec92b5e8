"""`python -m bench.index`: an index of made-up items: time, memory, disk, recall of IVF-PQ, latency.

Titles, categories and bodies are made of made-up words. Vectors are made up too, so that what is measured is
the index and not the embedder: each is one of 2,000 random centres with noise, by the hash of the text, so
that similarities are clustered as in real catalogues. Real embeddings are measured on a few items besides,
and the time for the whole catalogue is extrapolated.

Recall@10 is the share of the ten nearest items, by comparing all vectors, that IVF-PQ finds too, over 200
queries.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.measure_process import measure
from rectune.core.text.tables import Table
from rectune.core.types import Item
from rectune.retrieval import embedding
from rectune.retrieval.embedding import Vectors
from rectune.retrieval.index import CatalogueIndex, IndexConfig, SearchHit, build_index

ITEMS, QUERIES, CHANGED, WIDTH, CENTRES = 1_000_000, 200, 0.01, 384, 2000
_SEARCHES = {
    "ann": "vectors, IVF-PQ",
    "exact": "vectors, all compared",
    "text": "full text, words",
    "find": "all of it, fused",
}
_REAL = 512  # items that are really embedded
_NOISE = 0.8  # length of the noise, relative to a centre of length 1
_PARTS = tuple(a + b + c for a in "bdfghklmnprstvwz" for b in "aeiou" for c in ("", "l", "n", "r", "s", "t"))


def vectors(texts: Sequence[str]) -> Vectors:
    """Made-up vectors, [n, 384], rows of unit length; equal texts get equal ones."""
    centres = _centres()
    made = np.empty((len(texts), WIDTH), np.float32)
    for row, text in enumerate(texts):
        seed = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")
        rng = np.random.default_rng(seed)
        noise = rng.standard_normal(WIDTH, np.float32) * (_NOISE / WIDTH**0.5)
        made[row] = centres[int(rng.integers(CENTRES))] + noise
    return np.asarray(made / np.linalg.norm(made, axis=1, keepdims=True), np.float32)


_made: list[Vectors] = []


def _centres() -> Vectors:
    if not _made:
        found = np.random.default_rng(0).standard_normal((CENTRES, WIDTH), np.float32)
        _made.append(found / np.linalg.norm(found, axis=1, keepdims=True))
    return _made[0]


def items(count: int) -> Iterator[Item]:
    """Items with a title of two to five words, a category and a body of thirty words."""
    rng = np.random.default_rng(1)
    words = ["".join(rng.choice(_PARTS, rng.integers(2, 4))) for _ in range(20_000)]
    ranks = (rng.zipf(1.3, (count, 40)) - 1) % len(words)
    lengths = rng.integers(2, 6, count)
    for number in range(count):
        row = [words[place] for place in ranks[number]]
        title = " ".join(row[: lengths[number]]).title()
        yield Item(
            "made-up", str(number), f"{title} {number}", (row[6], row[7]), " ".join(row[8:38]) + ".", 1950
        )


def build(folder: Path, count: int) -> None:
    """The measured part: the index is built, updated and searched; writes the figures beside it."""
    embedding.register("made-up", WIDTH, vectors)
    catalogue = list(items(count))
    begun, spent = time.monotonic(), time.process_time()
    index = build_index(catalogue, folder / "index", "made-up", IndexConfig(rows=1))
    figures: dict[str, Any] = {"build": time.monotonic() - begun, "chunks": index.chunks}
    figures["processor"] = time.process_time() - spent
    _say(f"built in {figures['build']:.0f} s, {index.chunks:,} chunks")
    figures["disk"] = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    figures["vectors"] = _seconds(lambda: vectors([item.title for item in catalogue[:2000]])) / 2000 * count
    _say(f"{figures['disk'] / 2**30:.2f} GiB on disk; searches, {QUERIES} of each")
    figures |= _searches(index)
    step = max(1, round(1 / CHANGED))
    changed = [
        replace(item, description="Anew.") if n % step == 0 else item for n, item in enumerate(catalogue)
    ]
    begun = time.monotonic()
    index = build_index(changed, folder / "index", "made-up", IndexConfig(rows=1))
    figures["update"] = time.monotonic() - begun
    _say(f"brought up to date in {figures['update']:.1f} s")
    figures["recall_after"] = _recall(*(_nearest(index, approximate)[0] for approximate in (True, False)))
    figures["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    (folder / "figures.json").write_text(json.dumps(figures))


def _searches(index: CatalogueIndex) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    found, figures["ann"] = _nearest(index, True)
    exact, figures["exact"] = _nearest(index, False)
    words = [item.title for item in items(QUERIES)]
    _, figures["text"] = _timed("text", lambda text: index.search_text(text, "made-up", 50), words)
    _, figures["find"] = _timed("find", lambda text: index.find([text], "made-up", 10), words)
    return {**figures, "recall": _recall(found, exact)}


def _nearest(index: CatalogueIndex, approximate: bool) -> tuple[list[list[SearchHit]], list[float]]:
    texts = [f"a made-up query {number}" for number in range(QUERIES)]
    index.approximate = approximate
    for text in texts[:5]:  # what is read from disk once
        index.near(text, "made-up", 10)
    found = _timed("ann" if approximate else "exact", lambda text: index.near(text, "made-up", 10), texts)
    index.approximate = True
    return found


def _recall(found: Sequence[Sequence[SearchHit]], exact: Sequence[Sequence[SearchHit]]) -> float:
    pairs = zip(found, exact, strict=True)
    return float(
        np.mean(
            [len({a.item_id for a in one} & {b.item_id for b in all_}) / len(all_) for one, all_ in pairs]
        )
    )


def _timed(name: str, search: Callable[[str], Any], texts: Sequence[str]) -> tuple[list[Any], list[float]]:
    """What was found, and median and 95th percentile in milliseconds."""
    found, times = [], []
    for text in texts:
        begun = time.perf_counter()
        found.append(search(text))
        times.append(1000 * (time.perf_counter() - begun))
    middle, slow = (float(np.quantile(times, q)) for q in (0.5, 0.95))
    _say(f"{_SEARCHES[name]}: {middle:.1f} ms, 95th percentile {slow:.1f} ms")
    return found, [middle, slow]


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _seconds(work: Callable[[], object]) -> float:
    begun = time.monotonic()
    work()
    return time.monotonic() - begun


def real(count: int) -> float:
    """Items a second that the embedded MiniLM embeds."""
    texts = [f"{item.title}. {', '.join(item.categories)}. {item.description}" for item in items(count)]
    embedding.embed(texts[:32])
    return count / _seconds(lambda: embedding.embed(texts))


def main() -> None:
    """The command line; `--build` is what its own child process runs."""
    parser = argparse.ArgumentParser(prog="python -m bench.index", description=__doc__)
    parser.add_argument("--items", type=int, default=ITEMS)
    parser.add_argument("--build", type=Path)
    given = parser.parse_args()
    if given.build:
        build(given.build, given.items)
        return
    with tempfile.TemporaryDirectory() as folder:
        found = measure("bench.index", ["--build", folder, "--items", str(given.items)], follow=True)
        figures = json.loads((Path(folder) / "figures.json").read_text())
    _print(given.items, figures, found.memory)
    rate = real(_REAL)
    print(
        f"real embedding: {rate:.0f} items/s on {_REAL} items: "
        f"{given.items / rate / 60:.0f} minutes for all these"
    )


def _print(count: int, figures: dict[str, Any], memory: float) -> None:
    print(f"{count:,} made-up items, {figures['chunks']:,} chunks of {WIDTH} numbers; vectors are made up")
    print(
        f"built in {figures['build']:.0f} s ({figures['processor']:.0f} s of processor time), of which making"
    )
    print(f"vectors up took about {figures['vectors']:.0f} s;")
    print(f"peak memory {memory:.1f} GiB, items included; {figures['disk'] / 2**30:.2f} GiB on disk")
    print(f"brought up to date after 1 % had changed: {figures['update']:.1f} s")
    print(
        f"recall@10 of IVF-PQ against comparing all: {figures['recall']:.3f}, "
        f"after that {figures['recall_after']:.3f}"
    )
    searches = [(words, *(f"{ms:.1f}" for ms in figures[name])) for name, words in _SEARCHES.items()]
    print(Table(("search", "median ms", "95th percentile ms"), searches).to_markdown())


if __name__ == "__main__":
    main()
