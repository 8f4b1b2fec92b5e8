"""A second machine that is this one too: somebody types there what the first one prints."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rectune.pipeline.machines import ProcessGroup


def two_machines(processes: int = 1) -> ProcessGroup:
    """Two machines that are both this one, and a port on which they can meet."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return ProcessGroup(processes, 2, f"127.0.0.1:{probe.getsockname()[1]}")


@dataclass
class Typed:
    """What the first machine has printed so far, and what was started for it."""

    printed: str = ""
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)


@contextmanager
def somebody_types(newly_printed: Callable[[], str]) -> Iterator[Typed]:
    """Inside, every line that is printed for another machine is typed into a shell, in the root folder."""
    typed, over = Typed(), threading.Event()

    def type_lines() -> None:
        while not over.wait(0.05):
            typed.printed += newly_printed()
            lines = [line for line in typed.printed.splitlines(keepends=True) if "--node-rank" in line]
            for line in lines[len(typed.started) :]:
                if line.endswith("\n"):
                    typed.started.append(subprocess.Popen(["sh", "-c", line], cwd="/", env=os.environ))

    person = threading.Thread(target=type_lines, daemon=True)
    person.start()
    try:
        yield typed
        for child in typed.started:
            child.wait(60)
    finally:
        over.set()
        person.join()
        for child in typed.started:
            child.kill()
        typed.printed += newly_printed()
