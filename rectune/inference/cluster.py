"""Generation on many Ray actors: each has its own model, gets groups of requests and streams answers."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rectune.core.errors import UserError, first_line
from rectune.core.extras import needs_extra
from rectune.core.progress import say
from rectune.core.settings import EngineConfig
from rectune.inference.actor import Group, Worker
from rectune.inference.backends import Backend
from rectune.inference.requests import GenerationRequest, GenerationResult

_SLOTS = 16  # taken for a worker's slots where it chooses them itself
_WAVES = 16  # a group is at most so many times a worker's slots: at its end, slots run empty
_SHARE = 4  # groups a worker at least, so that all end at about the same time
_AHEAD = 2  # groups at a worker, the one in work included
_STORE = 128 * 2**20  # bytes of the local cluster's object store; answers are small and hardly touch it


@dataclass(frozen=True, slots=True)
class WorkerResources:
    """What each worker gets: how many workers there are, and threads, processors and accelerators of each."""

    workers: int
    threads: int
    cpus: int
    gpus: int


class RayBackend(Backend):
    """Answers requests with `settings.workers` actors on a Ray cluster; a context manager.

    The cluster is the one that RAY_ADDRESS names, or that this process is connected to, or a local one that
    is stopped again by `close`. The model file has to be at the same path on every node.

    Args:
        model: a GGUF file.
        settings: how llama.cpp runs, and on how many workers.
        worker: the actor's class.
        retries: further tries of a group whose worker died; a worker that died is started again.
        stalled: seconds without any answer after which the workers are considered stuck.

    Raises:
        MissingExtra: the extra ray is not installed.
        UserError: the cluster cannot be reached, or has no processors.
    """

    def __init__(
        self,
        model: Path,
        settings: EngineConfig,
        worker: type[Worker] = Worker,
        retries: int = 3,
        stalled: float = 1800.0,
    ) -> None:
        self._model, self._settings = model.resolve(), settings
        self._worker, self._retries, self._stalled = worker, retries, stalled
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

    def generate(
        self, requests: Sequence[GenerationRequest], on_answer: Callable[[GenerationResult], None]
    ) -> None:
        """Answer every request once; `on_answer` is called in this process, as answers arrive.

        A group whose worker dies goes to the worker that replaces it, up to `retries` times. Ray expects a
        second try to yield what the first one did, in the same order, and passes on the rest; if it does not,
        an answer may be missing or come twice. So answers are counted here by request, and missing ones are
        requested again: in groups, then each request alone at a worker. One that kills every worker gets an
        answer with `finish` "error".

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

        tries = self._retries + 1
        for size in (group_size(len(waiting), self._share.workers, self._settings.max_num_seqs or _SLOTS), 1):
            while waiting and ask(grouped(waiting, size)):
                pass
            if waiting and len(waiting) == len(requests):
                raise UserError(
                    f"the workers died {tries} times, or hung, without an answer",
                    where=str(self._model),
                    hint="lower the section's workers, slots or context, or see Ray's logs for why",
                )
        for request in waiting.values():
            on_answer(GenerationResult(request.id, "", "error", 0, 0, f"{tries} workers died of it, or hung"))

    def _ask(self, groups: Sequence[Group]) -> Generator[tuple[int, GenerationResult]]:
        """Answers with their request's number, in the order of arrival; some may be missing or come twice."""
        import ray

        workers = [self._start() for _ in range(min(self._share.workers, len(groups)))]
        try:
            yield from self._stream(workers, deque(groups))
        except ray.exceptions.RayTaskError as problem:
            if isinstance(problem.cause, UserError):
                raise problem.cause from None
            raise RuntimeError(f"a worker failed:\n{problem.traceback_str}") from None
        except ray.exceptions.RayError as problem:
            raise UserError(
                f"the cluster gave up ({first_line(problem)})",
                where="Ray",
                hint="see Ray's logs, then run the same command again; finished answers are kept",
            ) from None
        finally:
            for worker in workers:
                ray.kill(worker)

    def _start(self) -> Any:
        """A new actor; Ray restarts it when it dies, and calls it again."""
        import ray

        resources = {"num_cpus": self._share.cpus, "num_gpus": self._share.gpus}
        actor = ray.remote(self._worker).options(max_restarts=-1, max_task_retries=self._retries, **resources)
        return actor.remote(self._model, self._settings.model_copy(update={"threads": self._share.threads}))

    def _stream(self, workers: Sequence[Any], queue: deque[Group]) -> Generator[tuple[int, GenerationResult]]:
        """Keep workers busy. Their first group is empty: a worker that fails to load gets no requests."""
        import ray

        ahead = 1 if max(map(len, queue)) == 1 else _AHEAD
        streams: dict[Any, tuple[Any, Group]] = {worker.answer.remote([]): (worker, []) for worker in workers}
        while streams and (queue or any(group for _, group in streams.values())):
            ready, _ = ray.wait(list(streams), timeout=self._stalled)
            if not ready:
                return
            try:
                yield ray.get(next(ready[0]))
                continue
            except StopIteration:
                worker, _ = streams.pop(ready[0])
            except ray.exceptions.RayActorError:  # as often as it was tried
                worker, group = streams.pop(ready[0])
                if not group:
                    continue
            running = sum(other is worker for other, _ in streams.values())
            for _ in range(min(ahead - running, len(queue))):
                group = queue.popleft()
                streams[worker.answer.remote(group)] = (worker, group)


@needs_extra("spreading generation over workers")
def _connect(workers: int) -> str:
    """Join the cluster of the environment, or start a local one; says which, empty if joined before."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

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
            hint="start it with `ray start --head`, or unset RAY_ADDRESS to work on this machine alone",
        ) from None
    return "local"


def _share(settings: EngineConfig, *, local: bool) -> WorkerResources:
    """Divide the cluster's resources among the workers: one accelerator each, else processors."""
    import llama_cpp
    import psutil
    import ray

    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
    if not nodes:
        raise UserError("the Ray cluster has no processors", where="Ray", hint="add nodes with `ray start`")
    workers = max(1, settings.workers)
    gpus = int(sum(node.get("GPU", 0) for node in nodes))
    if gpus and settings.gpu_layers and llama_cpp.llama_supports_gpu_offload():
        if workers > gpus:
            say(f"  {workers} workers wanted, {gpus} accelerators found: {gpus} workers")
        return WorkerResources(min(workers, gpus), settings.threads, 1, 1)
    if local:
        cores = psutil.cpu_count(logical=False) or os.cpu_count() or 1
        return WorkerResources(workers, settings.threads or max(1, cores // workers), 1, 0)
    cpus = [int(node["CPU"]) for node in nodes]
    threads = settings.threads or max(1, min(sum(cpus) // workers, min(cpus)))
    return WorkerResources(workers, threads, threads, 0)


def group_size(count: int, workers: int, slots: int) -> int:
    """Requests a group: enough to fill a worker's slots many times, few enough to keep all workers busy."""
    fair = -(-count // workers)
    return max(1, min(fair, max(slots, min(_WAVES * slots, -(-fair // _SHARE)))))


def grouped(waiting: Mapping[int, GenerationRequest], size: int) -> list[Group]:
    """Requests with equal system message and shots after one another, cut into groups."""
    heads: dict[tuple[tuple[str, str], ...], list[tuple[int, GenerationRequest]]] = {}
    for number, request in waiting.items():
        heads.setdefault(request.messages[:-1], []).append((number, request))
    ordered = [asked for group in heads.values() for asked in group]
    return [ordered[start : start + size] for start in range(0, len(ordered), size)]
