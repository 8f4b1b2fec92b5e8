"""One engine for many threads: a chat and a web service can ask the same loaded model at the same time."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager
from queue import Empty, SimpleQueue

from rectune.core.errors import RectuneError
from rectune.inference.llamacpp import LlamaEngine
from rectune.inference.requests import Finish, GenerationRequest, GenerationResult
from rectune.inference.stream import GenerationStream


class EngineService(AbstractContextManager["EngineService"]):
    """An engine in a thread of its own, where the requests of all threads are written together; a context
    manager.

    The engine belongs to the service from now on and is closed with it.
    """

    def __init__(self, engine: LlamaEngine) -> None:
        self._engine = engine
        self._arrived: SimpleQueue[GenerationStream | None] = SimpleQueue()  # None: look whether to go on
        self._door = threading.Lock()  # what passes it before `_shut` is set is answered
        self._shut = ""  # why nothing is taken any more
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    def submit(self, request: GenerationRequest) -> GenerationStream:
        """Queue a request; any thread may call this, and any thread may use the handle.

        Raises:
            RectuneError: the service is closed, or its engine has failed.
        """
        handle = GenerationStream(request, self._cancel)
        with self._door:
            if self._shut:
                raise RectuneError(f"the engine takes no requests: {self._shut}")
            self._arrived.put(handle)
        return handle

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End every open handle as cancelled, then free the engine; doing it twice does no harm."""
        self._close_door("it was closed")
        self._arrived.put(None)
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _cancel(self, handle: GenerationStream) -> None:
        self._engine.cancel(handle)
        self._arrived.put(None)

    def _run(self) -> None:
        """The engine's thread: take in what came, evaluate a batch, again and again until the door is shut."""
        finish: Finish = "cancelled"
        try:
            with self._engine:
                while not self._shut:
                    self._take_in()
                    if self._engine.busy:
                        self._engine.step()
        except Exception as problem:  # whatever it is, those who wait must hear of it
            self._close_door(str(problem) or type(problem).__name__)
            finish = "error"
        self._turn_away(finish)

    def _take_in(self) -> None:
        """Hand what came to the engine; wait for something while there is nothing to write."""
        wait = not self._engine.busy
        while True:
            try:
                handle = self._arrived.get(block=wait)
            except Empty:
                return
            wait = False
            if handle:
                self._engine.enqueue(handle)

    def _turn_away(self, finish: Finish) -> None:
        """End what came too late to be begun."""
        while True:
            try:
                handle = self._arrived.get_nowait()
            except Empty:
                return
            if handle:
                error = self._shut if finish == "error" else ""
                handle.end(GenerationResult(handle.request.id, "", finish, 0, 0, error))

    def _close_door(self, why: str) -> None:
        with self._door:
            self._shut = self._shut or why
