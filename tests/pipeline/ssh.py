"""A stand-in for ssh, first on the path, that runs the command on this machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def stand_in_for_ssh(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put it on the path; returns the file in which it writes each host. It does not reach the host `unreachable`."""
    hosts, ssh = folder / "hosts", folder / "bin" / "ssh"
    ssh.parent.mkdir()
    ssh.write_text(
        '#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done\n'
        f'echo "$2" >> {hosts}\n'
        '[ "$2" = unreachable ] && { echo "ssh: connect to host unreachable: No route to host" >&2; exit 255; }\n'
        'exec sh -c "$3"\n'
    )
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", f"{ssh.parent}:{os.environ['PATH']}")
    return hosts
