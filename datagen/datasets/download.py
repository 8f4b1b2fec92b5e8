"""One file from a server: resumed where it broke off, retried when the server is busy, checked at the end."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import time
import typing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from rectune.core.errors import UserError
from rectune.core.progress import progress, say
from rectune.datagen.datasets.entry import Download

if typing.TYPE_CHECKING:
    import httpx2

_FAILURES = 6  # tries in a row that brought nothing new; then it is given up
_LONGEST = 60.0  # seconds between two tries, unless the server asks for more
_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
_MAGIC = {".zip": b"PK", ".gz": b"\x1f\x8b"}
_SPARE = 64 << 20  # bytes that are left free on the disk
_MOVED = "the address may have moved: look on the publisher's page (rectune data list NAME)"

Pause = Callable[[float], None]


class _Interrupted(Exception):
    """A fault that may pass; `wait` is how many seconds the server asks for."""

    def __init__(self, why: str, wait: float = 0.0) -> None:
        super().__init__(why)
        self.wait = wait


def download(source: Download, part: Path, pause: Pause = time.sleep) -> None:
    """Bring the whole of a file into `part`, going on from what is there already.

    Beside it lies NAME.state: whose bytes these are, and the server's mark of their version, so that bytes of
    two versions are never joined.

    Args:
        pause: waits so many seconds between two tries.

    Raises:
        UserError: the server refuses or does not answer, the disk is full, the content is not what the
        checksum says, or another process is at it.
    """
    import httpx2

    waits = httpx2.Timeout(30.0, read=60.0)
    try:
        with _alone(part) as stream, httpx2.Client(follow_redirects=True, timeout=waits) as client:
            _Transfer(client, source.url, stream, part, pause).run()
            stream.flush()
            os.fsync(stream.fileno())
            _check(part, source, source.checksum or _published(client, source.checksum_url, pause))
    except OSError as broken:
        raise UserError(
            f"cannot be written: {broken}", where=str(part), hint="free some space, or fix its folder"
        ) from None


def forget(part: Path) -> None:
    """Remove a part and its state."""
    part.unlink(missing_ok=True)
    _state(part).unlink(missing_ok=True)


def digest(path: Path, algorithm: str) -> str:
    """`algorithm:hexdigest` of a file."""
    with path.open("rb") as stream:
        return f"{algorithm}:{hashlib.file_digest(stream, algorithm).hexdigest()}"


def room(folder: Path, size: int) -> None:
    """UserError unless so many bytes fit on the disk of that folder."""
    free = shutil.disk_usage(folder).free
    if size + _SPARE > free:
        found = f"{size / 2**20:,.0f} MiB are needed, {free / 2**20:,.0f} MiB are free"
        raise UserError(
            found, where=str(folder), hint="free some space, or give another --root; it goes on from there"
        )


def _state(part: Path) -> Path:
    return part.with_name(f"{part.name}.state")


@contextmanager
def _alone(part: Path) -> Iterator[IO[bytes]]:
    with os.fdopen(os.open(part, os.O_RDWR | os.O_CREAT, 0o644), "r+b") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            found = "another process is downloading this file"
            raise UserError(found, where=str(part), hint="wait until it has finished") from None
        yield stream


class _Transfer:
    """The bytes of one address going into one open file."""

    def __init__(self, client: httpx2.Client, url: str, stream: IO[bytes], part: Path, pause: Pause) -> None:
        self.client, self.url, self.stream, self.part, self.pause = client, url, stream, part, pause

    def run(self) -> None:
        _patiently(self._go_on, self._size, self.url, self.pause)

    def _size(self) -> int:
        return self.stream.seek(0, os.SEEK_END)

    def _go_on(self) -> None:
        known = self._known()
        if not known:
            self.stream.truncate(0)
        offset = self._size()
        if known and known["total"] == offset:
            return
        headers = {"Accept-Encoding": "identity"}
        if offset:
            headers["Range"] = f"bytes={offset}-"
            if known["mark"]:
                headers["If-Range"] = known["mark"]
        with self.client.stream("GET", self.url, headers=headers) as response:
            self._take(response, offset, known)

    def _take(self, response: httpx2.Response, offset: int, known: dict[str, Any]) -> None:
        _refuse(response, self.url, partial=bool(offset))
        begin, total = _span(response)
        if response.status_code == 416 and total == offset:
            return
        if offset and (
            response.status_code == 416 or begin not in (0, offset) or (begin and total != known["total"])
        ):
            _state(self.part).unlink(missing_ok=True)
            raise _Interrupted("the file has changed on the server since; it is fetched from its start")
        if offset and not begin:
            say(f"  {self.part.stem}: the server sends it from its start again")
            self.stream.truncate(0)
        elif offset:
            say(f"  {self.part.stem}: going on after {offset / 2**20:,.0f} MiB")
        self._remember(response, total)
        self._write(response, begin, total)

    def _write(self, response: httpx2.Response, begin: int, total: int | None) -> None:
        left = max(total - begin, 0) if total is not None else 0
        room(self.part.parent, left)
        self.stream.seek(0, os.SEEK_END)
        with progress(self.part.stem, -(-left // 2**20), "MiB") as advance:
            written = 0
            for block in response.iter_raw():  # as they come, so that a broken connection loses none
                self.stream.write(block)
                advance((written + len(block)) // 2**20 - written // 2**20)
                written += len(block)
            if written % 2**20:
                advance(1)
        if total is not None and begin + written != total:
            raise _Interrupted("the connection ended early")

    def _known(self) -> dict[str, Any]:
        """Of which version the bytes are that are there; empty where that is not known."""
        try:
            known = json.loads(_state(self.part).read_text(encoding="utf-8"))
            return {"mark": str(known["mark"]), "total": known["total"]} if known["url"] == self.url else {}
        except (OSError, ValueError, KeyError, TypeError):
            return {}

    def _remember(self, response: httpx2.Response, total: int | None) -> None:
        """A weak ETag does not promise the same bytes, so the date stands in for it."""
        tag = response.headers.get("ETag", "")
        mark = tag if tag.startswith('"') else response.headers.get("Last-Modified", "")
        state = {"url": self.url, "mark": mark, "total": total}
        _state(self.part).write_text(json.dumps(state), encoding="utf-8")


def _span(response: httpx2.Response) -> tuple[int, int | None]:
    """Where the body begins in the file, and how long the whole file is, if the server says."""
    if response.status_code == 200:
        length = response.headers.get("Content-Length", "")
        return 0, int(length) if length.isdecimal() else None
    match = re.fullmatch(
        r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", response.headers.get("Content-Range", "").strip()
    )
    if not match:
        return -1, None
    return int(match[1] or 0), int(match[2]) if match[2] != "*" else None


def _refuse(response: httpx2.Response, url: str, *, partial: bool) -> None:
    status = response.status_code
    if status in _BUSY:
        after = response.headers.get("Retry-After", "")
        raise _Interrupted(f"the server answers {status}", float(after) if after.isdecimal() else 0.0)
    if not (status == 200 or (partial and status in (206, 416))):
        raise UserError(
            f"the server answers {status} {response.reason_phrase}".rstrip(), where=url, hint=_MOVED
        )


def _patiently(attempt: Callable[[], None], size: Callable[[], int], url: str, pause: Pause) -> None:
    """Try until it works; give up after so many tries in a row that brought nothing new."""
    import httpx2

    failures, best = 0, size()
    while True:
        try:
            return attempt()
        except httpx2.UnsupportedProtocol:
            raise UserError("is no http address", where=url, hint=_MOVED) from None
        except (_Interrupted, httpx2.TransportError) as fault:
            failures = 1 if size() > best else failures + 1
            best = max(best, size())
            why = str(fault) or type(fault).__name__
            if failures >= _FAILURES:
                hint = "try again later with the same command: it goes on from what is there"
                raise UserError(f"given up after {failures} tries: {why}", where=url, hint=hint) from None
            wait = max(min(2.0 ** (failures - 1), _LONGEST), getattr(fault, "wait", 0.0))
            say(f"  {why}; trying again in {wait:.0f} s")
            pause(wait)


def _published(client: httpx2.Client, url: str, pause: Pause) -> str:
    """The checksum that the publisher keeps beside the file; "" (and a word about it) where there is none."""
    if not url:
        return ""
    answers: list[httpx2.Response] = []

    def ask() -> None:
        answer = client.get(url)
        if answer.status_code in _BUSY:
            raise _Interrupted(f"the server answers {answer.status_code}")
        answers.append(answer)

    _patiently(ask, lambda: 0, url, pause)
    match = re.search(r"\b[0-9a-fA-F]{32}\b", answers[-1].text[:1000])
    if answers[-1].status_code == 200 and match:
        return f"md5:{match[0].lower()}"
    say(f"  no checksum at {url}; the file is not compared with one")
    return ""


def _check(part: Path, source: Download, checksum: str) -> None:
    with part.open("rb") as stream:
        magic = stream.read(2)
    if magic != _MAGIC.get(Path(source.file).suffix, magic):
        forget(part)
        raise UserError(f"sent no {Path(source.file).suffix} file", where=source.url, hint=_MOVED)
    if checksum and (found := digest(part, checksum.partition(":")[0])) != checksum:
        forget(part)
        raise UserError(
            f"the content does not match its checksum ({found}, published: {checksum})",
            where=source.url,
            hint="run the command again; if it fails again, the publisher has changed the file",
        )
