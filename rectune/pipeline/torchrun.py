"""One machine's ranks of a training stage, under torch's elastic agent, which is what torchrun runs.

`python -P -m rectune.pipeline.torchrun SPEC --run TOKEN --node-rank NUMBER`: `rectune run` starts number 0, a
person or a batch system the others. torch's function is called instead of its command `torchrun`: it reports
which rank died, and how, and allows starting ranks with `-P`.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rectune.core.errors import UserError
from rectune.core.progress import say
from rectune.pipeline.failures import Failure, failure_of, how_it_died, leave_note, notes
from rectune.pipeline.machines import ProcessGroup, rank_log, rank_name
from rectune.pipeline.worker import WORKER, die_with_parent

_MEETING = 3600  # seconds that machines wait for each other
_LOOK_EVERY = 2.0  # seconds between looks for another machine's failure
_GRACE = 5.0  # seconds in which our own ranks may fail by themselves and leave a note


def main(arguments: Sequence[str]) -> int:
    """Run this machine's ranks of the stage that the spec file names; returns the exit status."""
    asked = _parser().parse_args(arguments)
    if asked.node_rank == 0:
        die_with_parent(signal.SIGTERM)  # a signal that an agent catches, to end its ranks
    # While torch waits for other machines, Python's own handler would not run.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        process_group = _joined_team(asked.spec, asked.run)
    except UserError as error:
        say(f"rectune: {error}")
        return 2
    if process_group.machines > 1:
        threading.Thread(target=_end_with_the_others, args=(asked.spec, asked.run), daemon=True).start()
        say(
            f"machine {asked.node_rank + 1} of {process_group.machines} waits for the others "
            f"at {process_group.endpoint}"
        )
    code = _run_ranks(asked.spec, asked.run, process_group, asked.node_rank)
    say("done" if code == 0 else f"ended with status {code}")
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("rectune.pipeline.torchrun")
    parser.add_argument("spec", type=Path)
    parser.add_argument("--run", required=True)
    parser.add_argument("--node-rank", type=int, required=True)
    return parser


def _joined_team(spec_file: Path, run: str) -> ProcessGroup:
    """The process group in the spec, if it is that of the run to join.

    Raises:
        UserError: the folder is not shared with the first machine, or the run is over.
    """
    try:
        spec: dict[str, Any] = json.loads(spec_file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        spec = {}
    if spec.get("run") != run:
        raise UserError(
            "this machine does not see what the first one wrote: no shared folder, or that run is over",
            where=str(spec_file),
            hint="take the latest run's line, and an artifact store that every machine mounts "
            "under the same path",
        )
    return ProcessGroup(**spec["process_group"])


def _run_ranks(spec_file: Path, run: str, process_group: ProcessGroup, node_rank: int) -> int:
    import torch.distributed as distributed
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import elastic_launch

    folder = spec_file.parent
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // process_group.processes)))
    try:
        elastic_launch(_config(run, process_group, node_rank), WORKER[0])(*WORKER[1:], str(spec_file))
    except ChildFailedError as died:
        # The agent itself ends the others with SIGTERM; they tell nothing.
        told = {rank: one for rank, one in died.failures.items() if one.exitcode != -signal.SIGTERM}
        for rank, failure in (told or died.failures).items():
            note = Failure(
                "killed" if failure.exitcode < 0 else "crash",
                how_it_died(failure.exitcode),
                who=rank_name(rank, process_group, node_rank),
                log=rank_log(rank),
            )
            leave_note(folder, run, f"rank-{rank}", note)
            say(f"rectune: {note.who}: {note.message}; log: {folder / note.log}")
        return 1
    except SignalException as told:
        ended = Failure("crash", f"machine {node_rank + 1} was told to end")
        leave_note(folder, run, f"machine-{node_rank}", ended)
        return 128 + int(told.sigval)
    except distributed.DistError as problem:
        alone = _did_not_meet(problem, process_group, node_rank)
        leave_note(folder, run, f"machine-{node_rank}", failure_of(alone))
        say(f"rectune: {alone}")
        return 2
    return 0


def _config(run: str, process_group: ProcessGroup, node_rank: int) -> Any:
    """torchrun's settings. Nothing is restarted: the same command resumes.

    Between machines the rendezvous is static: ranks follow the machines' numbers, and rank 0 is on the first.
    """
    from torch.distributed.elastic.multiprocessing.api import DefaultLogsSpecs
    from torch.distributed.launcher.api import LaunchConfig

    several = process_group.machines > 1
    return LaunchConfig(
        min_nodes=process_group.machines,
        max_nodes=process_group.machines,
        nproc_per_node=process_group.processes,
        run_id=run,
        rdzv_backend="static" if several else "c10d",
        rdzv_endpoint=process_group.endpoint if several else "localhost:0",
        rdzv_configs={"rank": node_rank, "timeout": _MEETING},
        max_restarts=0,
        logs_specs=DefaultLogsSpecs(log_dir=os.devnull),  # without one torch leaves a temporary folder behind
        local_addr=None if several else "localhost",
    )


def _did_not_meet(problem: Exception, process_group: ProcessGroup, node_rank: int) -> UserError:
    reason = str(problem).strip().splitlines()[0]
    if node_rank:
        found = f"this machine does not reach the first one at {process_group.endpoint} ({reason})"
        return UserError(found, hint="open that port between the machines, or name another `endpoint`")
    found = f"the {process_group.machines} machines did not meet at {process_group.endpoint} ({reason})"
    return UserError(found, hint="look at their terminals; open that port between them")


def _end_with_the_others(spec_file: Path, run: str) -> None:
    """End our ranks once any machine has left a failure note, or the first one's command is over.

    Broken connections end ranks that train; this ends those that have no connection yet, or wait in a kernel.
    """
    while spec_file.exists() and not notes(spec_file.parent, run):
        time.sleep(_LOOK_EVERY)
    time.sleep(_GRACE)
    say("another machine failed, or the command on the first one is over")
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
