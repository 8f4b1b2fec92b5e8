"""A PostgreSQL server of the tests' own: in a temporary folder, on a Unix socket, gone with the process."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

SETTINGS = (
    "fsync=off",
    "full_page_writes=off",
    "listen_addresses=",
    "max_connections=60",
    "shared_buffers=32MB",
)


class Server:
    """A running server; `url` gives the address of one of its databases."""

    def __init__(self, sockets: Path) -> None:
        self.sockets = sockets

    def url(self, name: str, user: str = "postgres", password: str = "") -> str:
        """The address of a database, as a user would write it."""
        who = f"{user}:{quote(password)}" if password else user
        return f"postgresql://{who}@/{name}?host={quote(str(self.sockets), safe='')}"

    def run(self, *statements: sql.Composed | sql.SQL) -> None:
        """Statements outside any database of the tests."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)

    def make(self, name: str, template: str = "template0") -> str:
        """A new database, a copy of `template`; returns its address."""
        made = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
            sql.Identifier(name), sql.Identifier(template)
        )
        self.run(made)
        return self.url(name)

    def drop(self, name: str) -> None:
        """Delete a database, whoever uses it."""
        self.run(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def in_memory() -> str | None:
    """A folder in memory, where no busy disk holds up hundreds of commits; None if it is small."""
    folder = Path("/dev/shm")
    roomy = folder.is_dir() and os.access(folder, os.W_OK) and shutil.disk_usage(folder).free > 2**30
    return str(folder) if roomy else None


def programs() -> Path:
    """The folder of PostgreSQL's programs, which Debian keeps outside PATH.

    Raises:
        FileNotFoundError: they are not installed.
    """
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not folders:
        raise FileNotFoundError("PostgreSQL's server is not installed: make setup-tests installs it")
    return folders[-1].parent


@contextmanager
def running() -> Iterator[Server]:
    """A server for as long as the block runs; it ends too if this process is killed."""
    bin = programs()
    folder = Path(
        tempfile.mkdtemp(prefix="rectune-pg-", dir=in_memory())
    )  # short: a socket's path has 107 characters at most
    become: list[str] = []
    if os.getuid() == 0:  # the server refuses to run as root
        owner = pwd.getpwnam("postgres")
        os.chown(folder, owner.pw_uid, owner.pw_gid)
        become = [f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups"]
    options = [word for setting in SETTINGS for word in ("-c", setting)]
    data, log = str(folder / "data"), folder / "log"
    try:
        # A locale that sorts "a" before "B", so that tests see where the order of code points is relied on.
        locale = ["-E", "UTF8", "--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en"]
        init = [str(bin / "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "--no-sync", *locale]
        _call(["setpriv", *become, *init], folder)
        command = [
            "setpriv",
            *become,
            "--pdeathsig",
            "INT",
            str(bin / "postgres"),
            "-D",
            data,
            "-k",
            str(folder),
        ]
        with log.open("w") as file:
            process = subprocess.Popen([*command, *options], stdout=file, stderr=file, cwd=folder)
        server = Server(folder)
        try:
            _wait(server, process, log)
            yield server
        finally:
            process.send_signal(signal.SIGINT)  # sessions are broken off
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _call(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def _wait(server: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 60
    while True:
        try:
            server.run(sql.SQL("SELECT 1"))
            return
        except psycopg.OperationalError:
            assert process.poll() is None and time.monotonic() < until, log.read_text()
            time.sleep(0.05)
