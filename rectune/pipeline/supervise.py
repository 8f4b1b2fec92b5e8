"""One machine's launcher: it meets the others, starts its ranks, and ends all of them when one has failed anywhere."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rectune.core.errors import UserError
from rectune.pipeline.failures import PULSE, Failure, failure_of, how_it_died, leave_note, notes
from rectune.pipeline.machines import WORKER, Machine, Team

_LOOK_EVERY = 1.0  # seconds between looks at the other machines
_PULSE_EVERY = 5.0  # seconds between signs of life
_SILENCE = 120.0  # seconds without a sign of life after which a machine counts as lost
_GOODBYE = 10.0  # seconds that our ranks have to end after the first machine has
_JOINING = {"ssh": 300, "manual": 3600, "slurm": 900}  # seconds until all machines must have met


def supervise(spec_file: Path, machine: int, run: str = "") -> int:
    """Run this machine's ranks of a stage to their end; returns the exit status.

    Args:
        spec_file: what the first machine wrote, in a folder that all machines share.
        machine: this machine's place in the list.
        run: the token of the run, where another machine gave it to us; the file must hold the same.
    """
    try:
        spec = shared_spec(spec_file, run)
    except UserError as error:
        print(f"rectune: {error}", file=sys.stderr)
        return 2
    os.environ.update(spec["team"]["environment"])
    team = _team(spec)
    try:
        with _touch(team, machine, spec_file.parent):
            return _run_ranks(spec_file, spec, team, machine)
    finally:
        sys.stdout.flush()


def shared_spec(spec_file: Path, run: str) -> dict[str, Any]:
    """The spec, if it is that of the run that we were told to join.

    Raises:
        UserError: the folder is not shared with the first machine, or the run is over.
    """
    mend = (
        "give a run store on a disk that every machine mounts under the same path (--runs), and start again"
    )
    try:
        spec: dict[str, Any] = json.loads(spec_file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        found = f"this machine does not see what the first one wrote ({problem})"
        raise UserError(found, where=str(spec_file), mend=mend) from None
    if run and spec.get("run") != run:
        found = "what this machine sees is of another run: the folder is not shared, or that run is over"
        raise UserError(found, where=str(spec_file), mend=mend)
    return spec


def _team(spec: dict[str, Any]) -> Team:
    described = spec["team"]
    machines = tuple(Machine(host, slots) for host, slots in described["machines"])
    return Team(machines, described["launcher"], described["endpoint"])


def _run_ranks(spec_file: Path, spec: dict[str, Any], team: Team, machine: int) -> int:
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.elastic.rendezvous.api import RendezvousError
    from torch.distributed.launcher.api import elastic_launch

    here, folder = team.machines[machine], spec_file.parent
    first = team.first_rank(machine)
    os.environ |= {"RECTUNE_FIRST_RANK": str(first), "RECTUNE_MACHINE": str(machine)}
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // here.slots)))
    try:
        elastic_launch(_config(spec["run"], team, machine), WORKER[0])(*WORKER[1:], str(spec_file))
    except ChildFailedError as died:
        for failure in died.failures.values():
            rank, code = first + failure.local_rank, failure.exitcode
            kind = Failure(
                "killed" if code < 0 else "crash",
                how_it_died(code),
                who=rank_name(rank, team),
                log=rank_log(rank),
            )
            leave_note(folder, f"rank-{rank}", kind)
        return 1
    except RendezvousError as alone:
        leave_note(folder, f"machine-{machine}", _did_not_meet(alone, team, machine, folder))
        return 2
    except SignalException:
        return 128 + signal.SIGTERM
    return 0


def _config(run: str, team: Team, machine: int) -> Any:
    """torchrun's settings; nodes are fixed in number, and nothing is restarted: the same command resumes."""
    from torch.distributed.launcher.api import LaunchConfig

    meeting = {
        "is_host": str(machine == 0).lower(),
        "join_timeout": _JOINING[team.launcher],
        "timeout": _JOINING[team.launcher],
    }
    return LaunchConfig(
        min_nodes=len(team.machines),
        max_nodes=len(team.machines),
        nproc_per_node=team.machines[machine].slots,
        run_id=run,
        rdzv_backend="c10d",
        rdzv_endpoint=team.endpoint,
        rdzv_configs=meeting,
        max_restarts=0,
        local_addr=_own_address(team, machine),
    )


def _own_address(team: Team, machine: int) -> str | None:
    """The name under which the others reach this machine; left to the system where the recipe has no names."""
    if len(team.machines) == 1:
        return "localhost"
    if machine == 0:
        return team.endpoint.rpartition(":")[0]
    here = team.machines[machine]
    return here.address if here.named and team.launcher != "slurm" else None


def _did_not_meet(problem: Exception, team: Team, machine: int, folder: Path) -> Failure:
    came = [n for n in range(len(team.machines)) if _pulse(folder, n).exists()]
    absent = [one.host for n, one in enumerate(team.machines) if n not in came]
    if machine:
        found = (
            f"{team.machines[machine].host} does not reach the first machine at {team.endpoint} ({problem})"
        )
        return Failure(
            "user", found, mend="open that port between the machines, or name another as `endpoint`"
        )
    waited = f"within {_JOINING[team.launcher] // 60} minutes"
    found = f"the machines did not meet at {team.endpoint} {waited}; absent: {', '.join(absent) or 'none'}"
    return Failure(
        "user", found, mend="look at their terminals or machine-*.log; open that port between them"
    )


@contextmanager
def _touch(team: Team, machine: int, folder: Path) -> Iterator[None]:
    """Show the other machines that this one lives, and end our ranks when one of them has failed or fallen silent."""
    over = threading.Event()
    pulse = _pulse(folder, machine)
    if len(team.machines) > 1:
        threading.Thread(target=_keep_in_touch, args=(team, machine, folder, over), daemon=True).start()
    try:
        yield
    finally:
        over.set()
        pulse.unlink(missing_ok=True)


def _keep_in_touch(team: Team, machine: int, folder: Path, over: threading.Event) -> None:
    watched = [0] if machine else list(range(1, len(team.machines)))
    others = {number: Silence(_pulse(folder, number)) for number in watched}
    beat = 0.0
    while not over.wait(_LOOK_EVERY):
        now = time.monotonic()
        if now - beat >= _PULSE_EVERY:
            beat = now
            write_pulse(_pulse(folder, machine), now)
        lost = [number for number, silence in others.items() if silence.is_lost(now)]
        for number in lost:
            host = team.machines[number].host
            note = Failure("killed", f"the machine {host} gave no sign of life any more", who=host)
            leave_note(folder, f"machine-{number}", note)
        if lost or notes(folder):
            over.wait(_LOOK_EVERY)  # our own ranks may be leaving their notes
            os.kill(os.getpid(), signal.SIGTERM)
            return


class Silence:
    """How long ago another machine's sign of life changed; clocks of machines differ, so only ours is asked."""

    def __init__(self, pulse: Path) -> None:
        self._pulse, self._last, self._since = pulse, "", 0.0
        self.gone = False

    def is_lost(self, now: float) -> bool:
        """Whether the machine has been silent for too long, or has said goodbye a while ago."""
        return self.seconds(now) > (_GOODBYE if self.gone else _SILENCE)

    def seconds(self, now: float) -> float:
        """Seconds since the last change; 0 as long as there was no sign at all. `gone`: it has said goodbye."""
        try:
            seen = self._pulse.read_text(encoding="utf-8")
            self.gone = False
        except OSError:
            self.gone = bool(self._last)
            return now - self._since if self.gone else 0.0
        if seen != self._last:
            self._last, self._since = seen, now
        return now - self._since


def _pulse(folder: Path, machine: int) -> Path:
    return folder / f"{PULSE}{machine}"


def write_pulse(path: Path, now: float) -> None:
    """A sign of life: a file whose content changes."""
    try:
        path.write_text(f"{now:.1f}", encoding="utf-8")
    except OSError:
        return  # a full disk is reported by the stage itself


def rank_name(rank: int, team: Team) -> str:
    """A rank for people, with its machine where there are several."""
    return f"rank {rank} on {team.machine_of(rank).host}" if len(team.machines) > 1 else f"rank {rank}"


def rank_log(rank: int) -> str:
    """The log of a rank below the stage's folder."""
    return f"rank-{rank}.log" if rank else "run.log"


def note_rank(folder: Path, spec: dict[str, Any], error: Exception) -> None:
    """Leave the note of a rank, or of the only process there is."""
    team, rank = _team(spec), int(os.environ.get("RANK", "0"))
    who = rank_name(rank, team) if team.world > 1 else ""
    leave_note(folder, f"rank-{rank}", failure_of(error, who, rank_log(rank)))
