"""Running one stage in separate processes, so that its memory is freed and a crash is contained."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rectune.core.artifacts import WorkDir, write_atomically
from rectune.core.errors import RectuneError, UserError, WaitingForPeople
from rectune.core.os_errors import full_disk
from rectune.core.progress import say
from rectune.pipeline.failures import Failure, clear_traces, failure_of, how_it_died, last_lines, notes
from rectune.pipeline.machines import ALONE, LOG, ProcessGroup, check_endpoint
from rectune.pipeline.resource_usage import USAGE, ResourceUsage, load_usage, wait_measured
from rectune.pipeline.worker import STATS, WORKER

SPEC = ".spec.json"
_OF_A_JOB = frozenset(
    "RANK LOCAL_RANK GROUP_RANK WORLD_SIZE LOCAL_WORLD_SIZE MASTER_ADDR MASTER_PORT".split()
)
_ROOM = 1 << 20  # bytes; with less than this left a silent failure is reported as a full disk


class StageFailed(RectuneError):
    """A stage crashed or was killed; its log says more."""


def launch(
    function: str, spec: Mapping[str, Any], place: WorkDir, process_group: ProcessGroup = ALONE
) -> tuple[dict[str, Any], ResourceUsage]:
    """Run a stage function in the process group's processes and wait for it.

    Args:
        function: `module:name` of the stage function.
        spec: `sections` of the recipe as plain values, and `inputs` as stage -> folder.
        place: the partial folder, and the lock that the child keeps if this process dies before it.
        process_group: how many processes on how many machines. More than one run under torch's elastic agent;
            the commands for other machines are printed.

    Raises:
        UserError: the stage found bad input, or the rendezvous of the machines failed.
        StageFailed: it crashed or was killed.
    """
    folder, run = place.folder, secrets.token_hex(8)
    if process_group.machines > 1:
        check_endpoint(process_group.endpoint)
    clear_traces(folder, STATS)
    order = {
        **spec,
        "function": function,
        "out": str(folder),
        "run": run,
        "process_group": asdict(process_group),
    }
    write_atomically(folder / SPEC, json.dumps(order))
    usage = load_usage(folder)
    usage.attempts += 1
    try:
        for node_rank in range(1, process_group.machines):
            line = shlex.join(_command(folder / SPEC, process_group, run, node_rank))
            say(f"  on machine {node_rank + 1} of {process_group.machines}, type:")
            say(f"    cd {shlex.quote(str(Path.cwd()))} && {line}")
        code = _run(_command(folder / SPEC, process_group, run), place, usage)
        _raise_for(code, folder, run, process_group)
        stats: dict[str, Any] = json.loads((folder / STATS).read_text(encoding="utf-8"))
    finally:
        (folder / SPEC).unlink(missing_ok=True)  # no machine can join any more
    clear_traces(folder, STATS, USAGE)
    return stats, usage


def _command(spec: Path, process_group: ProcessGroup, run: str, node_rank: int = 0) -> list[str]:
    if process_group.world_size == 1:
        return [*WORKER, str(spec)]
    agent = [sys.executable, "-P", "-m", "rectune.pipeline.torchrun", str(spec)]
    return [*agent, "--run", run, "--node-rank", str(node_rank)]


def _run(command: list[str], place: WorkDir, usage: ResourceUsage) -> int:
    # Where the terminal is a file, we and the stage write to it by turns; appending overwrites nothing.
    fcntl.fcntl(2, fcntl.F_SETFL, fcntl.fcntl(2, fcntl.F_GETFL) | os.O_APPEND)
    # What a job around us says of its processes is not about ours; torch's agent tells its ranks itself.
    environment = {
        **{name: value for name, value in os.environ.items() if name not in _OF_A_JOB},
        "TOKENIZERS_PARALLELISM": "false",
        "RECTUNE_TERMINAL": f"/proc/{os.getpid()}/fd/2",
    }
    with (place.folder / LOG).open("ab") as log:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=(place.lock,), env=environment
        )
        try:
            return wait_measured(child, place.folder, usage)
        except BaseException:
            child.terminate()
            child.wait()
            raise


def _raise_for(code: int, folder: Path, run: str, process_group: ProcessGroup) -> None:
    found = notes(folder, run)
    if code == 0 and not found and (folder / STATS).is_file():
        return
    cause = (found or _full_disk(folder) or [Failure("killed", how_it_died(code))])[0]
    if cause.kind == "user":
        raise UserError(cause.message, where=cause.where, hint=cause.hint)
    if cause.kind == "waiting":
        raise WaitingForPeople(cause.message, where=cause.where, hint=cause.hint)
    lines = [f"{cause.who}: {cause.message}" if cause.who else cause.message]
    log = folder / (cause.log or LOG)
    if process_group.world_size > 1:
        lines += [f"  the last lines of its log:\n{last_lines(log)}"]
    kept = "what was done is kept: the same command goes on from it"
    raise StageFailed("\n".join([*lines, f"  log: {log}", f"  {kept}"]))


def _full_disk(folder: Path) -> list[Failure]:
    """Whether the disk is full: a stage that cannot write cannot report it either."""
    if shutil.disk_usage(folder).free > _ROOM:
        return []
    return [failure_of(full_disk(str(folder)))]
