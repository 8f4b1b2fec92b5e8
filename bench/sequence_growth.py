"""`make bench-sequence-growth`: what one training step of SASRec takes as the catalogue grows.

Made-up histories (seeded; popularity of items by a power law) over 10,000, 100,000 and 1,000,000 items, in a
process of its own for each. Up to 10,000 items the loss is cross-entropy over all of them, above that over
4,096 drawn ones. A step is a batch of 1,024 positions, forward, backward and AdamW over all vectors; seconds
are the median of its processor time (with one thread, the wall-clock time on an idle machine), on a GPU of
its wall-clock time. Memory is the peak of training, held-out histories ranked once included, less what the
process held before; on a GPU that of the GPU.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bench.measure_process import measure
from rectune.core.text.tables import Table
from rectune.rankers.sequential.item_table import ItemTable
from rectune.rankers.sequential.losses import FULL
from rectune.rankers.sequential.network import TransformerNetwork
from rectune.rankers.sequential.sequences import Sequences
from rectune.rankers.sequential.training import Trainer, TrainingOptions, device

SIZES = (10_000, 100_000, 1_000_000)
DIM, LENGTH, POSITIONS = 64, 50, 1024
_WARM = 3  # steps before the time is taken


class TimedNetwork(TransformerNetwork):
    """SASRec's network that notes when each step begins."""

    def __init__(self, items: int) -> None:
        super().__init__(ItemTable(DIM, items), LENGTH, layers=2, heads=2, dropout=0.2, causal=True)
        self.begun: list[float] = []

    def forward(self, items: Tensor) -> Tensor:
        """See `SequenceNetwork.forward`."""
        if self.training and items.is_cuda:
            torch.cuda.synchronize()
            self.begun.append(time.perf_counter())
        elif self.training:
            self.begun.append(time.process_time())
        return super().forward(items)


def histories(items: int, users: int) -> Sequences:
    """Histories of 51 items each; the most liked item is the first row of the table."""
    rng = np.random.default_rng(0)
    ladder = np.cumsum((np.arange(items) + items / 50) ** -1.3)
    drawn = np.searchsorted(ladder, rng.random(users * (LENGTH + 1)) * ladder[-1])
    return Sequences(drawn.astype(np.int64) + 1, np.arange(users + 1, dtype=np.int64) * (LENGTH + 1))


def child(items: int, steps: int) -> dict[str, float]:
    """The measured part: one epoch of about so many steps."""
    users = (steps + _WARM) * POSITIONS // LENGTH
    sequences = histories(items, users)
    counts = np.bincount(sequences.items - 1, minlength=items)
    Path("/proc/self/clear_refs").write_text("5")  # sets the peak to what is held now
    held = _kib("VmRSS")
    network = TimedNetwork(items)
    options = TrainingOptions(max_length=LENGTH, positions=POSITIONS, epochs=1)
    Trainer(network, sequences, counts, options, "sasrec").train()
    taken = np.diff(network.begun)[_WARM:].tolist()
    on_gpu = device().type == "cuda"
    memory = torch.cuda.max_memory_allocated() / 2**30 if on_gpu else (_kib("VmHWM") - held) / 2**20
    return {"seconds": statistics.median(taken), "steps": len(taken), "memory": memory, "gpu": on_gpu}


def _kib(name: str) -> int:
    status = Path("/proc/self/status").read_text().split()
    return int(status[status.index(f"{name}:") + 1])


HEADS = (
    "items",
    "loss over",
    "steps",
    "a step, s",
    "positions a second",
    "memory, GiB",
    "vectors alone, GiB",
)


def row(items: int, found: dict[str, float]) -> list[str]:
    """The cells of one size; vectors alone are those of the items, in float32."""
    return [
        f"{items:,}",
        "all items" if items <= FULL else "drawn items",
        f"{found['steps']:.0f}",
        f"{found['seconds']:.3f}",
        f"{POSITIONS / found['seconds']:,.0f}",
        f"{found['memory']:.2f}",
        f"{items * DIM * 4 / 2**30:.2f}",
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line; `--child` is what its own child process runs."""
    parser = argparse.ArgumentParser(prog="python -m bench.sequence_growth", description=__doc__)
    parser.add_argument("--items", type=int, nargs="+", default=list(SIZES), help="sizes of the catalogue")
    parser.add_argument("--steps", type=int, default=40, help="steps that are timed")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    if given.child:
        given.child.write_text(json.dumps(child(given.items[0], given.steps)))
        return
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        for items in given.items:
            figures = Path(temporary) / f"{items}.json"
            options = ["--items", str(items), "--steps", str(given.steps), "--threads", str(given.threads)]
            measure("bench.sequence_growth", ["--child", str(figures), *options])
            found = json.loads(figures.read_text())
            rows.append(row(items, found))
            print(f"{items:,} items: {found['seconds']:.3f} s a step", flush=True)
    print(f"{'one GPU' if found['gpu'] else f'{given.threads} thread(s)'}; {POSITIONS} positions a step")
    print(Table(HEADS, rows).to_markdown())


if __name__ == "__main__":
    main()
