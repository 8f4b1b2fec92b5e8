"""Measuring a stage while it runs: wall-clock time and the memory of its process tree."""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

USAGE = ".usage.json"
_SAMPLE_FIRST, _SAMPLE_EVERY = 0.02, 0.25  # seconds between looks at the memory: at first, and later
_SAVE_EVERY = 20  # looks between notes of the usage so far


@dataclass
class ResourceUsage:
    """Usage over all attempts of a stage: wall-clock seconds, and the peak resident bytes of its processes.

    Only processes on this machine are counted.
    """

    seconds: float = 0.0
    attempts: int = 0
    peak_memory: int = 0


def wait_measured(child: subprocess.Popen[bytes], folder: Path, usage: ResourceUsage) -> int:
    """Wait for the child and return its exit status; the usage of interrupted attempts is counted too."""
    before, start, looks = usage.seconds, time.monotonic(), 0
    try:
        while True:
            usage.seconds = before + time.monotonic() - start
            usage.peak_memory = max(usage.peak_memory, tree_memory(child.pid))
            if looks % _SAVE_EVERY == 0:
                _save(folder, usage)
            looks += 1
            try:
                return child.wait(min(looks * _SAMPLE_FIRST, _SAMPLE_EVERY))
            except subprocess.TimeoutExpired:
                continue
    finally:
        usage.seconds = before + time.monotonic() - start
        _save(folder, usage)


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


def load_usage(folder: Path) -> ResourceUsage:
    """The usage of earlier attempts."""
    try:
        return ResourceUsage(**json.loads((folder / USAGE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return ResourceUsage()


def _save(folder: Path, usage: ResourceUsage) -> None:
    try:
        (folder / USAGE).write_text(json.dumps(vars(usage)), encoding="utf-8")
    except OSError:
        return  # a full disk is reported by the stage itself
