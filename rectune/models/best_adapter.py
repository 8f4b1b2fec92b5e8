"""The best adapter on the held-out set so far, kept in every checkpoint, so that a kill cannot lose it.

transformers can also restore its best checkpoint, but only if it saves one at every evaluation, optimiser
included, and under DeepSpeed it loads all of that again at the end. Here only the adapter is kept.

This module needs transformers at import, so it is only ever imported inside a function.
"""

from __future__ import annotations

import json
import math
import os
import shutil
from pathlib import Path
from typing import Any

from peft import PeftModel
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from rectune.models.distributed import is_first, wait_for_all, whole
from rectune.models.integrity_checks import trainable_values

_WEIGHTS, _STATE, _FOLDER = "trained.safetensors", "best.json", "best"


class BestAdapterCallback(TrainerCallback):  # type: ignore[misc]
    """Keeps the best adapter in `folder`; stops after `patience` evaluations without gain (0: never)."""

    def __init__(self, folder: Path, model: PeftModel, patience: int, checkpoint: Path | None) -> None:
        """`checkpoint` is what training resumes from, if it does; its best adapter is taken over."""
        self.folder, self.model, self.patience = folder, model, patience
        self.loss, self.step, self.waited = math.inf, 0, 0
        kept = checkpoint / _FOLDER if checkpoint else None
        if is_first():
            shutil.rmtree(folder, ignore_errors=True)
            if kept and kept.exists():
                shutil.copytree(kept, folder, copy_function=_link)
        wait_for_all()
        if kept and kept.exists():
            state = json.loads((kept / _STATE).read_text(encoding="utf-8"))
            self.loss, self.step, self.waited = state["eval_loss"], state["step"], state["waited"]

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """The last step is evaluated whatever its number."""
        if state.global_step >= state.max_steps:
            control.should_evaluate = True
        self._end(control)

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: dict[str, float],
        **kwargs: Any,
    ) -> None:
        """Compare; every process has the same loss and takes the same decision."""
        if metrics["eval_loss"] < self.loss:
            self.loss, self.step, self.waited = metrics["eval_loss"], state.global_step, 0
            self._keep()
        else:
            self.waited += 1
        self._end(control)

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Add the best adapter to the checkpoint before it is sealed."""
        if is_first() and self.step:
            target = Path(str(args.output_dir)) / f"checkpoint-{state.global_step}" / _FOLDER
            shutil.copytree(self.folder, target, copy_function=_link)
            (target / _STATE).unlink()
            self._write_state(target)

    def put_back(self) -> None:
        """Give the model the best adapter's values; nothing happens where nothing was ever evaluated."""
        from safetensors.torch import load_file

        if not self.step:
            return
        values = load_file(self.folder / _WEIGHTS)
        parameters = {name: value for name, value in self.model.named_parameters() if name in values}
        with whole(list(parameters.values()), write=True):
            for name, parameter in parameters.items():
                parameter.data.copy_(values[name])

    def clear(self) -> None:
        """Delete the kept adapter, once it is saved elsewhere."""
        if is_first():
            shutil.rmtree(self.folder, ignore_errors=True)

    def _end(self, control: TrainerControl) -> None:
        if self.patience and self.waited >= self.patience:
            control.should_training_stop = True

    def _keep(self) -> None:
        from safetensors.torch import save_file

        values = trainable_values(self.model)
        if is_first():
            partial = self.folder.with_name(self.folder.name + ".partial")
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            save_file(values, partial / _WEIGHTS)
            self._write_state(partial)
            shutil.rmtree(self.folder, ignore_errors=True)
            partial.rename(self.folder)

    def _write_state(self, folder: Path) -> None:
        state = {"step": self.step, "eval_loss": self.loss, "waited": self.waited}
        (folder / _STATE).write_text(json.dumps(state), encoding="utf-8")


def _link(source: str, target: str) -> None:
    """The same file under another name, where the file system can; the adapter of a large model is large."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
