"""The process that a stage runs in: `python -m rectune.pipeline.worker SPEC [--machine NUMBER [--run TOKEN]]`.

Library noise goes to the stage's run.log, which is our stdout and stderr; progress goes to the terminal of the command that
launched us. With `--machine` we are a machine's launcher, which starts one of us a rank.
"""

from __future__ import annotations

import argparse
import ctypes
import errno
import importlib
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rectune.core import progress
from rectune.core.errors import UserError
from rectune.core.recipe import parse_recipe
from rectune.core.runs import write_atomically
from rectune.pipeline.launch import STATS
from rectune.pipeline.supervise import note_rank, rank_log, supervise

_PR_SET_PDEATHSIG = 1


def main(arguments: Sequence[str]) -> int:
    """Run the stage that the spec file names, or this machine's ranks of it; returns the exit status."""
    asked = _parser().parse_args(arguments)
    if asked.machine is not None:
        # Told to stop by a signal that it can catch, a launcher stops its ranks; on another machine nobody is our parent.
        if not asked.run:
            _die_with_parent(signal.SIGTERM)
        return supervise(asked.spec, asked.machine, asked.run)
    _die_with_parent(signal.SIGKILL)
    spec = json.loads(asked.spec.read_text(encoding="utf-8"))
    _take_rank(Path(spec["out"]))
    _take_terminal()
    return _run_stage(spec, Path(spec["out"]))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("rectune.pipeline.worker")
    parser.add_argument("spec", type=Path)
    parser.add_argument("--machine", type=int)
    parser.add_argument("--run", default="")
    return parser


def _run_stage(spec: dict[str, Any], out: Path) -> int:
    try:
        stats = _stage_function(spec["function"])(
            parse_recipe(spec["sections"]),
            {name: Path(folder) for name, folder in spec["inputs"].items()},
            out,
        )
    except Exception as error:
        traceback.print_exc()
        note_rank(out, spec, _in_our_words(error, out))
        return 2 if isinstance(error, UserError) else 1
    if os.environ.get("RANK", "0") == "0":
        write_atomically(out / STATS, json.dumps(stats, ensure_ascii=False))
    return 0


def _take_rank(out: Path) -> None:
    """Ranks follow the order of the machines; torch numbers machines by name, and which is first would then be chance.

    Every rank but the first has a log of its own.
    """
    if "LOCAL_RANK" not in os.environ:
        return
    rank = int(os.environ["RECTUNE_FIRST_RANK"]) + int(os.environ["LOCAL_RANK"])
    os.environ |= {"RANK": str(rank), "ROLE_RANK": str(rank), "GROUP_RANK": os.environ["RECTUNE_MACHINE"]}
    if rank:
        os.environ.pop("RECTUNE_TERMINAL", None)
        log = os.open(out / rank_log(rank), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(log, 1)
        os.dup2(log, 2)


def _stage_function(name: str) -> Callable[..., dict[str, Any]]:
    module, _, function = name.partition(":")
    loaded: Callable[..., dict[str, Any]] = getattr(importlib.import_module(module), function)
    return loaded


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


def _in_our_words(error: Exception, out: Path) -> Exception:
    if not _is_full_disk(error):
        return error
    return UserError(
        "the disk is full", where=str(out), mend="free some space; the same command goes on from here"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
