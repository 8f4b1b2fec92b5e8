"""`make bench-filter`: the response score on 1,000,000 texts, and near-duplicates among 600,000.

The texts are made up (seeded): words of the sample catalogues, the frequency of a word by Zipf's law, 20 to
200 tokens of the embedded model's tokenizer. Three things are measured, each in a process of its own:

- From text: scoring against the tokenizer's own batch encoding alone (`encode_batch_fast` of its Rust core,
  results thrown away), slice by slice in turn, so that other work on the machine falls on both. The call of
  transformers' wrapper, which is what most programs use, is timed on every tenth slice.
- From token ids that are ready (flat numpy columns, `rectune.filters.score.TokenIds`): against a Python
  loop over sets, whose lists of ids are ready too.
- The file from end to end as `rectune score` reads it, for its memory.

Near-duplicates: as many texts as the published training set has, a tenth of them an earlier one with a word
changed.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import math
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench.measure_process import Measured, measure

TEXTS, ROWS = 1_000_000, 600_000
_SLICE = 50_000  # texts that are timed in one go
_WRAPPED = 10  # every so many slices the wrapper is timed too
_FACTS = Path(__file__).parents[1] / "samples" / "facts"


def write(file: Path, count: int) -> None:
    """Write made-up texts to a Parquet file in slices; a tenth are earlier ones with a word changed."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(0)
    catalogue = " ".join(path.read_text(encoding="utf-8") for path in sorted(_FACTS.glob("*.tsv")))
    words = list(dict.fromkeys(re.findall(r"\w+", catalogue)))
    likely = np.cumsum(1 / np.arange(1, len(words) + 1))
    with pq.ParquetWriter(file, pa.schema([("response", pa.string())])) as writer:
        for start in range(0, count, _SLICE):
            lengths = rng.integers(12, 116, min(_SLICE, count - start))
            drawn = np.searchsorted(likely, rng.random(lengths.sum()) * likely[-1]).tolist()
            ends = np.cumsum(lengths).tolist()
            rows = [[words[place] for place in drawn[a:b]] for a, b in itertools.pairwise([0, *ends])]
            for place in range(9, len(rows), 10):
                rows[place] = [*rows[place - 9][:-1], "anew"]
            writer.write_table(pa.table({"response": [" ".join(row) for row in rows]}))


def slices(file: Path, count: int) -> Iterator[list[str]]:
    """The first `count` texts of the file in slices."""
    import pyarrow.parquet as pq

    left = count
    for batch in pq.ParquetFile(file, pre_buffer=False).iter_batches(batch_size=_SLICE):
        if left > 0:
            yield batch.column(0).to_pylist()[:left]
        left -= len(batch)


def from_text(file: Path, count: int) -> dict[str, float]:
    """Seconds of scoring and of its rivals on the same texts; `wrapper` as if it had encoded all of them."""
    from rectune.filters.tokenization import BATCH, score_texts
    from rectune.models.loading import tokenizer_of_reference

    tokenizer, _ = tokenizer_of_reference("embedded")
    core = tokenizer.backend_tokenizer

    def encode(texts: list[str]) -> None:
        for start in range(0, len(texts), BATCH):
            core.encode_batch_fast(texts[start : start + BATCH], add_special_tokens=False)

    def wrapper(texts: list[str]) -> None:
        for start in range(0, len(texts), BATCH):
            tokenizer(texts[start : start + BATCH], add_special_tokens=False, return_attention_mask=False)

    taken = {"score": 0.0, "encode": 0.0, "wrapper": 0.0, "tokens": 0.0}
    score_texts(tokenizer, ["warm"])
    for number, texts in enumerate(slices(file, count)):
        turns: dict[str, Callable[[list[str]], Any]] = {"encode": encode}
        turns["score"] = lambda texts: score_texts(tokenizer, texts)
        for name in sorted(turns, reverse=bool(number % 2)):
            seconds, found = _timed(turns[name], texts)
            taken[name] += seconds
            taken["tokens"] += found["tokens"].sum() if found else 0
        if number % _WRAPPED == 0:
            taken["wrapper"] += _timed(wrapper, texts)[0] * count / len(texts)
    slices_wrapped = math.ceil(math.ceil(count / _SLICE) / _WRAPPED)
    return {**taken, "wrapper": taken["wrapper"] / slices_wrapped}


def from_ids(file: Path, count: int) -> dict[str, float]:
    """Seconds of scoring ready ids, and of a Python loop over sets on the same ids as lists."""
    import numpy as np

    from rectune.filters.score import TokenIds, score_column
    from rectune.filters.tokenization import encode_batches
    from rectune.models.loading import tokenizer_of_reference

    tokenizer, _ = tokenizer_of_reference("embedded")
    some = list(encode_batches(tokenizer, itertools.chain.from_iterable(slices(file, _SLICE))))
    lengths = np.resize(np.concatenate([np.diff(part.offsets) for part in some]), count)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    column = TokenIds(np.resize(np.concatenate([part.flat for part in some]), offsets[-1]), offsets)
    rounds = [_timed(score_column, column)[0] for _ in range(3)]
    looped = 0.0
    for start in range(0, count, _SLICE):
        bounds = offsets[start : start + _SLICE + 1]
        rows = list(TokenIds(column.flat[bounds[0] : bounds[-1]], bounds - bounds[0]))
        looped += _timed(_loop, rows)[0]
    rounds += [_timed(score_column, column)[0] for _ in range(3)]
    return {"score": sorted(rounds)[len(rounds) // 2], "loop": looped, "tokens": float(offsets[-1])}


def _loop(rows: list[list[int]]) -> list[float]:
    return [math.log(len(row)) * len(row) / len(set(row)) for row in rows]


def whole_file(file: Path, count: int) -> dict[str, float]:
    """`rectune score FILE`."""
    from rectune.filters.command import ScoreOptions, score_file

    return {"seconds": _timed(score_file, ScoreOptions(file))[0]}


def near(file: Path, count: int) -> dict[str, float]:
    """Near-duplicates among the first `count` texts of the file."""
    from rectune.filters.minhash import near_duplicates

    ids = [f"{number:032x}" for number in range(count)]
    texts = itertools.chain.from_iterable(slices(file, count))
    seconds, found = _timed(lambda texts: near_duplicates(texts, ids, 0.8), texts)
    return {"seconds": seconds, "gone": float((found.similarity > 0).sum())}


def _timed(work: Callable[[Any], Any], given: Any) -> tuple[float, Any]:
    gc.collect()
    begun = time.perf_counter()
    found = work(given)
    return time.perf_counter() - begun, found


PARTS: dict[str, Callable[[Path, int], dict[str, float]]] = {
    "text": from_text,
    "ids": from_ids,
    "file": whole_file,
    "near": near,
}


def part(name: str, root: Path, count: int) -> tuple[dict[str, float], Measured]:
    """One part in a separate process: its figures, and its time and memory from start to end."""
    found = measure("bench.filter", ["--part", name, "--root", str(root), "--texts", str(count)])
    figures: dict[str, float] = json.loads((root / f"{name}.json").read_text())
    return figures, found


def report(root: Path, count: int, rows: int) -> None:
    """Run the parts and print their results as they come."""
    text, held = part("text", root, count)
    print(f"{count:,} texts, {text['tokens'] / count:.0f} tokens on average")
    print(
        f"from text: {text['score']:.1f} s, encoding alone {text['encode']:.1f} s: "
        f"{_ratio(text, 'encode')} times"
    )
    print(
        f"  transformers' wrapper alone {text['wrapper']:.1f} s: {_ratio(text, 'wrapper')} times", flush=True
    )
    ids, _ = part("ids", root, count)
    print(
        f"from ids in flat columns: {ids['score']:.2f} s, a Python loop over sets {ids['loop']:.1f} s: "
        f"{ids['loop'] / ids['score']:.1f} times as fast",
        flush=True,
    )
    _, held = part("file", root, count)
    print(f"`rectune score` on the file: {held.seconds:.1f} s, peak {held.memory:.2f} GiB", flush=True)
    if rows:
        found, held = part("near", root, rows)
        print(
            f"near-duplicates among {rows:,}: {found['seconds']:.1f} s, peak {held.memory:.2f} GiB, "
            f"{found['gone']:,.0f} found"
        )
    else:
        print("near-duplicates: skipped")


def _ratio(text: dict[str, float], rival: str) -> str:
    return f"{text['score'] / text[rival]:.2f}"


def main() -> None:
    """The command line; `--part` is what its own child processes run."""
    parser = argparse.ArgumentParser(prog="python -m bench.filter", description=__doc__)
    parser.add_argument("--texts", type=int, default=TEXTS)
    parser.add_argument("--rows", type=int, default=ROWS, help="texts among which near-duplicates are sought")
    parser.add_argument("--no-near", action="store_true", help="leave the near-duplicates out")
    parser.add_argument("--root", type=Path, help="holds the made-up texts; temporary unless given")
    parser.add_argument("--part", choices=list(PARTS))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        root = given.root or Path(temporary)
        root.mkdir(parents=True, exist_ok=True)
        if given.part:
            found = PARTS[given.part](root / "texts.parquet", given.texts)
            (root / f"{given.part}.json").write_text(json.dumps({k: float(v) for k, v in found.items()}))
            return
        rows = 0 if given.no_near else given.rows
        write(root / "texts.parquet", max(given.texts, rows))
        report(root, given.texts, rows)


if __name__ == "__main__":
    main()
