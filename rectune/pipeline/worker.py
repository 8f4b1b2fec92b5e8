"""The process that a stage runs in, or one of them: `python -P -m rectune.pipeline.worker SPEC`.

Output of libraries goes to the stage's run.log, which is this process's stdout and stderr, or to a rank's own
log; progress goes to the terminal of the command that launched it.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rectune.core import progress
from rectune.core.artifacts import write_atomically
from rectune.core.errors import UserError
from rectune.core.extras import missing_extra
from rectune.core.figures.record import StageRecord
from rectune.core.os_errors import for_people
from rectune.core.recipe import parse_recipe
from rectune.core.std_streams import UNSHOWN
from rectune.pipeline.failures import failure_of, leave_note
from rectune.pipeline.machines import ProcessGroup, rank_log, rank_name

# How a stage's process begins. -P: nothing in the folder where a command is typed hides what is installed.
WORKER = (sys.executable, "-P", "-m", "rectune.pipeline.worker")
STATS = ".stats.json"
_PR_SET_PDEATHSIG = 1


def main(spec_file: str) -> int:
    """Run the stage that the spec file names, as the rank that torchrun gave us; returns the exit status."""
    die_with_parent(signal.SIGKILL)
    spec = json.loads(Path(spec_file).read_text(encoding="utf-8"))
    out, rank = Path(spec["out"]), int(os.environ.get("RANK", "0"))
    if rank:
        _take_log(out / rank_log(rank))
    else:
        _take_terminal()
    try:
        figures = _stage_function(spec["function"])(
            parse_recipe(spec["sections"]),
            {name: Path(folder) for name, folder in spec["inputs"].items()},
            out,
        )
    except Exception as error:
        traceback.print_exc()
        told = for_people(error, str(out)) or missing_extra(error, "this stage") or error
        _leave_note(told, spec, out, rank)
        return 2 if isinstance(told, UserError) else 1
    if rank == 0:
        write_atomically(out / STATS, figures.to_json())
    _leave_process_group()
    return 0


def _leave_process_group() -> None:
    """Processes that end while threads of gloo still run are aborted now and then."""
    distributed = sys.modules.get("torch.distributed")
    if distributed is not None and distributed.is_available() and distributed.is_initialized():
        distributed.destroy_process_group()


def _take_log(path: Path) -> None:
    """Every rank but the first has a log of its own, and shows no progress."""
    os.environ.pop("RECTUNE_TERMINAL", None)
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)


def _take_terminal() -> None:
    try:
        # Appending: the terminal may be a file, and opening that in any other way would empty it.
        descriptor = os.open(os.environ.get("RECTUNE_TERMINAL", ""), os.O_WRONLY | os.O_APPEND)
    except OSError:
        return  # no such terminal: progress goes to the log
    # The log on our own standard error has the terminal's encoding.
    encoding = sys.stderr.encoding or "utf-8"
    progress.set_stream(os.fdopen(descriptor, "w", encoding=encoding, errors=UNSHOWN))


def _stage_function(name: str) -> Callable[..., StageRecord]:
    module, _, function = name.partition(":")
    loaded: Callable[..., StageRecord] = getattr(importlib.import_module(module), function)
    return loaded


def _leave_note(error: Exception, spec: dict[str, Any], out: Path, rank: int) -> None:
    process_group = ProcessGroup(**spec["process_group"])
    who = (
        rank_name(rank, process_group, int(os.environ.get("GROUP_RANK", "0")))
        if process_group.world_size > 1
        else ""
    )
    leave_note(out, spec["run"], f"rank-{rank}", failure_of(error, who, rank_log(rank)))


def die_with_parent(how: signal.Signals) -> None:
    """Ask Linux to signal this process when its parent dies, so that a killed run leaves no writer behind."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(how))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
