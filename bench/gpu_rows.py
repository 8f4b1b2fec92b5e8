"""`python -m bench.gpu_rows FOLDER`: what `bench/gpu.sh` trains and asks with, as the stages' own files.

Prompts as the demo words them from the sample data, with made-up answers: `kept.parquet` as the filter
writes it, `preferences.parquet` as tagging does. A folder that holds them already, as from a real run, is
left alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from bench.train import demo_examples
from rectune.core.rows import write_rows
from rectune.core.types import Example, Preference, with_id

KEPT, PREFERENCES = "kept.parquet", "preferences.parquet"


def make(folder: Path, examples: int, pairs: int) -> None:
    """Write the two files."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = demo_examples(examples)
    write_rows(folder / KEPT, rows, Example)
    write_rows(folder / PREFERENCES, preferences(rows[:pairs]), Preference)


def preferences(examples: Sequence[Example]) -> list[Preference]:
    """Each example's answer against the same answer without its second half."""
    return [
        with_id(Preference("", one.prompt, one.response, one.response[: len(one.response) // 2], "bench"))
        for one in examples
    ]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.gpu_rows", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--examples", type=int, default=512)
    parser.add_argument("--pairs", type=int, default=96)
    given = parser.parse_args()
    if not (given.folder / KEPT).exists() or not (given.folder / PREFERENCES).exists():
        make(given.folder, given.examples, given.pairs)


if __name__ == "__main__":
    main()
