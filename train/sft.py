"""The stage `sft`: QLoRA (Dettmers et al. 2023) under DeepSpeed ZeRO, with loss on the response only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models import metrics
from models.distributed import is_first, join_processes
from models.loading import add_lora, load_for_training, load_tokenizer
from models.proofs import trainable_values
from models.training import Job, build_arguments, fit, restore
from models.turns import prompt_ids, response_ids
from rectune.errors import RectuneError, UserError
from rectune.recipe import Recipe
from rectune.rows import read_rows
from rectune.types import Example

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Row = dict[str, list[int]]

NOT_TRAINED = -100  # PyTorch's cross-entropy leaves labels of this value out


def run(config: Recipe, inputs: Mapping[str, Path], out: Path) -> dict[str, Any]:
    """Tune the base model on the kept examples; writes `adapter/`, `metrics.jsonl` and `loss.png`.

    Runs in one process or, under a launcher, in many; called again after a kill it goes on from the last
    checkpoint.

    Raises:
        UserError: no example is left to train on.
        RectuneError: a proof of training failed.
    """
    join_processes(config.train.zero)
    source, checkpoint = inputs["filter"] / "kept.parquet", inputs["base"] / "checkpoint"
    examples = read_rows(source, Example)
    tokenizer = load_tokenizer(checkpoint)
    rows, flow = rows_within(tokenizer, examples, config.train.max_length)
    if not rows:
        mend = "raise train.max_length, or loosen the filter"
        raise UserError(f"none of {len(examples)} examples can be trained on", where=str(source), mend=mend)
    job = Job(config.train, config.models, out, "sft")
    figures = _train(job, config, checkpoint, tokenizer, rows)
    if is_first():
        metrics.draw(
            out / "loss.png", metrics.read(job.metrics), ["loss"], "loss on the response (nats a token)"
        )
    return flow | figures


def _train(
    job: Job, config: Recipe, checkpoint: Path, tokenizer: PreTrainedTokenizerBase, rows: Sequence[Row]
) -> dict[str, Any]:
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    arguments = build_arguments(SFTConfig, job, packing=False)
    model = add_lora(load_for_training(checkpoint, config.models), config.train.lora, config.train.seed)
    values = trainable_values(model)
    trainer = SFTTrainer(
        model=model, args=arguments, train_dataset=Dataset.from_list(list(rows)), processing_class=tokenizer
    )
    restore(model, values)
    return fit(trainer, model, job)


def rows_within(
    tokenizer: PreTrainedTokenizerBase, examples: Sequence[Example], max_length: int
) -> tuple[list[Row], dict[str, Any]]:
    """Tokenise examples; those longer than `max_length` tokens are left out and counted, never cut.

    Returns:
        Rows with `input_ids` and `labels`, and the flow's figures: rows in and out, tokens in all and trained
        on.

    Raises:
        RectuneError: a row has no label, so nothing would be learnt from it.
    """
    made = [tokenise_example(tokenizer, example) for example in examples]
    rows = [row for row in made if len(row["input_ids"]) <= max_length]
    trained = [sum(label != NOT_TRAINED for label in row["labels"]) for row in rows]
    if rows and min(trained) == 0:
        raise RectuneError("the label mask of an example is empty: its chat template trains no token")
    flow = {"rows_in": len(examples), "rows_out": len(rows), "dropped": {"too_long": len(made) - len(rows)}}
    return rows, flow | {"tokens": sum(len(row["input_ids"]) for row in rows), "trained_tokens": sum(trained)}


def tokenise_example(tokenizer: PreTrainedTokenizerBase, example: Example) -> Row:
    """One row: the prompt, which is not trained on, then the response and the tokens that end its turn."""
    prompt = prompt_ids(tokenizer, example.prompt)
    response = response_ids(tokenizer, example.response)
    return {"input_ids": prompt + response, "labels": [NOT_TRAINED] * len(prompt) + response}
