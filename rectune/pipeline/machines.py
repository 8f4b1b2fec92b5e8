"""How many processes train together, and on how many machines."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from rectune.core.errors import UserError
from rectune.core.settings import AllmrecConfig, TrainingConfig

LOG = "run.log"  # of a stage, below its folder


@dataclass(frozen=True)
class ProcessGroup:
    """The processes of one stage: how many on each machine, the first of which is this one.

    `endpoint` is the rendezvous of several machines, host:port of the first.
    """

    processes: int = 1
    machines: int = 1
    endpoint: str = ""

    @property
    def world_size(self) -> int:
        """Processes on all machines, on which the number of rows in a step depends."""
        return self.machines * self.processes


ALONE = ProcessGroup()


def process_group_of(settings: TrainingConfig | AllmrecConfig) -> ProcessGroup:
    """The processes of a training section."""
    return ProcessGroup(settings.processes, settings.machines, settings.endpoint)


def rank_name(rank: int, process_group: ProcessGroup, node_rank: int) -> str:
    """The name of a rank of this machine, with the machine, counted from 1, if there are several."""
    if process_group.machines == 1:
        return f"rank {rank}"
    return f"rank {rank} on machine {node_rank + 1} ({socket.gethostname()})"


def rank_log(rank: int) -> str:
    """The log of a rank below the stage's folder; the first one's is the stage's own."""
    return f"rank-{rank}.log" if rank else LOG


def check_endpoint(endpoint: str) -> None:
    """Check that this machine can listen at the endpoint.

    Raises:
        UserError: host is not a name or address of this machine, or something listens on the port already.
    """
    host, _, port = endpoint.rpartition(":")
    try:
        family, *_, address = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)[0]
        socket.create_server(address[:2], family=family).close()
    except OSError as problem:
        raise UserError(
            f"machines cannot meet at {endpoint} ({problem.strerror}); this one is {socket.gethostname()}",
            where="endpoint",
            hint="name a free port of the machine that the command is given on, as the others reach it",
        ) from None
