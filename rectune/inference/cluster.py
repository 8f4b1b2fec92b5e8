"""The engine on many workers: requests as a Ray Data pipeline through a pool of actors, each with its own model."""

from __future__ import annotations

import logging
import os
import pickle
import warnings
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rectune.core.errors import MissingExtra, UserError, first_line
from rectune.core.progress import say
from rectune.core.settings import Engine
from rectune.inference.actor import SLOTS, Failure, Group, Worker
from rectune.inference.backends import Backend
from rectune.inference.requests import Answer, Request

_RETRIES = 3  # further tries of a group whose worker died; a worker that died is started again
_WAVES = 16  # a group is at most so many times a worker's slots: at its end, slots run empty
_SHARE = 4  # groups a worker at least, so that all end at about the same time
_AHEAD = 2  # groups at a worker, the one in work included
_STALLED = 1800.0  # seconds without any answer after which Ray Data is taken to have lost track
_STORE = 512 * 2**20  # bytes of the local cluster's object store; more is spilled to disk


@dataclass(frozen=True, slots=True)
class Share:
    """What each worker gets: how many workers there are, and threads, processors and accelerators of each."""

    workers: int
    threads: int
    cpus: int
    gpus: int


class RayBackend(Backend):
    """Answers requests with `settings.workers` actors on a Ray cluster; a context manager.

    The cluster is the one that RAY_ADDRESS names, or that this process is connected to, or a local one that is
    stopped again by `close`. The model file has to be at the same path on every node.

    Requests go out in groups with equal beginnings. A worker yields answers as they end, a quarter of its slots
    together: Ray Data takes about ten blocks a second from a worker, whatever their size. Each yield is a block, so
    that none waits for the end of its group.

    Raises:
        MissingExtra: Ray is not installed.
        UserError: the cluster cannot be reached, or has no processors.
    """

    def __init__(self, model: Path, settings: Engine) -> None:
        self._model, self._settings = model.resolve(), settings
        self._connected = _connect(max(1, settings.workers))
        try:
            self._share = _share(settings, local=self._connected == "local")
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Stop the cluster if it was started here, leave it if it was joined here."""
        import ray

        if self._connected:
            ray.shutdown()
        self._connected = ""

    def generate(self, requests: Sequence[Request], on_answer: Callable[[Answer], None]) -> None:
        """Answer every request once; `on_answer` is called in this process, as answers arrive.

        A group whose worker dies goes to the worker that takes its place, up to `_RETRIES` times. Ray takes a second
        try to yield what the first one did, in the same order, and hands on the rest; where sampling on an
        accelerator made it otherwise, an answer may be missing or come twice. So answers are counted here by
        request, and what is missing in the end is asked for again: in groups, then in groups of one, then one
        after the other. A request that kills every worker gets an answer with `finish` "error".

        Raises:
            UserError: no worker can load the model, no worker lives long enough to answer anything, the model
                refuses a conversation, or the cluster is lost.
        """
        waiting = dict(enumerate(requests))

        def ask(groups: Sequence[Group]) -> bool:
            """Whether any of them was answered."""
            before = len(waiting)
            with closing(self._ask(groups)) as answers:
                for number, answer in answers:
                    if request := waiting.pop(number, None):
                        on_answer(replace(answer, id=request.id))
            return len(waiting) < before

        for size in (_group_size(len(waiting), self._share.workers, self._settings.slots or SLOTS), 1):
            while waiting and ask(_groups(waiting, size)):
                pass
            if waiting and len(waiting) == len(requests):
                raise UserError(
                    f"the workers died {_RETRIES + 1} times, or hung, without an answer",
                    where=str(self._model),
                    mend="lower the section's workers, slots or context, or see Ray's logs for why",
                )
        for number, request in list(waiting.items()):
            if not ask([[(number, request)]]):
                on_answer(
                    Answer(request.id, "", "error", 0, 0, f"{_RETRIES + 1} workers died of it, or hung")
                )

    def _ask(self, groups: Sequence[Group]) -> Generator[tuple[int, Answer]]:
        """Answers with their request's number, in the order of arrival; some may be missing or come twice."""
        import ray
        from ray.data.exceptions import ExecutionTimeoutError

        try:
            for batch in self._pipeline(groups).iter_batches(batch_size=None, prefetch_batches=0):
                for outcome in map(pickle.loads, batch["outcome"]):
                    if isinstance(outcome, Failure):
                        raise outcome.error()
                    yield from outcome
        except ExecutionTimeoutError:  # what is missing is asked for again
            return
        except ray.exceptions.RayError as problem:
            raise UserError(
                f"the cluster gave up ({first_line(problem)})",
                where="Ray",
                mend="see Ray's logs, then run the same command again; finished answers are kept",
            ) from None

    def _pipeline(self, groups: Sequence[Group]) -> Any:
        """The dataset of outcomes: one group a row and block in, one outcome a row and block out."""
        from ray.data import ActorPoolStrategy, DataContext, from_items

        context = DataContext.get_current()
        context.enable_progress_bars = context.print_on_execution_start = False
        context.target_max_block_size = 1  # byte: every yield is a block
        context.execution_no_progress_timeout_s = _STALLED
        context.max_errored_blocks = -1  # a group that kills its workers is left out; `generate` sees to it
        ahead = 1 if max(map(len, groups)) == 1 else _AHEAD
        blocks = [{"group": pickle.dumps(group)} for group in groups]
        engine = self._settings.model_copy(update={"threads": self._share.threads})
        with warnings.catch_warnings():  # of the names max_restarts and max_task_retries from Ray 2.64 on
            warnings.simplefilter("ignore")
            return from_items(blocks, override_num_blocks=len(blocks)).map_batches(
                Worker,
                fn_constructor_args=(str(self._model), engine),
                batch_size=1,
                compute=ActorPoolStrategy(size=self._share.workers, max_tasks_in_flight_per_actor=ahead),
                num_cpus=self._share.cpus,
                num_gpus=self._share.gpus,
                max_restarts=-1,
                max_task_retries=_RETRIES,
            )


def _connect(workers: int) -> str:
    """Join the cluster that the environment names, or start a local one; says which, empty if it was joined before."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
        import ray.data
    except ImportError:
        raise MissingExtra("ray[data]", "spreading generation over workers") from None
    # A logged error whose traceback somebody keeps keeps the actors in it alive, and their processors taken.
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    if ray.is_initialized():
        return ""
    quiet: dict[str, Any] = {"logging_level": logging.CRITICAL, "log_to_driver": False}
    address = os.environ.get("RAY_ADDRESS", "")
    try:
        if address and address != "local":
            ray.init(address=address, **quiet)
            return "joined"
        ray.init("local", num_cpus=workers, object_store_memory=_STORE, include_dashboard=False, **quiet)
    except (ConnectionError, RuntimeError, ValueError) as problem:
        raise UserError(
            f"the Ray cluster cannot be reached ({first_line(problem)})",
            where=f"RAY_ADDRESS={address}" if address else "Ray",
            mend="start it with `ray start --head`, or unset RAY_ADDRESS to work on this machine alone",
        ) from None
    return "local"


def _share(settings: Engine, *, local: bool) -> Share:
    """Divide what the cluster has among the workers: one accelerator each where there are any, else processors."""
    import llama_cpp
    import psutil
    import ray

    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
    if not nodes:
        raise UserError("the Ray cluster has no processors", where="Ray", mend="add nodes with `ray start`")
    workers = max(1, settings.workers)
    gpus = int(sum(node.get("GPU", 0) for node in nodes))
    if gpus and settings.gpu_layers and llama_cpp.llama_supports_gpu_offload():
        if workers > gpus:
            say(f"  {workers} workers wanted, {gpus} accelerators found: {gpus} workers")
        return Share(min(workers, gpus), settings.threads, 1, 1)
    if local:
        cores = psutil.cpu_count(logical=False) or os.cpu_count() or 1
        return Share(workers, settings.threads or max(1, cores // workers), 1, 0)
    cpus = [int(node["CPU"]) for node in nodes]
    threads = settings.threads or max(1, min(sum(cpus) // workers, min(cpus)))
    return Share(workers, threads, threads, 0)


def _group_size(count: int, workers: int, slots: int) -> int:
    """Requests a group: enough to fill a worker's slots many times over, few enough to keep all workers busy."""
    fair = -(-count // workers)
    return max(1, min(fair, max(slots, min(_WAVES * slots, -(-fair // _SHARE)))))


def _groups(waiting: Mapping[int, Request], size: int) -> list[Group]:
    """Requests with equal system message and shots after one another, cut into groups."""
    heads: dict[tuple[tuple[str, str], ...], list[tuple[int, Request]]] = {}
    for number, request in waiting.items():
        heads.setdefault(request.messages[:-1], []).append((number, request))
    ordered = [asked for group in heads.values() for asked in group]
    return [ordered[start : start + size] for start in range(0, len(ordered), size)]
