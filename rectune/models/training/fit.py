"""Shared by SFT and DPO: the trainer's arguments, and `fit`, which resumes, monitors and checks training."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from rectune.core.errors import RectuneError
from rectune.core.figures.training import FitFigures
from rectune.core.progress import say
from rectune.core.settings import ModelsConfig, TrainingConfig
from rectune.models import integrity_checks, metrics
from rectune.models.checkpoints import discard_broken, last_complete, step_of
from rectune.models.deepspeed_config import announce, deepspeed_config, skip_inference_op
from rectune.models.distributed import is_first, process_count, wait_for_all, whole
from rectune.models.loading import compute_type, note_base
from rectune.models.preflight import check_trackers
from rectune.models.training.trl_internals import require

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from transformers import Trainer, TrainingArguments

    from rectune.models.best_adapter import BestAdapterCallback

Arguments = TypeVar("Arguments", bound="TrainingArguments")

_ALMOST_ONE = 1 - 1e-6  # transformers reads warm-up below 1 as a share of all steps, from 1 on as steps
_COMPARED = 128  # tokens that the logits of the saved adapter are compared on


@dataclass(frozen=True)
class TrainingJob:
    """One training stage: its sections of the recipe, the folder it writes, its name in progress lines."""

    settings: TrainingConfig
    models: ModelsConfig
    out: Path
    label: str

    @property
    def checkpoints(self) -> Path:
        """Where checkpoints live until the stage is done."""
        return self.out / "checkpoints"

    @property
    def metrics(self) -> Path:
        """The file of logged steps."""
        return self.out / "metrics.jsonl"

    @property
    def best(self) -> Path:
        """The folder of the adapter that was best on the held-out set so far."""
        return self.out / "best"

    @property
    def adapter(self) -> Path:
        """The folder of the finished adapter."""
        return self.out / "adapter"


def build_arguments(kind: type[Arguments], job: TrainingJob, **more: Any) -> Arguments:
    """An SFTConfig or DPOConfig from a recipe; `more` is what only one of them has.

    Build it before the model is loaded: it binds this process to its accelerator and joins it with the
    others, and ZeRO-3 then lays weights out in shards. Rows come within `max_length`, so the trainer cuts
    nothing.

    Raises:
        UserError: a tracker that `report_to` names is not installed, or the offload does not exist.
    """
    check_trackers(job.settings.report_to, "report_to")
    os.environ["TENSORBOARD_LOGGING_DIR"] = str(
        job.out / "tensorboard"
    )  # not among the checkpoints, which go
    arguments: Arguments = kind(**_common_arguments(job), **more)
    _ = arguments.device  # computed at first sight, and that is when processes join
    return arguments


def _common_arguments(job: TrainingJob) -> dict[str, Any]:
    import torch

    settings, on_gpu = job.settings, torch.cuda.is_available()
    precision = str(compute_type(job.models)).removeprefix("torch.")
    if job.models.compute_dtype == "native" and is_first():
        say(f"{job.label}: this machine computes in {precision}")
    zero = deepspeed_config(settings, precision, on_gpu)
    if zero:
        skip_inference_op()
        if is_first():
            announce(zero)
    return _schedule(settings) | {
        "output_dir": str(job.checkpoints),
        "save_strategy": "steps",
        "save_steps": settings.save_steps,
        "save_total_limit": 2,  # the one being written, and the one before it
        "logging_steps": settings.logging_steps,
        "logging_first_step": True,
        "logging_nan_inf_filter": False,
        "report_to": settings.report_to or "none",
        "disable_tqdm": True,
        "bf16": precision == "bfloat16",
        "fp16": precision == "float16",
        "use_cpu": not on_gpu,
        "dataloader_pin_memory": on_gpu,
        "deepspeed": zero,
        "max_length": None,
    }


def score_labels_only() -> None:
    """Let trl project only positions that have a label onto the vocabulary, on a CPU as it does on a GPU.

    trl 1.16 decides this by whether Triton runs on the device. The loss is the same. Measured with the 135M
    model in float32, one thread, rows with 45 % of their tokens trained: 1.23 to 1.27 times the tokens a CPU
    second.
    """
    from trl.trainer import utils

    require(utils, "_use_triton")
    utils._use_triton = lambda device: True


def _schedule(settings: TrainingConfig) -> dict[str, Any]:
    constant = "constant_with_warmup" if settings.warmup_ratio else "constant"
    return {
        "num_train_epochs": settings.num_train_epochs,
        "learning_rate": settings.learning_rate,
        "lr_scheduler_type": constant
        if settings.lr_scheduler_type == "constant"
        else settings.lr_scheduler_type,
        "warmup_steps": min(settings.warmup_ratio, _ALMOST_ONE),
        "weight_decay": settings.weight_decay,
        "max_grad_norm": settings.max_grad_norm,
        "per_device_train_batch_size": settings.per_device_train_batch_size,
        "gradient_accumulation_steps": settings.gradient_accumulation_steps,
        "gradient_checkpointing": settings.gradient_checkpointing,
        "seed": settings.seed,
        "data_seed": settings.seed,
    }


def restore(model: PeftModel, values: Mapping[str, torch.Tensor]) -> None:
    """Give adapter weights the float32 values they had before a trainer was built around the model.

    trl rounds the adapters of quantised models to bfloat16 when it builds a trainer. At small learning rates
    most updates would then round away, and an adapter that was loaded would no longer equal its frozen copy.
    """
    for name, parameter in model.named_parameters():
        if name in values:
            parameter.data = values[name].to(parameter.device, copy=True)


def going_on_from(job: TrainingJob) -> Path | None:
    """The last complete checkpoint, if there is one; incomplete ones are removed."""
    discard_broken(job.checkpoints)
    return last_complete(job.checkpoints)


def fit(
    trainer: Trainer,
    model: PeftModel,
    job: TrainingJob,
    best: BestAdapterCallback | None = None,
    meter: metrics.TokenMeter | None = None,
) -> FitFigures:
    """Train from the last complete checkpoint, check the result, write `adapter/`, tidy up.

    Every process calls this; the first one writes the shared files.

    Args:
        trainer: built around `model`.
        model: the base with the adapter `default` on it.
        job: the stage.
        best: where there is a held-out set; the adapter that it kept is the one that is written.
        meter: counts tokens where the trainer does; progress is then shown in tokens.

    Returns:
        The summary of the metrics, and how the processes and DeepSpeed were set up.

    Raises:
        RectuneError: an integrity check failed.
        UserError: the loss was NaN or infinite.
    """
    score_labels_only()
    start, base = integrity_checks.trainable_values(model), integrity_checks.base_digest(model)
    _train(trainer, job, best, meter)
    integrity_checks.check_base(base, integrity_checks.base_digest(model))
    if best:
        best.put_back()
    end = integrity_checks.trainable_values(model)
    share = integrity_checks.changed_share(start, end)
    save_adapter(model, job, end, _few_tokens(trainer))
    rows = metrics.read(job.metrics)
    if not rows:
        raise RectuneError(f"{job.label}: not one step was logged")
    finish(job, best)
    evaluated = best if best and best.step else None
    return FitFigures(
        **dict(metrics.summary(rows)),
        best_step=evaluated.step if evaluated else None,
        best_eval_loss=evaluated.loss if evaluated else None,
        adapter_changed=round(share, 4),
        processes=process_count(),
        zero_stage=job.settings.zero_stage,
        deepspeed=_as_used(trainer),
    )


def _train(
    trainer: Trainer, job: TrainingJob, best: BestAdapterCallback | None, meter: metrics.TokenMeter | None
) -> None:
    from rectune.models.metrics_callback import MetricsCallback

    resumed = going_on_from(job)
    if resumed and is_first():
        say(f"{job.label}: going on from step {step_of(resumed)}")
    with MetricsCallback(job.metrics, job.label, meter) as watch:
        if best:
            trainer.add_callback(best)
        trainer.add_callback(watch)  # last: it seals what the others have put into a checkpoint
        trainer.train(resume_from_checkpoint=str(resumed) if resumed else None)


def _few_tokens(trainer: Trainer) -> torch.Tensor:
    """The beginning of a row that was trained on, (1, tokens)."""
    batch = trainer.data_collator([trainer.train_dataset[0]])
    tokens: torch.Tensor = batch["input_ids"][:1, :_COMPARED].to(trainer.args.device)
    return tokens


def save_adapter(
    model: PeftModel, job: TrainingJob, trained: Mapping[str, torch.Tensor], tokens: torch.Tensor
) -> None:
    """Write the adapter named `default`, and only that one; read it again and compare weights and logits."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    partial = job.adapter.with_name("adapter.partial")
    with whole(parameters):
        if is_first():
            shutil.rmtree(partial, ignore_errors=True)
            # The folder this base was loaded from means nothing elsewhere; the recipe's name for it does.
            settings = model.peft_config["default"]
            settings.base_model_name_or_path = job.models.base
            if isinstance(settings.target_modules, set):  # in an order that is the same in every process
                settings.target_modules = sorted(settings.target_modules)
            model.save_pretrained(str(partial), selected_adapters=["default"], save_embedding_layers=False)
    if is_first():
        (partial / "README.md").unlink(missing_ok=True)  # peft's blank card; the release writes a real one
        note_base(partial, job.models)
        integrity_checks.check_saved(partial, trained)
    wait_for_all()
    integrity_checks.check_reload(model, partial, tokens)
    wait_for_all()
    if is_first():
        shutil.rmtree(job.adapter, ignore_errors=True)
        partial.rename(job.adapter)
    wait_for_all()


def finish(job: TrainingJob, best: BestAdapterCallback | None) -> None:
    """Remove what was kept for resuming, once the adapter is saved."""
    if best:
        best.clear()
    if is_first():
        shutil.rmtree(job.checkpoints, ignore_errors=True)
    wait_for_all()


def _as_used(trainer: Trainer) -> dict[str, Any] | None:
    """DeepSpeed's configuration as the run had it, for the report."""
    used = trainer.args.deepspeed
    return dict(used) if isinstance(used, dict) else None
