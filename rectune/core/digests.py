"""Digests of files' contents, cached so that no run reads a large file only to hash it."""

from __future__ import annotations

import errno
import hashlib
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from rectune.core.errors import UserError

FILE = "digests.sqlite"
_CHUNK = 1 << 20  # bytes read at a time when hashing
_WAIT = 60.0  # seconds to wait for another process that is writing

# How llama.cpp names the parts of a model that it split.
_PART = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf")

_Place = tuple[str, int, int]  # path, bytes, nanoseconds of the last change
_known: dict[_Place, str] = {}  # what this process knows


def content_digest(path: Path) -> str:
    """BLAKE2b, 32 hex digits, of a file, or of a folder: names and contents of all its files, sorted."""
    digest = hashlib.blake2b(digest_size=16)
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    for file in files:
        if path.is_dir():
            digest.update(f"{file.relative_to(path).as_posix()}\0{file.stat().st_size}\0".encode())
        with file.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
    return digest.hexdigest()


def parts_of(path: Path) -> list[Path]:
    """The files that a model consists of: all parts where llama.cpp split it (…-00001-of-00003.gguf), else
    the file.
    """
    part = _PART.fullmatch(path.name)
    if not part:
        return [path]
    count = int(part["count"])
    return [path.with_name(f"{part['stem']}-{n:05d}-of-{count:05d}.gguf") for n in range(1, count + 1)]


def file_digest(path: Path) -> str:
    """BLAKE2b of a file, 32 hex digits; hashed again by this process only if size or mtime has changed.

    Of a model in parts it is the hash of all their digests.

    Raises:
        UserError: the file cannot be read, or one of the parts.
    """
    return _of_all(path, _single_digest)


def _of_all(path: Path, digest: Callable[[Path], str]) -> str:
    parts = parts_of(path)
    if len(parts) == 1:
        return digest(path)
    return hashlib.blake2b("".join(map(digest, parts)).encode(), digest_size=16).hexdigest()


def _single_digest(path: Path) -> str:
    place = _place(path)
    if place not in _known:
        _known[place] = content_digest(path)
    return _known[place]


class DigestCache:
    """Digests by path, size and mtime in an SQLite file of a folder; several processes may share it."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE

    def digest(self, path: Path) -> str:
        """As `file_digest`, cached for later processes too.

        Raises:
            UserError: the file cannot be read, or the cache cannot be used.
        """
        return _of_all(path, self._digest)

    def _digest(self, path: Path) -> str:
        place = _place(path)
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self._file, timeout=_WAIT)) as memory, memory:
                memory.execute("create table if not exists digests (path primary key, size, mtime, digest)")
                query = "select digest from digests where path = ? and size = ? and mtime = ?"
                if known := memory.execute(query, place).fetchone():
                    _known[place] = str(known[0])
                    return _known[place]
                found = _single_digest(path)
                memory.execute("insert or replace into digests values (?, ?, ?, ?)", (*place, found))
        except (sqlite3.OperationalError, OSError) as problem:
            if not _is_denied(problem):
                raise self._unusable(problem) from None
            return _single_digest(path)  # somebody else's store: nothing is remembered in it
        except sqlite3.Error as problem:
            raise self._unusable(problem) from None
        return found

    def _unusable(self, problem: Exception) -> UserError:
        hint = "make room on the disk, or delete the file; what was in it is computed again"
        return UserError(f"cannot be used ({problem})", where=str(self._file), hint=hint)


def _is_denied(problem: sqlite3.OperationalError | OSError) -> bool:
    """Whether a file cannot be written because it is not ours, or its file system is read-only."""
    if isinstance(problem, OSError):
        return problem.errno in (errno.EACCES, errno.EPERM, errno.EROFS)
    return problem.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)


def _place(path: Path) -> _Place:
    try:
        state = path.stat()
    except OSError as problem:
        raise UserError(f"cannot be read ({problem.strerror})", where=str(path), hint="name a file") from None
    return str(path.resolve()), state.st_size, state.st_mtime_ns
