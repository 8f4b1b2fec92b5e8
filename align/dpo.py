"""The stage `dpo`: direct preference optimisation (Rafailov et al. 2023, eq. 7) on top of the SFT adapter."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models import metrics
from models.distributed import is_first, join_processes
from models.loading import load_for_training, load_tokenizer, open_adapter
from models.proofs import trainable_values
from models.training import Job, build_arguments, fit, restore
from models.turns import prompt_ids, response_ids
from rectune.errors import RectuneError, UserError
from rectune.recipe import Recipe
from rectune.rows import read_rows
from rectune.types import Preference

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedTokenizerBase
    from trl import DPOTrainer

Row = dict[str, list[int]]

REWARDS = ("rewards/chosen", "rewards/rejected", "rewards/margins")
_TOLERANCE = 0.01  # nats; at step 0 policy and reference are the same model, so the loss is ln 2


def run(config: Recipe, inputs: Mapping[str, Path], out: Path) -> dict[str, Any]:
    """Align the SFT model on best/worst pairs; writes `adapter/`, `metrics.jsonl` and `rewards.png`.

    The SFT adapter itself is trained further; a frozen copy of it is the reference, and is not saved.

    Raises:
        UserError: there is no pair to train on.
        RectuneError: the loss did not begin at ln 2, or a proof of training failed.
    """
    join_processes(config.align.zero)
    source, checkpoint = inputs["tag"] / "preferences.parquet", inputs["base"] / "checkpoint"
    pairs = read_rows(source, Preference)
    tokenizer = load_tokenizer(checkpoint)
    rows, flow = rows_within(tokenizer, pairs, config.align.max_length)
    if not rows:
        mend = "tag more answers (rectune tag), or raise align.max_length"
        raise UserError(f"none of {len(pairs)} preferences can be trained on", where=str(source), mend=mend)
    job = Job(config.align, config.models, out, "dpo")
    trainer, model = _trainer(job, config, checkpoint, inputs["sft"] / "adapter", (tokenizer, rows))
    figures = fit(trainer, model, job)
    logged = metrics.read(job.metrics)
    check_start(logged)
    if is_first():
        metrics.draw(out / "rewards.png", logged, REWARDS, "reward (nats)")
    return flow | figures | _outcome(logged) | {"annotators": dict(Counter(pair.annotator for pair in pairs))}


def _trainer(
    job: Job,
    config: Recipe,
    checkpoint: Path,
    adapter: Path,
    data: tuple[PreTrainedTokenizerBase, Sequence[Row]],
) -> tuple[DPOTrainer, PeftModel]:
    """The trainer around the SFT model. Given no `peft_config`, trl copies the adapter as frozen `ref`.

    The reference is evaluated in every step. Computing it beforehand saves time only from the second epoch
    on, and in trl goes through a cache file that the other processes of one run cannot find.
    """
    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer

    class TokenisedDPOTrainer(DPOTrainer):  # type: ignore[misc]
        """Takes rows of prompt_ids, chosen_ids and rejected_ids as they are.

        trl would tokenise texts itself, and read special tokens that stand in titles as control tokens.
        """

        def _prepare_dataset(self, dataset: Dataset, *arguments: Any) -> Dataset:
            return dataset

    tokenizer, rows = data
    arguments = build_arguments(DPOConfig, job, beta=config.align.beta, loss_type="sigmoid")
    model = open_adapter(load_for_training(checkpoint, config.models), adapter, trainable=True)
    values = trainable_values(model)
    trainer = TokenisedDPOTrainer(
        model=model, args=arguments, train_dataset=Dataset.from_list(list(rows)), processing_class=tokenizer
    )
    restore(model, values)
    return trainer, model


def rows_within(
    tokenizer: PreTrainedTokenizerBase, pairs: Sequence[Preference], max_length: int
) -> tuple[list[Row], dict[str, Any]]:
    """Tokenise pairs; those whose prompt and longer answer exceed `max_length` tokens are left out, counted.

    Returns:
        Rows with `prompt_ids`, `chosen_ids` and `rejected_ids`, both answers with the end of their turn; and
        the flow.
    """
    made = [tokenise_pair(tokenizer, pair) for pair in pairs]
    rows = [row for row in made if _length(row) <= max_length]
    tokens = sum(
        2 * len(row["prompt_ids"]) + len(row["chosen_ids"]) + len(row["rejected_ids"]) for row in rows
    )
    flow = {"rows_in": len(pairs), "rows_out": len(rows), "dropped": {"too_long": len(made) - len(rows)}}
    return rows, flow | {"pairs": len(rows), "tokens": tokens}


def tokenise_pair(tokenizer: PreTrainedTokenizerBase, pair: Preference) -> Row:
    """One row: the prompt once, and each answer with the tokens that end the assistant's turn."""
    return {
        "prompt_ids": prompt_ids(tokenizer, pair.prompt),
        "chosen_ids": response_ids(tokenizer, pair.chosen),
        "rejected_ids": response_ids(tokenizer, pair.rejected),
    }


def _length(row: Row) -> int:
    return len(row["prompt_ids"]) + max(len(row["chosen_ids"]), len(row["rejected_ids"]))


def check_start(logged: Sequence[metrics.Row]) -> None:
    """Before the first update policy and reference are equal, so the first loss is ln 2.

    Raises:
        RectuneError: it is not; then the reference is not the SFT model.
    """
    first = logged[0]
    if first["step"] == 1 and abs(first["loss"] - math.log(2)) > _TOLERANCE:
        raise RectuneError(
            f"DPO began at a loss of {first['loss']:.4f}, not ln 2: its reference is not the SFT model"
        )


def _outcome(logged: Sequence[metrics.Row]) -> dict[str, float]:
    """Reward margin (nats) and accuracy at the last logged step."""
    last = logged[-1]
    return {"margin": last["rewards/margins"], "accuracy": last["rewards/accuracies"]}
