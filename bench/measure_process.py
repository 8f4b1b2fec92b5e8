"""Running a program in a separate process: its wall-clock time and peak memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Measured:
    """Seconds of wall-clock time, and the peak of resident memory in GiB."""

    seconds: float
    memory: float


def measure(
    module: str, arguments: Sequence[str], follow: bool = False, limit: float | None = None
) -> Measured:
    """Run `python -m module arguments` in a separate process; its output is hidden unless it fails.

    Args:
        follow: show its standard error at once.
        limit: seconds after which it is ended.

    Raises:
        SystemExit: it failed, or took longer than `limit`.
    """
    begun = time.monotonic()
    errors = None if follow else subprocess.STDOUT
    with subprocess.Popen(
        [sys.executable, "-m", module, *arguments], stdout=subprocess.PIPE, stderr=errors
    ) as child:
        clock = threading.Timer(limit if limit is not None else threading.TIMEOUT_MAX, child.kill)
        clock.daemon = True
        clock.start()
        printed = child.stdout.read() if child.stdout else b""
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        clock.cancel()
    if limit is not None and child.returncode == -signal.SIGKILL:
        raise SystemExit(f"{module} was ended after {limit:.0f} s:\n{printed.decode(errors='replace')}")
    if child.returncode:
        raise SystemExit(f"{module} failed:\n{printed.decode(errors='replace')}")
    return Measured(time.monotonic() - begun, usage.ru_maxrss / 2**20)
