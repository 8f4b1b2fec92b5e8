"""One engine for many threads: several clients share the same loaded model."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager
from queue import Empty, SimpleQueue

from rectune.core.errors import RectuneError
from rectune.inference.llamacpp import LlamaEngine
from rectune.inference.requests import Finish, GenerationRequest, GenerationResult
from rectune.inference.stream import GenerationStream


class EngineService(AbstractContextManager["EngineService"]):
    """Runs an engine in its own thread for the requests of all threads; a context manager.

    The service owns the engine and closes it.
    """

    def __init__(self, engine: LlamaEngine) -> None:
        self._engine = engine
        self._arrived: SimpleQueue[GenerationStream | None] = SimpleQueue()  # None: look whether to go on
        self._door = threading.Lock()  # what passes it before `_shut` is set is answered
        self._shut = ""  # why nothing is taken any more
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    def submit(self, request: GenerationRequest) -> GenerationStream:
        """Queue a request; any thread may call this, and any thread may use the stream.

        Raises:
            RectuneError: the service is closed, or its engine has failed.
        """
        stream = GenerationStream(request, self._cancel)
        with self._door:
            if self._shut:
                raise RectuneError(f"the engine takes no requests: {self._shut}")
            self._arrived.put(stream)
        return stream

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End every open stream as cancelled, then free the engine; may be called twice."""
        self._close_door("it was closed")
        self._arrived.put(None)
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _cancel(self, stream: GenerationStream) -> None:
        self._engine.cancel(stream)
        self._arrived.put(None)

    def _run(self) -> None:
        """The engine's thread: takes in new requests and evaluates a batch, until the service is closed."""
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
        """Pass new requests to the engine; wait for one while there is nothing to generate."""
        wait = not self._engine.busy
        while True:
            try:
                stream = self._arrived.get(block=wait)
            except Empty:
                return
            wait = False
            if stream:
                self._engine.enqueue(stream)

    def _turn_away(self, finish: Finish) -> None:
        """End the requests that arrived after closing."""
        while True:
            try:
                stream = self._arrived.get_nowait()
            except Empty:
                return
            if stream:
                error = self._shut if finish == "error" else ""
                stream.end(GenerationResult(stream.request.id, "", finish, 0, 0, error))

    def _close_door(self, why: str) -> None:
        with self._door:
            self._shut = self._shut or why
