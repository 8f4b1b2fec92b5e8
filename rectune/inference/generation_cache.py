"""The generation cache: finished answers in SQLite, which are not generated again."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache
from pathlib import Path

from rectune.core.errors import UserError
from rectune.core.os_errors import for_people
from rectune.core.settings import SamplingConfig
from rectune.inference.requests import GenerationRequest, GenerationResult

_VERSION = 2  # of the file; a file of version 1 is brought up to it when opened
_KEYS = 1  # version of the keys; raised only when answers made before are no longer good
_SYNC_EVERY = 0.5  # seconds; what a power cut may lose. A killed process loses nothing.
_WAIT = 60.0  # seconds to wait for another process that is writing
_CHUNK = 500  # keys a query
_STEPS = (  # from each version of the file to the next
    (
        """CREATE TABLE IF NOT EXISTS answers (
            key BLOB PRIMARY KEY, text TEXT NOT NULL, finish TEXT NOT NULL,
            prompt_tokens INTEGER NOT NULL, tokens INTEGER NOT NULL
        ) WITHOUT ROWID""",
    ),
    ("ALTER TABLE answers ADD COLUMN left_out INTEGER NOT NULL DEFAULT 0",),
)
_LATER = {
    "grammar": "",
    "json_schema": "",
    "history": (),
    "separator": "; ",
}  # request fields that keys left out at first
_COLUMNS = "key, text, finish, prompt_tokens, tokens, left_out"
_encode = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode


def request_key(digest: str, request: GenerationRequest, hold: bool = True) -> bytes:
    """The key of an answer: the model's digest and everything in the request that can change its text.

    `GenerationRequest.id` and `SamplingConfig.seed` (from which stages derive request seeds) are not part of
    it. Messages stand for the rendered prompt: the template is part of the model file. The order of the stop
    strings does not matter. Fields that requests gained later are part of the key only where they are not at
    their defaults, so that earlier answers stay valid. `hold` is whether the messages before the last, which
    many requests share, are held in memory with their hash: False where users wrote them.
    """
    rest: list[object] = [
        request.prefill,
        sorted(set(request.stop)),
        _plain(request.sampling),
        request.seed,
    ]
    if later := _later(request):
        rest.append(later)
    # What is hashed is one JSON list; its beginning, which many requests share, is hashed once.
    head = _held_head if hold else _hashed_head
    key = head(digest, request.messages[:-1]).copy()
    key.update(_json(request.messages[-1:])[1:] + b"," + _json(rest)[1:])
    return key.digest()


class GenerationCache(AbstractContextManager["GenerationCache"]):
    """Finished answers in SQLite; several processes may share the file. A context manager.

    Raises:
        UserError: the file is no generation cache of this version, or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._synced = 0.0
        with self._mended():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._base = sqlite3.connect(path, timeout=_WAIT, isolation_level=None)
            self._base.execute("PRAGMA journal_mode=WAL")
            self._prepare()

    def _prepare(self) -> None:
        """Make the tables, or bring those of an earlier version up to date."""
        if self._file_version() == _VERSION:
            return
        with self._base:  # commits or rolls back
            self._base.execute("BEGIN IMMEDIATE")
            found = self._file_version()  # another process may have been here first
            if not 0 <= found <= _VERSION:
                raise UserError(
                    f"is a generation cache of version {found}, wanted {_VERSION}",
                    where=str(self.path),
                    hint="move it away; its answers are generated again",
                )
            for statement in (statement for step in _STEPS[found:] for statement in step):
                self._base.execute(statement)
            self._base.execute(f"PRAGMA user_version={_VERSION}")

    def _file_version(self) -> int:
        (found,) = self._base.execute("PRAGMA user_version").fetchone()
        return int(found)

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._base.close()

    def get_many(self, keys: Iterable[bytes]) -> dict[bytes, GenerationResult]:
        """The answers that the cache has; their `id` is empty, since a key may belong to many requests."""
        wanted = list(dict.fromkeys(keys))
        found: dict[bytes, GenerationResult] = {}
        with self._mended():
            for start in range(0, len(wanted), _CHUNK):
                chunk = wanted[start : start + _CHUNK]
                marks = ",".join("?" * len(chunk))
                query = f"SELECT {_COLUMNS} FROM answers WHERE key IN ({marks})"
                for key, text, finish, prompt_tokens, tokens, left_out in self._base.execute(query, chunk):
                    found[key] = GenerationResult("", text, finish, prompt_tokens, tokens, left_out=left_out)
        return found

    def put(self, key: bytes, answer: GenerationResult) -> None:
        """Write a finished answer; it is committed when the call returns.

        Errors and cancelled answers are not written, and neither is a second answer to the same key.
        """
        if answer.finish in ("error", "cancelled"):
            return
        row = (key, answer.text, answer.finish, answer.prompt_tokens, answer.tokens, answer.left_out)
        with self._mended():
            # A commit that waits for the disk also secures the earlier ones that did not.
            due = time.monotonic() - self._synced >= _SYNC_EVERY
            self._base.execute(f"PRAGMA synchronous={'FULL' if due else 'NORMAL'}")
            self._base.execute(f"INSERT OR IGNORE INTO answers ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)", row)
            if due:
                self._synced = time.monotonic()

    @contextmanager
    def _mended(self) -> Iterator[None]:
        """Turn errors of SQLite and the disk into UserError with a hint."""
        try:
            yield
        except sqlite3.OperationalError as problem:
            hint = "make room on the disk or see who else holds the file; finished answers are kept"
            raise UserError(
                f"the generation cache cannot be used ({problem})", where=str(self.path), hint=hint
            ) from None
        except OSError as problem:
            told = for_people(problem, str(self.path))
            raise told or UserError(
                f"the generation cache cannot be used ({problem})", where=str(self.path)
            ) from None
        except sqlite3.DatabaseError as problem:
            hint = "move it away; its answers are generated again"
            raise UserError(
                f"the generation cache cannot be used ({problem})", where=str(self.path), hint=hint
            ) from None


def _hashed_head(digest: str, messages: tuple[tuple[str, str], ...]) -> hashlib.blake2b:
    """The hash over the beginning of a key's list: all messages but the last; to be copied, not changed."""
    start = _json([_KEYS, digest])[:-1] + b",["
    return hashlib.blake2b(start + b"".join(_json(message) + b"," for message in messages), digest_size=20)


_held_head = lru_cache(maxsize=64)(_hashed_head)


def _later(request: GenerationRequest) -> dict[str, object]:
    """The fields that keys left out at first, where they are not at their defaults."""
    values = {name: getattr(request, name) for name in _LATER}
    return {name: value for name, value in values.items() if value != _LATER[name]}


def _json(value: object) -> bytes:
    return _encode(value).encode("utf-8", "surrogatepass")


@lru_cache(maxsize=256)
def _plain(sampling: SamplingConfig) -> dict[str, object]:
    """The sampling as JSON values, without fields that have no effect."""
    return sampling.model_dump(mode="json", exclude={"seed"})
