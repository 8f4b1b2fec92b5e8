"""The process that a stage runs in: `python -m pipeline.worker SPEC [--processes N]`.

Library noise goes to the stage's run.log, which is our stdout and stderr; progress goes to the terminal of the command that
launched us. With several processes we become torch.distributed.run, which starts one of us a rank.
"""

from __future__ import annotations

import ctypes
import errno
import importlib
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.launch import ERROR, STATS
from rectune import progress
from rectune.errors import UserError, WaitingForPeople
from rectune.recipe import parse_recipe
from rectune.runs import write_atomically

_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> int:
    """Run the stage that the spec file names; returns the exit status."""
    spec_file = Path(arguments[0])
    if "--processes" in arguments:
        _become_launcher(spec_file, arguments[arguments.index("--processes") + 1])
    _die_with_parent(signal.SIGKILL)
    _take_terminal()
    spec = json.loads(spec_file.read_text(encoding="utf-8"))
    out = Path(spec["out"])
    try:
        stats = _stage_function(spec["function"])(
            parse_recipe(spec["sections"]),
            {name: Path(folder) for name, folder in spec["inputs"].items()},
            out,
        )
    except Exception as error:
        traceback.print_exc()
        _report(out, error)
        return 2 if isinstance(error, UserError) else 1
    if os.environ.get("RANK", "0") == "0":
        write_atomically(out / STATS, json.dumps(stats, ensure_ascii=False))
    return 0


def _stage_function(name: str) -> Callable[..., dict[str, Any]]:
    module, _, function = name.partition(":")
    loaded: Callable[..., dict[str, Any]] = getattr(importlib.import_module(module), function)
    return loaded


def _become_launcher(spec_file: Path, processes: str) -> None:
    _die_with_parent(signal.SIGTERM)  # survives exec; torch.distributed.run then stops its ranks
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={processes}"]
    os.execv(sys.executable, [sys.executable, *launcher, "-m", "pipeline.worker", str(spec_file)])


def _die_with_parent(how: signal.Signals) -> None:
    """Ask Linux to signal us when our parent dies, so that a killed run leaves nothing behind that still writes."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(how))


def _take_terminal() -> None:
    try:
        # Appending: the terminal may be a file, and opening that in any other way would empty it.
        descriptor = os.open(os.environ.get("RECTUNE_TERMINAL", ""), os.O_WRONLY | os.O_APPEND)
    except OSError:
        return  # no such terminal: progress goes to the log
    progress.set_stream(os.fdopen(descriptor, "w", encoding="utf-8"))


def _is_full_disk(error: BaseException | None) -> bool:
    """Whether there was no space left; libraries not written in Python say so in their own errors' words."""
    while error is not None:
        if (isinstance(error, OSError) and error.errno == errno.ENOSPC) or os.strerror(errno.ENOSPC) in str(
            error
        ):
            return True
        error = error.__cause__ or error.__context__
    return False


def _report(out: Path, error: Exception) -> None:
    """Leave the error where the launcher looks for it; the first rank to fail is the one that is heard."""
    if _is_full_disk(error):
        error = UserError(
            "the disk is full", where=str(out), mend="free some space; the same command goes on from here"
        )
    kind = (
        "waiting"
        if isinstance(error, WaitingForPeople)
        else "user"
        if isinstance(error, UserError)
        else "crash"
    )
    words = {"kind": kind, "found": f"{type(error).__name__}: {error}", "where": "", "mend": ""}
    if isinstance(error, UserError):
        words |= {"found": error.found, "where": error.where, "mend": error.mend}
    try:
        with (out / ERROR).open("x", encoding="utf-8") as file:
            json.dump(words, file)
    except OSError:
        return  # another rank was first, or the disk is full: the exit status still says that it failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
