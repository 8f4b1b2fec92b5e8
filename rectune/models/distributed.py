"""One process among others, or alone: the environment that torch.distributed and DeepSpeed read."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import torch

# How long processes wait for each other: the first one writes what was trained, for which a language model
# may have to read a whole catalogue.
_PATIENCE = timedelta(hours=12)

Row = TypeVar("Row")
Value = TypeVar("Value")


def join_processes(zero: int) -> None:
    """Make DeepSpeed work in a process that torch's agent did not start, as in one that it did.

    Must run before anything imports DeepSpeed, which looks for an accelerator once, at import, and before
    torch, whose idle threads spin unless told to sleep, which costs other processes, and then us, several
    times over.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    import torch

    if not torch.cuda.is_available():
        os.environ.setdefault("DS_ACCELERATOR", "cpu")
    if zero and "RANK" not in os.environ:
        alone = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1"}
        os.environ.update(alone | {"MASTER_PORT": str(_free_port())})


def take_own_device() -> None:
    """Bind this process to the accelerator of its local number, where there are accelerators."""
    import torch

    if process_count() > 1 and torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))


def join_group() -> None:
    """Join the processes for a training loop of our own; see `take_own_device`.

    Once they are joined, transformers saves models in the first process alone. Nothing is done by a process
    alone, and where they are joined already.
    """
    import torch
    import torch.distributed as distributed

    if process_count() == 1 or distributed.is_initialized():
        return
    backend = "nccl" if torch.cuda.is_available() else "gloo"
    distributed.init_process_group(backend, timeout=_PATIENCE)


def own_part(rows: Sequence[Row]) -> Sequence[Row]:
    """This process's part of some rows: every n-th of them, n the number of processes; perhaps none."""
    return rows[rank() :: process_count()]


def sum_of_all(own: torch.Tensor) -> torch.Tensor:
    """The sum of all processes' tensors; gradients reach the own one alone. All processes must call it."""
    if process_count() == 1:
        return own
    import torch.distributed as distributed

    every = own.detach().clone()
    distributed.all_reduce(every)
    return every + (own - own.detach())


def rows_of_all(own: torch.Tensor, count: int) -> torch.Tensor:
    """[count, d] what all processes made of their `own_part`, in the order of the whole.

    Gradients reach the own rows alone. All processes must call it.
    """
    if process_count() == 1:
        return own
    import torch
    import torch.distributed as distributed

    longest = -(-count // process_count())
    mine = own.new_zeros(longest, *own.shape[1:])
    mine[: len(own)] = own.detach()
    parts = [torch.empty_like(mine) for _ in range(process_count())]
    distributed.all_gather(parts, mine)
    found = own.new_zeros(count, *own.shape[1:])
    for number, part in enumerate(parts):
        rows = own if number == rank() else part
        found[number :: process_count()] = rows[: len(range(number, count, process_count()))]
    return found


def shared_value(value: torch.Tensor) -> torch.Tensor:
    """The same value, computed by every process, of whose gradient each has its share of the whole."""
    share = 1.0 / process_count()
    return share * value + (1.0 - share) * value.detach()


def sum_gradients(parameters: Iterable[torch.nn.Parameter]) -> None:
    """Let every process have the sum of all processes' gradients. All processes must call it."""
    if process_count() == 1:
        return
    import torch
    import torch.distributed as distributed

    for parameter in (one for one in parameters if one.requires_grad):
        if parameter.grad is None:  # nothing of this process's part went through it
            parameter.grad = torch.zeros_like(parameter)
        distributed.all_reduce(parameter.grad)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def rank() -> int:
    """This process's number among those that train together."""
    return int(os.environ.get("RANK", "0"))


def is_first() -> bool:
    """Whether this process writes the shared files."""
    return rank() == 0


def process_count() -> int:
    """How many processes train together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def wait_for_all() -> None:
    """A barrier: returns when every process has called it."""
    import torch.distributed as distributed

    if distributed.is_available() and distributed.is_initialized():
        distributed.barrier()


def turns(rows: Sequence[Row], size: int) -> Iterator[Sequence[Row]]:
    """This process's batches; every process gets equally many, the last ones some that others have too."""
    starts = range(0, len(rows), size)
    for turn in range(0, len(starts), process_count()):
        start = starts[min(turn + rank(), len(starts) - 1)]
        yield rows[start : start + size]


def gathered(found: dict[int, Value]) -> dict[int, Value]:
    """The entries of all processes by number, duplicates once. All processes must call it."""
    from accelerate.utils import gather_object

    every: dict[int, Value] = {}
    for part in gather_object([found]):
        every |= part
    return {number: every[number] for number in sorted(every)}


@contextmanager
def whole(parameters: Sequence[torch.nn.Parameter], *, write: bool = False) -> Iterator[None]:
    """Within the block, ZeRO-3's shards of these parameters are gathered. All processes must call it.

    With `write`, the values that the first process has set by the end are kept.
    """
    sharded = [parameter for parameter in parameters if hasattr(parameter, "ds_id")]
    together: Any = nullcontext()
    if sharded:
        import deepspeed

        together = deepspeed.zero.GatheredParameters(sharded, modifier_rank=0 if write else None)
    with together:
        yield
