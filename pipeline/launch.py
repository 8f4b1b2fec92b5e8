"""Running one stage in processes of its own: its memory is its own, and its death is not ours."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rectune.errors import RectuneError, UserError, WaitingForPeople
from rectune.runs import Workplace, write_atomically

SPEC, STATS, ERROR, EFFORT = ".spec.json", ".stats.json", ".error.json", ".effort.json"
_SAMPLE_EVERY = 0.25  # seconds between looks at the memory
_SAVE_EVERY = 20  # looks between notes of the effort so far
_ROOM = 1 << 20  # bytes; with less than this left a stage without a word is taken to have met a full disk


class StageFailed(RectuneError):
    """A stage ended in a way that is not the user's doing; its log says more."""


@dataclass
class Effort:
    """What a stage took over all its attempts: wall-clock seconds, and the peak resident bytes of its process tree."""

    seconds: float = 0.0
    attempts: int = 0
    peak_memory: int = 0


def launch(
    function: str, spec: Mapping[str, Any], place: Workplace, processes: int
) -> tuple[dict[str, Any], Effort]:
    """Run a stage function in `processes` ranks and wait for it.

    Args:
        function: `module:name` of the stage function.
        spec: `sections` of the recipe as plain values, and `inputs` as stage -> folder.
        place: the partial folder, and the lock that the child keeps should we die before it.
        processes: ranks; more than one is launched by torch.distributed.run.

    Raises:
        UserError: the stage found bad input.
        StageFailed: it crashed or was killed.
    """
    folder = place.folder
    for name in (STATS, ERROR):
        (folder / name).unlink(missing_ok=True)
    write_atomically(folder / SPEC, json.dumps({**spec, "function": function, "out": str(folder)}))
    effort = _load_effort(folder)
    effort.attempts += 1
    code = _run_watched(_command(folder, processes), place, effort)
    _raise_for(code, folder)
    stats: dict[str, Any] = json.loads((folder / STATS).read_text(encoding="utf-8"))
    for name in (SPEC, STATS, EFFORT):
        (folder / name).unlink(missing_ok=True)
    return stats, effort


def _command(folder: Path, processes: int) -> list[str]:
    worker = [sys.executable, "-m", "pipeline.worker", str(folder / SPEC)]
    return worker if processes == 1 else [*worker, "--processes", str(processes)]


def _run_watched(command: list[str], place: Workplace, effort: Effort) -> int:
    root = Path(__file__).parent.parent
    # Where the terminal is a file, we and the stage write to it by turns; appending keeps us from overwriting.
    fcntl.fcntl(2, fcntl.F_SETFL, fcntl.fcntl(2, fcntl.F_GETFL) | os.O_APPEND)
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH", "")])),
        "TOKENIZERS_PARALLELISM": "false",
        "RECTUNE_TERMINAL": f"/proc/{os.getpid()}/fd/2",
    }
    with (place.folder / "run.log").open("ab") as log:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=(place.lock,), env=environment
        )
        watch = threading.Thread(target=_watch, args=(child, place.folder, effort), daemon=True)
        watch.start()
        try:
            code = child.wait()
        except BaseException:
            child.terminate()
            child.wait()
            raise
        finally:
            watch.join()
    return code


def _watch(child: subprocess.Popen[bytes], folder: Path, effort: Effort) -> None:
    """Note memory and time until the child ends; what an interrupted attempt took is counted too."""
    before, start, looks = effort.seconds, time.monotonic(), 0
    while True:
        ended = child.poll() is not None
        effort.seconds = before + time.monotonic() - start
        effort.peak_memory = max(effort.peak_memory, 0 if ended else _tree_memory(child.pid))
        if ended or looks % _SAVE_EVERY == 0:
            _save_effort(folder, effort)
        if ended:
            return
        looks += 1
        time.sleep(_SAMPLE_EVERY)


def _tree_memory(pid: int) -> int:
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


def _load_effort(folder: Path) -> Effort:
    try:
        return Effort(**json.loads((folder / EFFORT).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return Effort()


def _save_effort(folder: Path, effort: Effort) -> None:
    try:
        (folder / EFFORT).write_text(json.dumps(vars(effort)), encoding="utf-8")
    except OSError:
        return  # a full disk is reported by the stage itself


def _raise_for(code: int, folder: Path) -> None:
    if code == 0 and (folder / STATS).is_file():
        return
    log = folder / "run.log"
    try:
        error = json.loads((folder / ERROR).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        error = _full_disk(folder) or {"kind": "crash", "found": _how_it_died(code)}
    if error["kind"] == "user":
        raise UserError(error["found"], where=error["where"], mend=error["mend"])
    if error["kind"] == "waiting":
        raise WaitingForPeople(error["found"], where=error["where"], mend=error["mend"])
    raise StageFailed(
        f"{error['found']}\n  log: {log}\n  what was done is kept: the same command goes on from it"
    )


def _full_disk(folder: Path) -> dict[str, str] | None:
    """A stage that cannot write cannot say so either; look for it."""
    if shutil.disk_usage(folder).free > _ROOM:
        return None
    mend = "free some space; the same command goes on from here"
    return {"kind": "user", "found": "the disk is full", "where": str(folder), "mend": mend}


def _how_it_died(code: int) -> str:
    if code == -9:
        return "killed (signal 9); out of memory, perhaps"
    return f"ended by signal {-code}" if code < 0 else f"ended with exit status {code} and no word why"
