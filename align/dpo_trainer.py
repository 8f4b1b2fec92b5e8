"""trl's DPO trainer with reference log-probs precomputed in many processes, and exact held-out figures.

This module needs torch and trl at import, so it is only ever imported inside a function.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from accelerate.utils import gather_object
from trl import DPOTrainer
from trl.trainer.dpo_trainer import DataCollatorForPreference
from trl.trainer.utils import use_adapter

from rectune.align.rows import Row
from rectune.align.shared_prompt import share_prompts
from rectune.core.artifacts import write_atomically
from rectune.models.distributed import gathered, is_first, turns, wait_for_all
from rectune.models.training.trl_internals import require

require(DPOTrainer, "_prepare_dataset", "_prepare_inputs")  # `ReferenceCachedDPOTrainer` has its own

Sums = dict[int, tuple[float, float]]  # row number -> log-prob of the chosen and of the rejected answer, nats

_REFERENCE = ("ref_chosen_logps", "ref_rejected_logps")  # what trl calls their columns

KL_PAIRS = 8  # held-out pairs on whose chosen answers the distance to the reference is taken
_POSITIONS = 128  # whose distributions over the vocabulary are in memory at once


@dataclass
class ReferenceCollator(DataCollatorForPreference):  # type: ignore[misc]
    """Pads pairs; `known` holds reference log-probs, which go into the batch where a row has any."""

    known: Sums = field(default_factory=dict)

    def torch_call(self, examples: list[Row]) -> dict[str, Any]:
        """The batch, chosen answers first: input_ids, attention_mask, completion_mask, each [2 * rows, t]."""
        return dict(super().torch_call([row | self._reference(row["number"]) for row in examples]))

    def _reference(self, number: int) -> dict[str, float]:
        if number not in self.known:
            return {}
        chosen, rejected = self.known[number]
        return dict(zip(_REFERENCE, (chosen, rejected), strict=True))


class ReferenceCachedDPOTrainer(DPOTrainer):  # type: ignore[misc]
    """Takes rows of `rectune.align.rows` as they are; its data collator is a `ReferenceCollator`.

    trl would tokenise texts itself, and parse special tokens in titles as control tokens. Its own
    precomputation of reference log-probs runs before DeepSpeed has partitioned the model and uses a cache
    file; here it runs when training begins, divided among the processes, and every process then has all
    values.
    """

    control: Any  # the trainer's flags, which callbacks set

    def __init__(self, *, precompute_ref_log_probs: bool, **arguments: Any) -> None:
        super().__init__(**arguments)
        share_prompts(self.model.get_base_model())
        self.precompute_ref_logps = precompute_ref_log_probs
        self.held_out_reference: Sums = {}

    def _prepare_dataset(self, dataset: Any, *arguments: Any) -> Any:
        return dataset

    def _prepare_inputs(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Keep reference log-probs in float32, which transformers casts to bfloat16 under DeepSpeed."""
        prepared: dict[str, Any] = super()._prepare_inputs(inputs)
        sums = {name: value for name, value in inputs.items() if name in _REFERENCE}
        return prepared | {name: value.to(self.args.device) for name, value in sums.items()}

    def fill_reference(self, file: Path) -> None:
        """Compute the log-probs of all answers under the SFT adapter, or read them from `file`."""
        held_out = list(self.eval_dataset or ())
        rows = [*self.train_dataset, *held_out] if self.precompute_ref_logps else held_out
        known = _read(file) if is_first() else {}
        known = gather_object([known])[0]
        if known.keys() != {row["number"] for row in rows}:
            known = self._sums(rows, reference=True)
            if is_first():
                write_atomically(file, json.dumps({str(number): pair for number, pair in known.items()}))
        wait_for_all()
        self.held_out_reference = {row["number"]: known[row["number"]] for row in held_out}
        if self.precompute_ref_logps:
            self.data_collator.known = known

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Figures on the held-out pairs, however they are batched; see `held_out_figures`."""
        rows = list(self.eval_dataset)
        figures = held_out_figures(self._sums(rows, reference=False), self.held_out_reference, self.beta)
        figures["eval_kl"] = self._kl(rows[:KL_PAIRS])
        self.log({"eval_loss": figures["eval_loss"]})
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, figures)
        return figures

    def _sums(self, rows: Sequence[Row], *, reference: bool) -> Sums:
        """Log-probs of both answers of every row; a collective call, with the result in all processes."""
        self.model.eval()
        found: Sums = {}
        ordered = sorted(rows, key=lambda row: len(row["prompt_ids"]) + len(row["chosen_ids"]))
        for part in turns(ordered, self.args.per_device_train_batch_size):
            batch = self._prepare_inputs(self.data_collator(part))
            labels = batch["input_ids"].masked_fill(batch["completion_mask"] == 0, -100)
            with self._as(reference), torch.no_grad(), self.compute_loss_context_manager():
                outputs = self.model(
                    input_ids=batch["input_ids"],
                    attention_mask=batch["attention_mask"],
                    labels=labels,
                    use_cache=False,
                    fused_lm_head=True,
                )
            chosen, rejected = outputs.log_probs.double().sum(dim=1).chunk(2)
            pairs = zip(part, chosen.tolist(), rejected.tolist(), strict=True)
            found |= {row["number"]: (good, bad) for row, good, bad in pairs}
        return gathered(found)

    def _kl(self, rows: Sequence[Row]) -> float:
        """KL(policy || reference) of the next token, nats per token, mean over these rows' chosen answers."""
        self.model.eval()
        found: dict[int, tuple[float, float]] = {}
        for (row,) in turns(rows, 1):
            ours, theirs = self._answer_logits(row, reference=False), self._answer_logits(row, reference=True)
            total = sum(
                _divergence(ours[at : at + _POSITIONS], theirs[at : at + _POSITIONS])
                for at in range(0, len(ours), _POSITIONS)
            )
            found[row["number"]] = (total, float(len(ours)))
        parts = gathered(found).values()
        return sum(nats for nats, _ in parts) / sum(tokens for _, tokens in parts)

    def _answer_logits(self, row: Row, *, reference: bool) -> torch.Tensor:
        """Logits of policy and reference at every token of the chosen answer, [tokens, vocabulary]."""
        ids = torch.tensor([row["prompt_ids"] + row["chosen_ids"]], device=self.args.device)
        wanted = len(row["chosen_ids"]) + 1
        base = self.accelerator.unwrap_model(self.model).get_base_model()
        few = "logits_to_keep" in inspect.signature(base.forward).parameters
        options = {"logits_to_keep": wanted} if few else {}
        with self._as(reference), torch.no_grad(), self.compute_loss_context_manager():
            logits: torch.Tensor = self.model(input_ids=ids, use_cache=False, **options).logits
        return logits[0, -wanted:-1]

    def _as(self, reference: bool) -> Any:
        model = self.accelerator.unwrap_model(self.model)
        return use_adapter(model, adapter_name="ref") if reference else nullcontext()


def held_out_figures(ours: Sums, reference: Sums, beta: float) -> dict[str, float]:
    """The DPO figures of a set of pairs.

    Returns:
        `eval_loss`, -ln sigmoid of the reward margin (Rafailov et al. 2023, eq. 7) whatever the loss trained
        with; `eval_accuracy`, the share whose chosen answer got the larger reward, ties half; `eval_margin`
        of rewards, nats; `eval_chosen_logps` and `eval_rejected_logps`, nats an answer; `eval_pairs`.
    """
    numbers = sorted(ours)
    margins = torch.tensor(
        [(ours[n][0] - reference[n][0]) - (ours[n][1] - reference[n][1]) for n in numbers],
        dtype=torch.float64,
    )
    wins = (margins > 0).double() + (margins == 0).double() / 2
    return {
        "eval_loss": float(-F.logsigmoid(beta * margins).mean()),
        "eval_accuracy": float(wins.mean()),
        "eval_margin": float(beta * margins.mean()),
        "eval_chosen_logps": sum(ours[n][0] for n in numbers) / len(numbers),
        "eval_rejected_logps": sum(ours[n][1] for n in numbers) / len(numbers),
        "eval_pairs": len(numbers),
    }


def _divergence(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    """Sum over positions of KL(ours || theirs), nats; both [positions, vocabulary], unnormalised."""
    # In 32 bits a small divergence comes out negative.
    p, q = ours.double().log_softmax(-1), theirs.double().log_softmax(-1)
    return float((p.exp() * (p - q)).sum())


def _read(file: Path) -> Sums:
    if not file.exists():
        return {}
    found = json.loads(file.read_text(encoding="utf-8"))
    return {int(number): (pair[0], pair[1]) for number, pair in found.items()}
