"""Starting the launchers of a stage's other machines, and telling when one of them fails."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType

from rectune.core.errors import UserError
from rectune.core.progress import say
from rectune.core.runs import write_atomically
from rectune.pipeline.failures import Failure, last_lines, leave_note
from rectune.pipeline.machines import WORKER, Team, slurm_place

_LOOK_EVERY = 0.5  # seconds between looks at the ssh commands
_LAST_WORDS = 15.0  # seconds that the others have to end by themselves once we have


class Others:
    """The other machines' launchers while a stage runs: started over ssh, by a person, or found started by SLURM.

    What fails leaves a note in the stage's folder, where our own launcher sees it and ends.
    """

    def __init__(self, team: Team, spec: Path, run: str) -> None:
        self._team, self._spec, self._run = team, spec, run
        self._started: dict[int, subprocess.Popen[bytes]] = {}
        self._over = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> None:
        {"ssh": self._by_ssh, "manual": self._by_hand, "slurm": self._by_slurm}[self._team.launcher]()
        self._watcher.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._watcher.join()
        for number, child in self._started.items():
            try:
                child.wait(_LAST_WORDS)
            except subprocess.TimeoutExpired:
                say(f"  {self._team.machines[number].host} does not end; its processes may still run there")
                child.kill()
                child.wait()

    def _command(self, number: int) -> str:
        worker = [*WORKER, str(self._spec), "--machine", str(number)]
        return f"cd {shlex.quote(str(Path.cwd()))} && exec {shlex.join([*worker, '--run', self._run])}"

    def _by_ssh(self) -> None:
        for number, machine in list(enumerate(self._team.machines))[1:]:
            command = ["ssh", "-o", "BatchMode=yes", "-o", "ServerAliveInterval=15", "--", machine.host]
            with self._log(number).open("wb") as log:
                try:
                    self._started[number] = subprocess.Popen(
                        [*command, self._command(number)], stdin=subprocess.DEVNULL, stdout=log, stderr=log
                    )
                except FileNotFoundError:
                    mend = "install an ssh client, or set launcher to manual"
                    raise UserError("there is no ssh on this machine", where="launcher", mend=mend) from None

    def _by_hand(self) -> None:
        for number, machine in list(enumerate(self._team.machines))[1:]:
            say(f"  on {machine.host}, type:\n    {self._command(number)}")
        say(f"  waiting for {len(self._team.machines) - 1} of {len(self._team.machines)} machines")

    def _by_slurm(self) -> None:
        task, tasks = slurm_place()
        if task or tasks < len(self._team.machines):
            mend = f"srun --nodes={len(self._team.machines)} --ntasks-per-node=1 rectune run RECIPE"
            found = f"SLURM started {tasks} tasks, and the recipe wants {len(self._team.machines)} machines"
            raise UserError(found, where="machines", mend=mend)
        publish_order(slurm_folder(self._spec.parent.parent.parent), self._spec, self._run, self._team)

    def _log(self, number: int) -> Path:
        return self._spec.parent / f"machine-{number}.log"

    def _watch(self) -> None:
        """Leave a note when an ssh command ends badly: the machine may never have been reached."""
        waiting = dict(self._started)
        while waiting and not self._over.wait(_LOOK_EVERY):
            for number, child in list(waiting.items()):
                if (code := child.poll()) is None:
                    continue
                del waiting[number]
                if code:
                    self._note(number, code)

    def _note(self, number: int, code: int) -> None:
        host, log = self._team.machines[number].host, self._log(number)
        found = f"the launcher on {host} ended with status {code}:\n{last_lines(log)}"
        mend = f"try: ssh {host} {shlex.quote(sys.executable)} --version"
        # ssh itself ends with 255, our launcher with 2 where it was given what it cannot work with.
        kind = (
            Failure("user", found, host, mend) if code in (2, 255, 127) else Failure("crash", found, who=host)
        )
        leave_note(self._spec.parent, f"machine-{number}", kind)


def slurm_folder(store: Path) -> Path:
    """Where the first task of a SLURM job tells the others what to join; one folder a job step."""
    step = f"{os.environ.get('SLURM_JOB_ID', '0')}.{os.environ.get('SLURM_STEP_ID', '0')}"
    return store / ".slurm" / step


def publish_order(folder: Path, spec: Path, run: str, team: Team) -> None:
    """Tell the tasks on the other machines to join a stage."""
    folder.mkdir(parents=True, exist_ok=True)
    order = {"spec": str(spec), "run": run, "machines": len(team.machines)}
    write_atomically(folder / "order.json", json.dumps(order))
