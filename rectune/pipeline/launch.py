"""Running one stage in processes of its own: its memory is its own, and its death is not ours."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import subprocess
import threading
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from rectune.core.errors import RectuneError, UserError, WaitingForPeople
from rectune.core.runs import Workplace, write_atomically
from rectune.pipeline.effort import EFFORT, Effort, load_effort, watch
from rectune.pipeline.failures import Failure, clear_traces, how_it_died, last_lines, notes
from rectune.pipeline.machines import ALONE, WORKER, Team, meeting_point
from rectune.pipeline.others import Others

SPEC, STATS, LOG = ".spec.json", ".stats.json", "run.log"
_ROOM = 1 << 20  # bytes; with less than this left a stage without a word is taken to have met a full disk

# What the launchers of other machines take over from ours; nothing here may hold a secret, for it is written to a file.
_SHARED_ENVIRONMENT = ("NCCL_", "GLOO_", "OMP_NUM_THREADS", "DS_ACCELERATOR", "PYTHONPATH")


class StageFailed(RectuneError):
    """A stage ended in a way that is not the user's doing; its log says more."""


def launch(
    function: str, spec: Mapping[str, Any], place: Workplace, team: Team = ALONE
) -> tuple[dict[str, Any], Effort]:
    """Run a stage function in the team's processes and wait for it.

    Args:
        function: `module:name` of the stage function.
        spec: `sections` of the recipe as plain values, and `inputs` as stage -> folder.
        place: the partial folder, and the lock that the child keeps should we die before it.
        team: the machines, and the processes on each; more than one is launched by torch's elastic agent.

    Raises:
        UserError: the stage found bad input, or a machine cannot be reached.
        StageFailed: it crashed or was killed.
    """
    folder = place.folder
    clear_traces(folder, STATS)
    run, several = secrets.token_hex(8), len(team.machines) > 1
    order = {**spec, "function": function, "out": str(folder), "run": run, "team": _described(team)}
    write_atomically(folder / SPEC, json.dumps(order))
    effort = load_effort(folder)
    effort.attempts += 1
    with Others(team, folder / SPEC, run) if several else nullcontext():
        code = _run_watched(_command(folder, team), place, effort)
    _raise_for(code, folder, team)
    stats: dict[str, Any] = json.loads((folder / STATS).read_text(encoding="utf-8"))
    clear_traces(folder, SPEC, STATS, EFFORT)
    return stats, effort


def _described(team: Team) -> dict[str, Any]:
    """The team for the spec file: what a launcher on any of the machines has to know."""
    shared = {name: value for name, value in os.environ.items() if name.startswith(_SHARED_ENVIRONMENT)}
    return {
        "machines": [[machine.host, machine.slots] for machine in team.machines],
        "launcher": team.launcher,
        "endpoint": meeting_point(team) if team.world > 1 else "",
        "environment": shared if len(team.machines) > 1 else {},
    }


def _command(folder: Path, team: Team) -> list[str]:
    worker = [*WORKER, str(folder / SPEC)]
    return worker if team.world == 1 else [*worker, "--machine", "0"]


def _run_watched(command: list[str], place: Workplace, effort: Effort) -> int:
    # Where the terminal is a file, we and the stage write to it by turns; appending keeps us from overwriting.
    fcntl.fcntl(2, fcntl.F_SETFL, fcntl.fcntl(2, fcntl.F_GETFL) | os.O_APPEND)
    environment = {
        **os.environ,
        "TOKENIZERS_PARALLELISM": "false",
        "RECTUNE_TERMINAL": f"/proc/{os.getpid()}/fd/2",
    }
    with (place.folder / LOG).open("ab") as log:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=(place.lock,), env=environment
        )
        watcher = threading.Thread(target=watch, args=(child, place.folder, effort), daemon=True)
        watcher.start()
        try:
            code = child.wait()
        except BaseException:
            child.terminate()
            child.wait()
            raise
        finally:
            watcher.join()
    return code


def _raise_for(code: int, folder: Path, team: Team) -> None:
    if code == 0 and (folder / STATS).is_file():
        return
    found = notes(folder) or _full_disk(folder)
    cause = found[0] if found else Failure("killed", how_it_died(code))
    if cause.kind == "user":
        raise UserError(cause.found, where=cause.where, mend=cause.mend)
    if cause.kind == "waiting":
        raise WaitingForPeople(cause.found, where=cause.where, mend=cause.mend)
    lines = [f"{cause.who}: {cause.found}" if cause.who else cause.found]
    log = folder / (cause.log or LOG)
    if team.world > 1:
        lines += [f"  the last lines of its log:\n{last_lines(log)}"]
    kept = "what was done is kept: the same command goes on from it"
    raise StageFailed("\n".join([*lines, f"  log: {log}", f"  {kept}"]))


def _full_disk(folder: Path) -> list[Failure]:
    """A stage that cannot write cannot say so either; look for it."""
    if shutil.disk_usage(folder).free > _ROOM:
        return []
    return [
        Failure(
            "user", "the disk is full", str(folder), "free some space; the same command goes on from here"
        )
    ]
