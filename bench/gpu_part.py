"""Shared by the parts of `bench/gpu.sh`: their command line, and figures that are on disk at once."""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Part:
    """What a part was asked for.

    Attributes:
        rows: the folder of `bench.gpu_rows`.
        file: where its figures go.
        tiny: whether everything is as small as it can be, to try the part on a CPU.
        ends: when nothing more may begin, on the clock of `time.monotonic`.
    """

    rows: Path
    file: Path
    tiny: bool
    ends: float

    @property
    def left(self) -> float:
        """Seconds left."""
        return self.ends - time.monotonic()

    def write(self, figures: Any) -> None:
        """Replace the file by these figures."""
        self.file.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def asked(name: str, about: str | None) -> Part:
    """Read the command line of the part `name`."""
    parser = argparse.ArgumentParser(prog=f"python -m bench.gpu_{name}", description=about)
    parser.add_argument("--rows", type=Path, required=True, help="the folder of bench.gpu_rows")
    parser.add_argument("--out", type=Path, required=True, help=f"the folder that gets {name}.json")
    parser.add_argument("--seconds", type=float, default=600.0, help="nothing begins later")
    parser.add_argument("--tiny", action="store_true", help="small sizes, to try it on a CPU")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    ends = time.monotonic() + given.seconds
    return Part(given.rows, given.out / f"{name}.json", given.tiny, ends)
