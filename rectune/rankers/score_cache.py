"""A cache file of log-likelihoods, so that an interrupted evaluation resumes."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from types import TracebackType

import numpy as np

from rectune.core.types import content_id
from rectune.rankers.likelihood import Messages, Scorer


class ScoreCache:
    """A scorer that uses its engine only for what its file does not have; a context manager.

    The engine is opened on first use: if the file has everything, no model is loaded.

    Args:
        path: an SQLite file; created if it does not exist.
        model: names the model in the file; the same name must mean the same weights.
        opener: opens the engine.
    """

    def __init__(self, path: Path, model: str, opener: Callable[[], AbstractContextManager[Scorer]]) -> None:
        self._model, self._opener = model, opener
        self._file = sqlite3.connect(path)
        self._file.execute(
            "create table if not exists scores (key text primary key, logs blob) without rowid"
        )
        self._stack = ExitStack()
        self._engine: Scorer | None = None

    def __enter__(self) -> ScoreCache:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._stack.close()

    def loglikelihood(
        self, messages: Messages, continuations: Sequence[str], prefill: str = ""
    ) -> list[list[float]]:
        """See `Scorer.loglikelihood`; new values are on disk before this returns, all of them or none."""
        keys = [content_id(self._model, messages, prefill, text) for text in continuations]
        known = self._known(keys)
        left = {key: text for key, text in zip(keys, continuations, strict=True) if key not in known}
        if left:
            if self._engine is None:
                self._engine = self._stack.enter_context(self._opener())
            found = self._engine.loglikelihood(messages, list(left.values()), prefill=prefill)
            fresh = {key: np.asarray(logs, np.float32) for key, logs in zip(left, found, strict=True)}
            with self._file:
                rows = ((key, logs.tobytes()) for key, logs in fresh.items())
                self._file.executemany("insert or replace into scores values (?, ?)", rows)
            known |= {key: logs.tolist() for key, logs in fresh.items()}
        return [known[key] for key in keys]

    def _known(self, keys: Sequence[str]) -> dict[str, list[float]]:
        query = "select logs from scores where key = ?"
        rows = ((key, self._file.execute(query, (key,)).fetchone()) for key in keys)
        return {key: np.frombuffer(row[0], np.float32).tolist() for key, row in rows if row}
