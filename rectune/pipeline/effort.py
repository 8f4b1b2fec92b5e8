"""What a stage takes, noted while it runs: wall-clock time and the memory of its process tree."""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

EFFORT = ".effort.json"
_SAMPLE_EVERY = 0.25  # seconds between looks at the memory
_SAVE_EVERY = 20  # looks between notes of the effort so far


@dataclass
class Effort:
    """What a stage took over all its attempts: wall-clock seconds, and the peak resident bytes of its process tree.

    The tree is that of this machine; where there are others, theirs is not counted.
    """

    seconds: float = 0.0
    attempts: int = 0
    peak_memory: int = 0


def watch(child: subprocess.Popen[bytes], folder: Path, effort: Effort) -> None:
    """Note memory and time until the child ends; what an interrupted attempt took is counted too."""
    before, start, looks = effort.seconds, time.monotonic(), 0
    while True:
        ended = child.poll() is not None
        effort.seconds = before + time.monotonic() - start
        effort.peak_memory = max(effort.peak_memory, 0 if ended else tree_memory(child.pid))
        if ended or looks % _SAVE_EVERY == 0:
            _save(folder, effort)
        if ended:
            return
        looks += 1
        time.sleep(_SAMPLE_EVERY)


def tree_memory(pid: int) -> int:
    """Resident bytes of a process and its descendants; pages that they share count once each."""
    import psutil

    total = 0
    try:
        family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.Error:
        return 0
    for process in family:
        try:
            total += process.memory_info().rss
        except psutil.Error:
            continue
    return total


def load_effort(folder: Path) -> Effort:
    """What earlier attempts took."""
    try:
        return Effort(**json.loads((folder / EFFORT).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return Effort()


def _save(folder: Path, effort: Effort) -> None:
    try:
        (folder / EFFORT).write_text(json.dumps(vars(effort)), encoding="utf-8")
    except OSError:
        return  # a full disk is reported by the stage itself
