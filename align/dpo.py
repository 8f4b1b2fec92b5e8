"""The stage `dpo`: direct preference optimisation (Rafailov et al. 2023, eq. 7) on top of the SFT adapter."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rectune.align.dpo_metrics import WatchedRun, answer_lengths, draw, held_out_outcome, warnings
from rectune.align.rows import PreferenceRows, have_several_negatives, make_rows
from rectune.core.errors import RectuneError, UserError
from rectune.core.extras import needs_extra
from rectune.core.figures import DpoFigures
from rectune.core.progress import say
from rectune.core.recipe import Recipe
from rectune.core.rows import read_rows
from rectune.core.settings import AlignConfig
from rectune.core.types import Preference
from rectune.models import metrics
from rectune.models.distributed import is_first, join_processes
from rectune.models.integrity_checks import trainable_values
from rectune.models.loading import compute_type, load_for_training, load_tokenizer, open_adapter
from rectune.models.training.fit import TrainingJob, build_arguments, fit, going_on_from, restore

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedTokenizerBase

    from rectune.align.dpo_trainer import ReferenceCachedDPOTrainer
    from rectune.models.best_adapter import BestAdapterCallback

# Nats; at step 0 policy and reference are the same model. Sums over an answer that were taken in another
# batch, in 16 bits, differ by rounding; a wrong reference is off by several nats.
_TOLERANCE, _TOLERANCE_16 = 0.01, 0.1
_AT_LN_2 = {"sigmoid", "sigmoid_norm", "robust"}  # losses that are then ln 2


@needs_extra("the stage dpo", "trl", "peft")
def run(config: Recipe, inputs: Mapping[str, Path], out: Path) -> DpoFigures:
    """Train on preference pairs; writes `adapter/`, `metrics.jsonl`, `generations.jsonl` and plots.

    The SFT adapter itself is trained further; a frozen copy of it is the reference, and is not saved. With
    held-out pairs also `held_out.jsonl`, and the adapter is the one that was best on them.

    Raises:
        UserError: there is no pair to train on.
        RectuneError: training did not begin at the reference, or an integrity check failed.
    """
    join_processes(config.align.zero_stage)
    source, checkpoint = inputs["tag"] / "preferences.parquet", inputs["base"] / "checkpoint"
    pairs = read_rows(source, Preference)
    tokenizer = load_tokenizer(checkpoint)
    rows = make_rows(tokenizer, pairs, config.align.max_length, config.align.eval_user_fraction)
    if not rows.train:
        hint = "tag more answers (rectune tag), or raise align.max_length"
        raise UserError(f"none of {len(pairs)} preferences can be trained on", where=str(source), hint=hint)
    if config.align.eval_user_fraction and not rows.held_out and is_first():
        say("dpo: all pairs are of one user, so none is held out and nothing is evaluated")
    job = TrainingJob(config.align, config.models, out, "dpo")
    kept = rows.pairs
    trainer, model, best = _trainer(job, config, checkpoint, inputs["sft"] / "adapter", (tokenizer, rows))
    fitted = fit(trainer, model, job, best)
    trained = [row for row in metrics.read(job.metrics) if "loss" in row]
    exact = compute_type(config.models).itemsize == 4 or not config.align.precompute_ref_log_probs
    several = have_several_negatives(rows.train)
    check_start(trained, config.align, _TOLERANCE if exact else _TOLERANCE_16, several_negatives=several)
    watched = _watched(out, trained, fitted.best_step)
    return DpoFigures(
        **dict(fitted),
        rows_in=rows.seen,
        rows_out=kept,
        dropped={"too_long": rows.seen - kept},
        pairs=kept,
        tokens=rows.tokens,
        margin=trained[-1]["rewards/margins"],
        accuracy=trained[-1]["rewards/accuracies"],
        held_out=watched.held_out,
        answer_tokens=watched.lengths,
        warnings=tuple(watched.warnings),
        sources=dict(Counter(pair.source for pair in pairs)),
        annotators=dict(Counter(pair.annotator for pair in pairs if pair.source == "tags")),
    )


def _trainer(
    job: TrainingJob,
    config: Recipe,
    checkpoint: Path,
    adapter: Path,
    data: tuple[PreTrainedTokenizerBase, PreferenceRows],
) -> tuple[ReferenceCachedDPOTrainer, PeftModel, BestAdapterCallback | None]:
    """The trainer around the SFT model. Given no `peft_config`, trl copies the adapter as frozen `ref`."""
    from rectune.align.held_out_callback import HeldOutCallback
    from rectune.models.best_adapter import BestAdapterCallback

    arguments = _arguments(job, config.align)
    model = open_adapter(load_for_training(checkpoint, config.models), adapter, trainable=True)
    values = trainable_values(model)
    trainer = _build(model, arguments, config.align, data)
    restore(model, values)
    held_out = data[1].held_out
    best = (
        BestAdapterCallback(job.best, model, config.align.early_stopping_patience, going_on_from(job))
        if held_out
        else None
    )
    watched = config.align.watched_prompts
    trainer.add_callback(HeldOutCallback(job.out, trainer, data[1], best, watched))
    return trainer, model, best


def _arguments(job: TrainingJob, settings: AlignConfig) -> Any:
    from trl import DPOConfig

    return build_arguments(
        DPOConfig,
        job,
        beta=settings.beta,
        loss_type=list(settings.loss_type),
        loss_weights=list(settings.loss_weights),
        label_smoothing=settings.label_smoothing,
        remove_unused_columns=False,  # rows carry their number
    )


def _build(
    model: PeftModel,
    arguments: Any,
    settings: AlignConfig,
    data: tuple[PreTrainedTokenizerBase, PreferenceRows],
) -> ReferenceCachedDPOTrainer:
    from datasets import Dataset

    from rectune.align.dpo_trainer import ReferenceCachedDPOTrainer, ReferenceCollator

    tokenizer, rows = data
    if rows.held_out:
        arguments.set_evaluate(strategy="steps", steps=settings.eval_steps, delay=0)
    return ReferenceCachedDPOTrainer(
        precompute_ref_log_probs=settings.precompute_ref_log_probs,
        model=model,
        args=arguments,
        data_collator=ReferenceCollator(pad_token_id=int(tokenizer.pad_token_id)),
        train_dataset=Dataset.from_list(rows.train),
        eval_dataset=Dataset.from_list(rows.held_out) if rows.held_out else None,
        processing_class=tokenizer,
    )


def check_start(
    logged: Sequence[metrics.Row],
    settings: AlignConfig,
    tolerance: float = _TOLERANCE,
    *,
    several_negatives: bool = False,
) -> None:
    """Before the first update policy and reference are equal: all rewards are 0, and these losses are ln 2.

    Args:
        logged: the training steps.
        settings: says which losses.
        tolerance: nats.
        several_negatives: rows have several rejected answers; their loss is then ln of one more than these,
            and is not looked at.

    Raises:
        RectuneError: they are not, so the reference is not the SFT model.
    """
    first = logged[0]
    if first["step"] != 1:
        return
    off = max(abs(first["rewards/chosen"]), abs(first["rewards/rejected"]))
    if off > tolerance:
        raise RectuneError(f"DPO began at rewards of {off:.4f}, not 0: its reference is not the SFT model")
    wanted = math.log(2) * sum(settings.loss_weights)
    if (
        not several_negatives
        and set(settings.loss_type) <= _AT_LN_2
        and abs(first["loss"] - wanted) > tolerance
    ):
        raise RectuneError(
            f"DPO began at a loss of {first['loss']:.4f}, not {wanted:.4f} (ln 2 a loss): its reference "
            "is not the SFT model"
        )


def _watched(out: Path, trained: Sequence[metrics.Row], kept: int | None) -> WatchedRun:
    """What was watched, with warnings; draws the plots, and drops what was kept for resuming only."""
    from rectune.align.held_out_callback import ANSWERS, HELD_OUT, REFERENCE

    held_out = metrics.read(out / HELD_OUT)
    found = held_out_outcome(held_out, kept)
    lengths = answer_lengths(metrics.read(out / ANSWERS))
    said = warnings(trained, held_out, lengths, found)
    if is_first():
        draw(out, trained, held_out)
        (out / REFERENCE).unlink(missing_ok=True)
        for warning in said:
            say(f"dpo: {warning}")
    return WatchedRun(found, lengths, said)
