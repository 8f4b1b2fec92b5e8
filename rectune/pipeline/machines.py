"""Which machines a training stage runs on, and how many processes on each: from the recipe, a hostfile or SLURM."""

from __future__ import annotations

import os
import re
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rectune.core.errors import UserError
from rectune.core.settings import Optimisation

# How a stage's process begins; -P, so that nothing in the folder where a command is typed comes before what is installed.
WORKER = (sys.executable, "-P", "-m", "rectune.pipeline.worker")

Launcher = Literal["ssh", "manual", "slurm"]

# A name or address, perhaps with a login before it. The first sign is never a dash: ssh would read an option.
_HOST = r"(?:[A-Za-z0-9_][\w.-]*@)?[A-Za-z0-9_\[][\w.:\]-]*"
_LINE = re.compile(rf"(?P<host>{_HOST})(?:\s+slots\s*=\s*(?P<slots>[0-9]{{1,4}}))?", re.ASCII)
_ENDPOINT = re.compile(r"(?P<host>[A-Za-z0-9_\[][\w.:\]-]*):(?P<port>[0-9]{1,5})", re.ASCII)


@dataclass(frozen=True)
class Machine:
    """One machine: the name that ssh takes, or `machine 2` where the recipe has no names; and its processes."""

    host: str
    slots: int

    @property
    def named(self) -> bool:
        """Whether the recipe names it; no name has a space."""
        return " " not in self.host

    @property
    def address(self) -> str:
        """The name without a login."""
        return self.host.rpartition("@")[2]


@dataclass(frozen=True)
class Team:
    """The machines of one stage, the first of which is this one. `endpoint` is host:port, or empty for a free port."""

    machines: tuple[Machine, ...] = (Machine("localhost", 1),)
    launcher: Launcher = "ssh"
    endpoint: str = ""

    @property
    def world(self) -> int:
        """Processes on all machines: how many rows a step sees depends on it, and nothing else here does."""
        return sum(machine.slots for machine in self.machines)

    def first_rank(self, machine: int) -> int:
        """The rank of a machine's first process; ranks follow the order of the list."""
        return sum(one.slots for one in self.machines[:machine])

    def machine_of(self, rank: int) -> Machine:
        """The machine that a rank runs on."""
        places = [machine for machine in self.machines for _ in range(machine.slots)]
        return places[rank]


ALONE = Team()


def team_of(settings: Optimisation, section: str) -> Team:
    """The machines of a training section.

    Raises:
        UserError: lists every line that is not `host slots=n`, or says what else does not go together.
    """
    machines = _machines(settings, section)
    if settings.endpoint and not _ENDPOINT.fullmatch(settings.endpoint):
        raise UserError(
            f"{settings.endpoint!r} is not host:port", where=f"{section}.endpoint", mend="as node1:29400"
        )
    return Team(machines, settings.launcher, settings.endpoint)


def _machines(settings: Optimisation, section: str) -> tuple[Machine, ...]:
    named, where = settings.machines, f"{section}.machines"
    if isinstance(named, int):
        if named > 1 and settings.launcher == "ssh":
            mend = f"name them, as {where}=[node1 slots=4, node2 slots=4], or set launcher to manual or slurm"
            raise UserError(
                f"{named} machines without names cannot be started over ssh", where=where, mend=mend
            )
        return tuple(Machine(f"machine {number}", settings.processes) for number in range(1, named + 1))
    if isinstance(named, str):
        return _read_hostfile(Path(named).expanduser(), settings.processes, where)
    if not named:
        return (Machine("localhost", settings.processes),)
    return parse_machines(named, settings.processes, where)


def _read_hostfile(path: Path, slots: int, where: str) -> tuple[Machine, ...]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        mend = "name a file with one `host slots=n` a line, or a list of such lines"
        raise UserError(f"the hostfile {path} cannot be read ({problem})", where=where, mend=mend) from None
    return parse_machines(text.splitlines(), slots, str(path))


def parse_machines(lines: Sequence[str], slots: int, where: str) -> tuple[Machine, ...]:
    """Machines from lines `host slots=n`; blank lines and what follows a # are left out.

    Args:
        lines: of a hostfile or a list in a recipe.
        slots: processes on a machine that does not say how many.
        where: what is named in errors, before the line's number.

    Raises:
        UserError: lists every line that cannot be read or names a machine again; or there is no machine.
    """
    found: dict[str, Machine] = {}
    faults = []
    for number, line in enumerate(lines, 1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        match = _LINE.fullmatch(text)
        count = int((match and match["slots"]) or slots)
        if match is None or count < 1:
            faults.append(f"{where}:{number}: {text[:80]!r} is not `host slots=n` with n from 1 on")
        elif match["host"] in found:
            faults.append(f"{where}:{number}: {match['host']} is named twice; give its slots on one line")
        else:
            found[match["host"]] = Machine(match["host"], count)
    if faults or not found:
        raise UserError("\n".join(faults) or f"{where}: names no machine", mend="as in: node1 slots=4")
    return tuple(found.values())


def meeting_point(team: Team) -> str:
    """Where the machines' launchers meet, as host:port; this machine hosts it.

    Raises:
        UserError: the first machine of the list is not this one.
    """
    if len(team.machines) == 1:
        return "localhost:0"
    if team.endpoint:
        return team.endpoint
    named = team.machines[0].named and team.launcher != "slurm"
    host = team.machines[0].address if named else socket.gethostname()
    return f"{host}:{_free_port(host)}"


def _free_port(host: str) -> int:
    """A free port under that name of ours."""
    try:
        with socket.socket() as probe:
            probe.bind((host, 0))
            return int(probe.getsockname()[1])
    except OSError as problem:
        mend = "start on the first machine of the list, or name the others after this one; or set endpoint"
        raise UserError(
            f"the first machine is {host}, which is not this one, {socket.gethostname()} ({problem})",
            mend=mend,
        ) from None


def slurm_place(section: str = "train") -> tuple[int, int]:
    """This task's number among the tasks that srun started, and how many there are.

    Raises:
        UserError: SLURM did not start us, or not one task a machine.
    """
    mend = "sbatch a script with: srun --ntasks-per-node=1 rectune run RECIPE"
    try:
        task, tasks = int(os.environ["SLURM_PROCID"]), int(os.environ["SLURM_NTASKS"])
        local = int(os.environ.get("SLURM_LOCALID", "0"))
    except (KeyError, ValueError):
        raise UserError("SLURM did not start this process", where=f"{section}.launcher", mend=mend) from None
    if local:
        raise UserError(
            "SLURM started more than one task on a machine", where=f"{section}.launcher", mend=mend
        )
    return task, tasks
