"""Progress for people: a bar with rate and time left in a terminal, elsewhere a plain line now and then."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

from rectune.core.text.plain import duration

_PLAIN_EVERY = 10.0  # seconds between plain lines

_stream: TextIO | None = None
_muted = False
_quiet = False


def set_stream(stream: TextIO | None) -> None:
    """Set where progress is written; a stage's worker keeps the terminal while libraries use the log. None is
    standard error.
    """
    global _stream
    _stream = stream


def say(text: str) -> None:
    """Write one plain line among the progress output; the work goes on if it cannot be written."""
    if _muted:
        return
    stream = _stream or sys.stderr
    with suppress(OSError):
        stream.write(text + "\n")
        stream.flush()


@contextmanager
def muted() -> Iterator[None]:
    """Say nothing within: of a hundred trials the notes of each are of no use to anybody."""
    global _muted
    before, _muted = _muted, True
    try:
        yield
    finally:
        _muted = before


@contextmanager
def heard() -> Iterator[None]:
    """Say again within `muted` what is said here: where one trial takes minutes, its progress is of use."""
    global _muted
    before, _muted = _muted, False
    try:
        yield
    finally:
        _muted = before


def detail(text: str) -> None:
    """Write a plain line as `say` does, unless only what a person must know is wanted (`quiet`)."""
    if not _quiet:
        say(text)


@contextmanager
def quiet(wanted: bool = True) -> Iterator[None]:
    """Leave out rates and files within, and the end of work that took less than ten seconds."""
    global _quiet
    before, _quiet = _quiet, wanted
    try:
        yield
    finally:
        _quiet = before


@contextmanager
def progress(label: str, total: int, unit: str = "rows") -> Iterator[Callable[[int], None]]:
    """Show progress; the block calls what it gets with the number of units just done.

    A `total` of 0 means unknown. Only rank 0 of a multi-process stage shows anything.
    """
    stream = _stream or sys.stderr
    if os.environ.get("RANK", "0") != "0":
        yield lambda done: None
    elif stream.isatty():
        with _bar(stream, label, total, unit) as advance:
            yield advance
    else:
        plain = _Plain(label, total, unit)
        yield plain.advance
        plain.close()


@contextmanager
def _bar(stream: TextIO, label: str, total: int, unit: str) -> Iterator[Callable[[int], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    rate = TextColumn(f"{{task.fields[rate]:.1f}} {unit}/s")
    columns = (
        TextColumn("  {task.description:<24}"),
        BarColumn(),
        MofNCompleteColumn(),
        rate,
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(file=stream), transient=False) as bars:
        task, start = bars.add_task(label, total=total or None, rate=0.0), time.monotonic()
        done = 0

        def advance(count: int) -> None:
            nonlocal done
            done += count
            bars.update(task, completed=done, rate=done / max(time.monotonic() - start, 1e-6))

        yield advance


class _Plain:
    """Counts, and writes a line when ten seconds have passed or the work ends."""

    def __init__(self, label: str, total: int, unit: str) -> None:
        self.label, self.total, self.unit = label, total, unit
        self.done, self.start = 0, time.monotonic()
        self.last = self.start

    def advance(self, count: int) -> None:
        self.done += count
        complete = self.total and self.done >= self.total  # `close` says so
        if not complete and time.monotonic() - self.last >= _PLAIN_EVERY:
            self.last = time.monotonic()
            self._write()

    def close(self) -> None:
        if time.monotonic() - self.start >= (_PLAIN_EVERY if _quiet else 2.0):
            self.total = self.total or self.done
            self._write()

    def _write(self) -> None:
        seconds = max(time.monotonic() - self.start, 1e-6)
        rate = self.done / seconds
        if not self.total:
            say(f"  {self.label}: {self.done} {self.unit}, {rate:.1f}/s")
            return
        ending = f", done in {duration(round(seconds))}"
        if self.done < self.total:
            ending = f", {duration(round((self.total - self.done) / rate))} left" if rate else ""
        say(f"  {self.label}: {self.done}/{self.total} {self.unit}, {rate:.1f}/s{ending}")
