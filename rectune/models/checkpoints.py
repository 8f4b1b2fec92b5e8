"""Complete checkpoints: a seal, written last, names the size of every file.

The trainer writes a checkpoint file by file, from several processes. A kill or a full disk in the middle
leaves a folder that looks like any other, so a checkpoint counts only if its seal is there and every file
still has the size it names.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from rectune.models.distributed import is_first, process_count, wait_for_all

SEAL = "complete.json"
_PREFIX = "checkpoint-"


def seal(checkpoint: Path) -> None:
    """Sync a checkpoint's files to disk, then say that it is complete. All processes call it."""
    wait_for_all()
    if not is_first():
        return
    sizes = {}
    for file in sorted(p for p in checkpoint.rglob("*") if p.is_file() and p.name != SEAL):
        with file.open("rb") as stream:
            os.fsync(stream.fileno())
        sizes[file.relative_to(checkpoint).as_posix()] = file.stat().st_size
    partial = checkpoint / (SEAL + ".partial")
    with partial.open("w", encoding="utf-8") as stream:
        json.dump({"processes": process_count(), "files": sizes}, stream)
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(checkpoint / SEAL)


def is_complete(checkpoint: Path) -> bool:
    """Whether a checkpoint is sealed, whole, and was written by as many processes as run now.

    The optimiser's state is partitioned by process, so another number of processes cannot load it.
    """
    try:
        promised = json.loads((checkpoint / SEAL).read_text(encoding="utf-8"))
        whole = all((checkpoint / name).stat().st_size == size for name, size in promised["files"].items())
    except (OSError, ValueError, KeyError):
        return False
    return whole and bool(promised["processes"] == process_count())


def last_complete(folder: Path) -> Path | None:
    """The newest checkpoint to resume from, if there is one."""
    return max(filter(is_complete, folder.glob(_PREFIX + "*")), key=step_of, default=None)


def step_of(checkpoint: Path) -> int:
    """The optimiser step after which a checkpoint was made."""
    return int(checkpoint.name.removeprefix(_PREFIX))


def discard_broken(folder: Path) -> None:
    """Remove checkpoints that cannot be resumed from, so that a new one under the same name starts clean."""
    if is_first():
        for checkpoint in folder.glob(_PREFIX + "*"):
            if not is_complete(checkpoint):
                shutil.rmtree(checkpoint, ignore_errors=True)
    wait_for_all()
