"""`rectune run` under SLURM: the first task runs the pipeline, the tasks on the other machines join its training stages."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rectune.core.progress import say
from rectune.core.recipe import Recipe
from rectune.pipeline.machines import WORKER, slurm_place
from rectune.pipeline.others import slurm_folder
from rectune.pipeline.stages import needed_for
from rectune.pipeline.supervise import Silence, write_pulse

_PULSE_EVERY = 5.0  # seconds
_SILENCE = 300.0  # seconds without a sign of the first task after which the others give up
_LOOK_EVERY = 1.0


def section_of_slurm(recipe: Recipe, until: str) -> str:
    """The training section that SLURM's tasks are wanted for on the way to the stage `until`; empty where none is.

    Raises:
        UserError: there is no such stage.
    """
    stages = {stage.name for stage in needed_for(until)}
    trained = (section for stage, section in (("sft", "train"), ("dpo", "align")) if stage in stages)
    return next((section for section in trained if getattr(recipe, section).launcher == "slurm"), "")


@contextmanager
def leading(store: Path, section: str) -> Iterator[bool]:
    """Inside, this task leads (True), or it has followed the first task to its end (False).

    Raises:
        UserError: the recipe wants SLURM, which did not start us.
    """
    if not section:
        yield True
    elif (task := slurm_place(section)[0]) > 0:
        follow(slurm_folder(store.resolve()), task)
        yield False
    else:
        with _signs_of_life(slurm_folder(store.resolve())):
            yield True


@contextmanager
def _signs_of_life(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    over = threading.Event()

    def beat() -> None:
        while not over.is_set():
            write_pulse(folder / "pulse", time.monotonic())
            over.wait(_PULSE_EVERY)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        (folder / "end").touch()


def follow(folder: Path, task: int) -> None:
    """Join every stage that the first task announces, until it ends or falls silent."""
    joined, silence = set[str](), Silence(folder / "pulse")
    say(f"task {task}: waiting for the first task's training stages ({folder})")
    while not (folder / "end").exists():
        order = _order(folder)
        if order and order["run"] not in joined and task < order["machines"]:
            joined.add(order["run"])
            command = [*WORKER, order["spec"], "--machine", str(task)]
            # What failed is in the stage's folder, and the first task says it.
            subprocess.run([*command, "--run", order["run"]], check=False)
        if silence.seconds(time.monotonic()) > _SILENCE:
            say(f"task {task}: the first task gave no sign of life any more")
            return
        time.sleep(_LOOK_EVERY)


def _order(folder: Path) -> dict[str, Any] | None:
    try:
        order: dict[str, Any] = json.loads((folder / "order.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return order
