"""The book of finished answers: whatever is interrupted, an answer in it is not generated again."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from types import TracebackType

from inference.requests import Answer, Request
from models.reference import content_digest
from rectune.errors import UserError
from rectune.settings import Sampling

_VERSION = 1
_SYNC_EVERY = 0.5  # seconds; what a power cut may lose. A killed process loses nothing.
_WAIT = 60.0  # seconds to wait for another process that is writing
_CHUNK = 500  # keys a query
_SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    key BLOB PRIMARY KEY, text TEXT NOT NULL, finish TEXT NOT NULL,
    prompt_tokens INTEGER NOT NULL, tokens INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS digests (
    path TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, digest TEXT NOT NULL
) WITHOUT ROWID;
"""
_digests: dict[tuple[str, int, int], str] = {}  # what this process knows of model files


def request_key(digest: str, request: Request) -> bytes:
    """What identifies an answer: the model's digest and everything in the request that can change its text.

    `Request.id` and `Sampling.seed` (from which stages derive request seeds) are not among it. Messages
    stand for the rendered prompt: the template is part of the model file. The order of the stop strings does
    not count.
    """
    stop = sorted(set(request.stop))
    content = [
        _VERSION,
        digest,
        request.messages,
        request.prefill,
        stop,
        _plain(request.sampling),
        request.seed,
    ]
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=20).digest()


def model_digest(path: Path) -> str:
    """Hash of a model file's content, remembered by path, size and time of change for this process."""
    place = _place(path)
    if place not in _digests:
        _digests[place] = content_digest(path)
    return _digests[place]


class Ledger:
    """Finished answers in SQLite; several processes may share the file. A context manager.

    Raises:
        UserError: the file is no ledger of this version, or cannot be written.
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
        (found,) = self._base.execute("PRAGMA user_version").fetchone()
        if found not in (0, _VERSION):
            raise UserError(
                f"is a ledger of version {found}, wanted {_VERSION}",
                where=str(self.path),
                mend="move it away; its answers are generated again",
            )
        if found == 0:
            self._base.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version={_VERSION}; COMMIT;")

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._base.close()

    def get_many(self, keys: Iterable[bytes]) -> dict[bytes, Answer]:
        """The answers there are; their `id` is empty, for a key may belong to many requests."""
        wanted = list(dict.fromkeys(keys))
        found: dict[bytes, Answer] = {}
        with self._mended():
            for start in range(0, len(wanted), _CHUNK):
                chunk = wanted[start : start + _CHUNK]
                marks = ",".join("?" * len(chunk))
                query = f"SELECT key, text, finish, prompt_tokens, tokens FROM answers WHERE key IN ({marks})"
                for key, *values in self._base.execute(query, chunk):
                    found[key] = Answer("", *values)
        return found

    def put(self, key: bytes, answer: Answer) -> None:
        """Write a finished answer; it is committed when the call returns.

        Errors are not written, and neither is a second answer to the same key.
        """
        if answer.finish == "error":
            return
        row = (key, answer.text, answer.finish, answer.prompt_tokens, answer.tokens)
        with self._mended():
            # A commit that waits for the disk also secures the earlier ones that did not.
            due = time.monotonic() - self._synced >= _SYNC_EVERY
            self._base.execute(f"PRAGMA synchronous={'FULL' if due else 'NORMAL'}")
            self._base.execute("INSERT OR IGNORE INTO answers VALUES (?, ?, ?, ?, ?)", row)
            if due:
                self._synced = time.monotonic()

    def digest(self, path: Path) -> str:
        """`model_digest`, remembered in the ledger too, so that no run reads a large file only to hash it."""
        place = _place(path)
        with self._mended():
            query = "SELECT digest FROM digests WHERE path = ? AND size = ? AND mtime_ns = ?"
            known = self._base.execute(query, place).fetchone()
        if known:
            _digests[place] = str(known[0])
            return _digests[place]
        digest = model_digest(path)
        with self._mended():
            self._base.execute("INSERT OR REPLACE INTO digests VALUES (?, ?, ?, ?)", (*place, digest))
        return digest

    @contextmanager
    def _mended(self) -> Iterator[None]:
        """Say what a person can do about SQLite's and the disk's complaints."""
        try:
            yield
        except sqlite3.OperationalError as problem:
            mend = "make room on the disk or see who else holds the file; finished answers are kept"
            raise UserError(
                f"the ledger cannot be used ({problem})", where=str(self.path), mend=mend
            ) from None
        except (sqlite3.DatabaseError, OSError) as problem:
            mend = "move it away; its answers are generated again"
            raise UserError(
                f"the ledger cannot be used ({problem})", where=str(self.path), mend=mend
            ) from None


@lru_cache(maxsize=256)
def _plain(sampling: Sampling) -> dict[str, object]:
    """The sampling as JSON values, without what the sampler does not look at."""
    return sampling.model_dump(mode="json", exclude={"seed"})


def _place(path: Path) -> tuple[str, int, int]:
    try:
        state = path.stat()
    except OSError as problem:
        raise UserError(
            f"cannot be read ({problem.strerror})", where=str(path), mend="name a GGUF file"
        ) from None
    return str(path.resolve()), state.st_size, state.st_mtime_ns
