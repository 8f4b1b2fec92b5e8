"""`python -m bench.weights`: the embedded model's weights in other types, in tokens a second under llama.cpp.

For each type: one prompt of 512 tokens, then one token for each of 1, 4 and 16 sequences after a shared
prompt of 300; the median of some rounds. The choice in `rectune/inference/weights.py` is based on it.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from rectune.core.settings import EngineConfig
from rectune.inference.context import Context
from rectune.models.gguf import quantisation_code, quantise
from rectune.models.reference import gguf_file

KINDS = ("Q4_1", "Q8_0", "Q4_0", "BF16", "F16", "F32")
SEQUENCES = (1, 4, 16)
PROMPT, SHARED, ROUNDS = 512, 300, 9


def measure(model: Path, threads: int) -> dict[str, float]:
    """Tokens a second, by what was evaluated."""
    context = Context(
        model, EngineConfig(context=1024, max_num_seqs=max(SEQUENCES), threads=threads, weights="file")
    )
    try:
        found = {f"prompt of {PROMPT}": PROMPT / _median(partial(_prompt, context))}
        context.clear()
        context.hold(range(100, 100 + SHARED))
        for sequence in range(max(SEQUENCES)):
            context.share(sequence)
        for count in SEQUENCES:
            found[f"{count} together"] = count / _median(partial(_step, context, count))
        return found
    finally:
        context.close()


def _median(work: Callable[[], None]) -> float:
    seconds = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds)


def _prompt(context: Context) -> None:
    context.clear()
    context.batch.clear()
    context.batch.add(range(100, 100 + PROMPT), 0, 0, 1)
    context.evaluate()


def _step(context: Context, count: int) -> None:
    context.batch.clear()
    for sequence in range(count):
        context.drop(sequence, SHARED)
        context.batch.add((500 + sequence,), SHARED, sequence, 1)
    context.evaluate()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.weights", description=__doc__)
    parser.add_argument("--threads", type=int, default=0, help="0: the engine's own choice")
    threads: int = parser.parse_args().threads
    source = gguf_file("embedded")
    with tempfile.TemporaryDirectory() as folder:
        for kind in KINDS:
            model = source if kind == "Q4_1" else Path(folder) / f"{kind}.gguf"
            if model != source:
                quantise(source, model, quantisation_code(kind))
            figures = measure(model, threads)
            print(
                f"{kind:<6}" + "".join(f"{name}: {rate:5.0f}   " for name, rate in figures.items()),
                flush=True,
            )


if __name__ == "__main__":
    main()
