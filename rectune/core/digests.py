"""Digests of files' contents, cached so that no run reads a large file only to hash it."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path

from rectune.core.errors import UserError

FILE = "digests.sqlite"
_CHUNK = 1 << 20  # bytes read at a time when hashing
_WAIT = 60.0  # seconds to wait for another process that is writing

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


def file_digest(path: Path) -> str:
    """BLAKE2b of a file, 32 hex digits; hashed again by this process only if size or mtime has changed.

    Raises:
        UserError: the file cannot be read.
    """
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
        place = _place(path)
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self._file, timeout=_WAIT)) as memory, memory:
                memory.execute("create table if not exists digests (path primary key, size, mtime, digest)")
                query = "select digest from digests where path = ? and size = ? and mtime = ?"
                if known := memory.execute(query, place).fetchone():
                    _known[place] = str(known[0])
                    return _known[place]
                found = file_digest(path)
                memory.execute("insert or replace into digests values (?, ?, ?, ?)", (*place, found))
        except sqlite3.Error as problem:
            hint = "make room on the disk, or delete the file; what was in it is computed again"
            raise UserError(f"cannot be used ({problem})", where=str(self._file), hint=hint) from None
        return found


def _place(path: Path) -> _Place:
    try:
        state = path.stat()
    except OSError as problem:
        raise UserError(f"cannot be read ({problem.strerror})", where=str(path), hint="name a file") from None
    return str(path.resolve()), state.st_size, state.st_mtime_ns
