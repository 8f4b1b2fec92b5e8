"""The stage `sft`: QLoRA (Dettmers et al. 2023) under DeepSpeed ZeRO, with loss on the response only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rectune.core.errors import UserError
from rectune.core.extras import needs_extra
from rectune.core.figures import SftFigures
from rectune.core.figures.training import FitFigures, WatchedAnswer
from rectune.core.progress import say
from rectune.core.recipe import Recipe
from rectune.core.rows import count_rows, write_rows
from rectune.core.types import Example
from rectune.models import metrics
from rectune.models.attention import BLOCKS, keep_blocks_where_they_fit
from rectune.models.checkpoints import step_of
from rectune.models.distributed import is_first, join_processes, wait_for_all
from rectune.models.integrity_checks import trainable_values
from rectune.models.loading import add_lora, load_for_training, load_tokenizer
from rectune.models.preflight import attention_of, check_packing, check_targets, check_training_support
from rectune.models.training.fit import TrainingJob, build_arguments, fit, going_on_from, restore
from rectune.models.training.loss_spike_guard import LossSpikeGuard
from rectune.models.training.packing import pack
from rectune.train.history_lists import LISTS, list_examples
from rectune.train.rows import TokenRows, make_rows, remove_rows, split_users

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedTokenizerBase, TrainingArguments

    from rectune.train.collate import Layout
    from rectune.train.sft_trainer import PackedSFTTrainer

_ANSWERS = "generations.jsonl"


@dataclass(frozen=True)
class TrainingData:
    """The examples by number, and which of them are for training and which are held out."""

    rows: TokenRows
    train: Sequence[int]
    held_out: Sequence[int]

    def packed(self, numbers: Sequence[int], capacity: int) -> list[list[int]]:
        """The examples of each row; a capacity of 0 puts each into a row of its own."""
        if not capacity:
            return [[number] for number in numbers]
        lengths = [self.rows.lengths[number] for number in numbers]
        return [[numbers[place] for place in row] for row in pack(lengths, capacity)]


@needs_extra("the stage sft", "trl", "peft")
def run(config: Recipe, inputs: Mapping[str, Path], out: Path) -> SftFigures:
    """Tune the base model on the kept examples; writes `adapter/`, `metrics.jsonl` and `loss.png`.

    With a held-out share of users also `generations.jsonl`, and the adapter is the one that was best on them.
    Runs in one process or, under a launcher, in many; called again after a kill it resumes from the last
    checkpoint.

    Raises:
        UserError: this machine does not support what the recipe asks for, no example is left to train on, or
            the loss spiked.
        RectuneError: an integrity check failed.
    """
    join_processes(config.train.zero_stage)
    check_training_support(config.train, config.models)
    job = TrainingJob(config.train, config.models, out, "sft")
    arguments = _arguments(job, config)
    checkpoint = inputs["base"] / "checkpoint"
    sources = [inputs["filter"] / "kept.parquet", *_lists(config, inputs, out / LISTS)]
    tokenizer = load_tokenizer(checkpoint)
    material = read_training_data(sources, tokenizer, config, out / "rows")
    fitted, packed_rows = _train(job, config, arguments, checkpoint, (tokenizer, material))
    remove_rows(out / "rows")
    if is_first():
        metrics.draw_training(out / "loss.png", metrics.read(job.metrics))
    rows = material.rows
    return SftFigures(
        **dict(fitted),
        rows_in=rows.seen,
        rows_out=len(rows),
        dropped={"too_long": rows.seen - len(rows)},
        tokens=rows.token_count,
        trained_tokens=rows.trained_tokens,
        history_lists=count_rows(out / LISTS, Example) if config.train.history_lists else 0,
        held_out=len(material.held_out),
        generations=_last_answers(job.out / _ANSWERS) if material.held_out else (),
        packed_rows=packed_rows,
        attention=attention_of(config.train, config.models),
    )


def _lists(config: Recipe, inputs: Mapping[str, Path], file: Path) -> list[Path]:
    """The file of the histories that are trained on as lists, where the recipe wants any."""
    if not config.train.history_lists:
        return []
    if is_first() and not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        examples = list_examples(inputs["data"], config.train.history_lists, config.train.seed)
        write_rows(file, examples, Example)
    wait_for_all()
    return [file]


def read_training_data(
    sources: Sequence[Path], tokenizer: PreTrainedTokenizerBase, config: Recipe, folder: Path
) -> TrainingData:
    """Tokenise the examples, and separate those of the held-out users.

    Raises:
        UserError: none is left.
    """
    rows = make_rows(sources, tokenizer, config.train.max_length, folder)
    if not len(rows):
        hint = "raise train.max_length, or loosen the filter"
        raise UserError(f"none of {rows.seen} examples can be trained on", where=str(sources[0]), hint=hint)
    material = TrainingData(rows, *split_users(rows, config.train.eval_user_fraction))
    if config.train.eval_user_fraction and not material.held_out and is_first():
        say("sft: all examples are of one user, so none is held out and nothing is evaluated")
    return material


def _arguments(job: TrainingJob, config: Recipe) -> TrainingArguments:
    from trl import SFTConfig

    settings = config.train
    liger = (
        {"rope": True, "rms_norm": True, "swiglu": True, "cross_entropy": False}
        if settings.use_liger_kernel
        else None
    )
    return build_arguments(
        SFTConfig,
        job,
        packing=False,  # packing is done before: trl's does not record which example a token is of
        dataset_kwargs={"skip_prepare_dataset": True},
        remove_unused_columns=False,
        use_liger_kernel=settings.use_liger_kernel,
        liger_kernel_config=liger,
    )


def _train(
    job: TrainingJob,
    config: Recipe,
    arguments: TrainingArguments,
    checkpoint: Path,
    data: tuple[PreTrainedTokenizerBase, TrainingData],
) -> tuple[FitFigures, int]:
    """What training came to, and how many rows the examples were packed into."""
    tokenizer, material = data
    model = _load(checkpoint, config, attention_of(config.train, config.models))
    values = trainable_values(model)
    trainer = build_trainer(model, arguments, config, data)
    restore(model, values)
    resumed = going_on_from(job)
    trainer.guard = _guard(job, config.train.max_loss_ratio, resumed)
    best = None
    if material.held_out:
        from rectune.models.best_adapter import BestAdapterCallback
        from rectune.train.generation_callback import GenerationCallback

        best = BestAdapterCallback(job.best, model, config.train.early_stopping_patience, resumed)
        trainer.add_callback(
            GenerationCallback(job.out / _ANSWERS, material.rows, material.held_out, tokenizer)
        )
    return fit(trainer, model, job, best, trainer.meter), len(trainer.train_dataset)


def _last_answers(file: Path) -> tuple[WatchedAnswer, ...]:
    return tuple(WatchedAnswer(**row) for row in metrics.last(file))


def _load(checkpoint: Path, config: Recipe, attention: str) -> PeftModel:
    base = load_for_training(checkpoint, config.models, attention)
    if config.train.packing:
        check_packing(base)
        keep_blocks_where_they_fit(base)
    model = add_lora(base, config.train.lora, config.train.seed)
    check_targets(model)
    return model


def build_trainer(
    model: PeftModel,
    arguments: TrainingArguments,
    config: Recipe,
    data: tuple[PreTrainedTokenizerBase, TrainingData],
) -> PackedSFTTrainer:
    """The trainer over packed or single rows."""
    from datasets import Dataset

    from rectune.train.collate import PackedCollator
    from rectune.train.sft_trainer import PackedSFTTrainer

    (tokenizer, material), settings = data, config.train
    layout = layout_of(settings.packing, attention_of(settings, config.models))
    capacity = settings.max_length if settings.packing else 0
    train, held_out = (material.packed(part, capacity) for part in (material.train, material.held_out))
    if held_out:
        arguments.set_evaluate(strategy="steps", steps=settings.eval_steps, delay=0)
    trainer = PackedSFTTrainer(
        model=model,
        args=arguments,
        data_collator=PackedCollator(material.rows, int(tokenizer.pad_token_id), layout),
        train_dataset=Dataset.from_dict({"examples": train}),
        eval_dataset=Dataset.from_dict({"examples": held_out}) if held_out else None,
        processing_class=tokenizer,
    )
    tokens = sum(material.rows.lengths[number] for number in material.train)
    trainer.meter = metrics.TokenMeter(round(settings.num_train_epochs * tokens))
    return trainer


def _guard(job: TrainingJob, ratio: float, resumed: Path | None) -> LossSpikeGuard:
    """The guard, with the losses of the steps before; steps after the checkpoint are run again."""
    last = step_of(resumed) if resumed else 0
    rows = [row for row in metrics.read(job.metrics) if row["step"] <= last]
    return LossSpikeGuard(ratio, metrics.losses(rows), job.out / "trouble.json")


def layout_of(packing: bool, attention: str) -> Layout:
    """The layout of batches: `flat` for attention that knows examples' boundaries, else by mask."""
    if not packing:
        return "padded"
    return "flat" if attention in ("flash_attention_2", BLOCKS) else "packed"
