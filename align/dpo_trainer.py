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
from accelerate.utils import gather_object
from trl import DPOTrainer
from trl.trainer.dpo_trainer import DataCollatorForPreference
from trl.trainer.utils import use_adapter

from rectune.align.held_out_figures import LogProbs, held_out_figures
from rectune.align.rows import Row, have_several_negatives
from rectune.align.shared_prompt import PromptSharing
from rectune.align.softmax_dpo import NO_ANSWER, Batch, answer_sums, labels_of, softmax_dpo, stacked
from rectune.core.artifacts import write_atomically
from rectune.models.distributed import gathered, is_first, turns, wait_for_all
from rectune.models.training.trl_internals import require

# `ReferenceCachedDPOTrainer` has its own
require(DPOTrainer, "_prepare_dataset", "_prepare_inputs", "_compute_loss")

_REFERENCE = ("ref_chosen_logps", "ref_rejected_logps")  # what trl calls their columns
_SEEN = ("input_ids", "attention_mask")  # columns that the model takes
_LOGGED = (
    "rewards/chosen", "rewards/rejected", "rewards/accuracies", "rewards/margins",
    "logps/chosen", "logps/rejected",
)  # fmt: skip

KL_PAIRS = 8  # held-out rows on whose chosen answers the distance to the reference is taken
_POSITIONS = 128  # whose distributions over the vocabulary are in memory at once
_SAME, _SAME_16 = 0.01, 0.1  # nats an answer by which two layouts of a batch may differ, in 32 and 16 bits


@dataclass
class ReferenceCollator(DataCollatorForPreference):  # type: ignore[misc]
    """Pads rows; `known` holds reference log-probs, which go into the batch where a row has any.

    While no row has several rejected answers (`grouped`) batches are trl's, else those of
    `rectune.align.softmax_dpo`.
    """

    known: LogProbs = field(default_factory=dict)
    grouped: bool = False

    def torch_call(self, examples: list[Row]) -> dict[str, Any]:
        """The batch, chosen answers first."""
        known = [self.known.get(row["number"]) for row in examples]
        if not self.grouped:
            pairs = [row | {"rejected_ids": row["rejected_ids"][0]} for row in examples]
            named = [dict(zip(_REFERENCE, sums, strict=True)) if sums else {} for sums in known]
            return dict(super().torch_call([pair | sums for pair, sums in zip(pairs, named, strict=True)]))
        batch = stacked(examples, self.pad_token_id)
        batch["negatives"] = torch.tensor([len(row["rejected_ids"]) for row in examples])
        if all(known):
            chosen = [sums[0] for sums in known if sums]
            rejected = [value for sums in known if sums for value in sums[1:]]
            batch |= dict(zip(_REFERENCE, map(torch.tensor, (chosen, rejected)), strict=True))
        return dict(batch)


class ReferenceCachedDPOTrainer(DPOTrainer):  # type: ignore[misc]
    """Takes rows of `rectune.align.rows` as they are; its data collator is a `ReferenceCollator`.

    trl would tokenise texts itself, and parse special tokens in titles as control tokens. Its own
    precomputation of reference log-probs runs before DeepSpeed has partitioned the model and uses a cache
    file; here it runs when training begins, divided among the processes, and every process then has all
    values. trl has one rejected answer to a chosen one; where a row has several, the loss `sigmoid` is
    `softmax_dpo`, and `sft` is as in trl.
    """

    control: Any  # the trainer's flags, which callbacks set

    def __init__(self, *, precompute_ref_log_probs: bool, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.sharing = PromptSharing(self.model.get_base_model())
        self.precompute_ref_logps = precompute_ref_log_probs
        self.held_out_reference: LogProbs = {}
        rows = [*self.train_dataset, *(self.eval_dataset or ())]
        self.data_collator.grouped = have_several_negatives(rows)

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
        self.sharing.on = self.sharing.possible and self._shares(self.train_dataset[0])
        known = _read(file) if is_first() else {}
        known = gather_object([known])[0]
        if known.keys() != {row["number"] for row in rows}:
            known = self._sums(rows, reference=True)
            if is_first():
                write_atomically(file, json.dumps({str(number): sums for number, sums in known.items()}))
        wait_for_all()
        self.held_out_reference = {row["number"]: known[row["number"]] for row in held_out}
        if self.precompute_ref_logps:
            self.data_collator.known = known

    def evaluate(self, *_: Any, **__: Any) -> dict[str, Any]:
        """Figures on the held-out rows, however they are batched; see `held_out_figures`."""
        rows = list(self.eval_dataset)
        ours, sources = self._sums(rows, reference=False), {row["number"]: row["source"] for row in rows}
        found = held_out_figures(ours, self.held_out_reference, self.beta, sources)
        figures: dict[str, Any] = {f"eval_{name}": value for name, value in found.items()}
        figures["eval_kl"] = self._kl(rows[:KL_PAIRS])
        self.log({"eval_loss": figures["eval_loss"]})
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, figures)
        return figures

    def _compute_loss(self, model: Any, inputs: dict[str, Any], return_outputs: bool) -> Any:
        if not self.data_collator.grouped:
            return super()._compute_loss(model, inputs, return_outputs)
        negatives = inputs["negatives"].tolist()
        outputs = self._forward(model, inputs)
        log_probs: torch.Tensor = outputs.log_probs
        ours = answer_sums(log_probs, inputs["answer"], len(negatives) + sum(negatives)).float()
        if self.precompute_ref_logps:
            reference = torch.cat([inputs[name] for name in _REFERENCE])
        else:
            with self._as(reference=True), torch.no_grad():
                theirs = self._forward(model, inputs).log_probs
            reference = answer_sums(theirs, inputs["answer"], len(ours)).float()
        chosen, rejected = torch.split(ours - reference, [len(negatives), sum(negatives)])
        first = (inputs["answer"][:, 1:] >= 0) & (inputs["answer"][:, 1:] < len(negatives))
        losses = {
            "sigmoid": lambda: softmax_dpo(chosen, rejected, negatives, self.beta).mean(),
            "sft": lambda: -log_probs[first].mean(),
        }
        weighted = zip(self.loss_types, self.loss_weights, strict=True)
        loss = sum(weight * losses[name]() for name, weight in weighted)
        if self.aux_loss_enabled:  # of a mixture of experts, as in trl
            loss = loss + self.router_aux_loss_coef * outputs.aux_loss
        self._note(ours.detach(), chosen.detach(), rejected.detach(), inputs)
        return (loss, None) if return_outputs else loss

    def _forward(self, model: Any, inputs: Batch) -> Any:
        """Outputs whose `log_probs`, [rows, t - 1], are those of the answers' tokens, and 0 elsewhere."""
        given = {name: inputs[name] for name in _SEEN if name in inputs}
        routed = {"output_router_logits": True} if self.aux_loss_enabled else {}
        return model(**given, **routed, labels=labels_of(inputs), use_cache=False, fused_lm_head=True)

    def _note(self, ours: torch.Tensor, chosen: torch.Tensor, rejected: torch.Tensor, inputs: Batch) -> None:
        """Log what trl logs of a batch, over its pairs; means over the processes."""
        beside = chosen.repeat_interleave(inputs["negatives"])
        parts = (
            self.beta * chosen, self.beta * rejected, (beside > rejected).float(),
            self.beta * (beside - rejected), ours[: len(chosen)], ours[len(chosen) :],
        )  # fmt: skip
        means = self.accelerator.gather(torch.stack([part.mean() for part in parts])[None]).mean(0)
        noted = self._metrics["train" if self.model.training else "eval"]
        for name, value in zip(_LOGGED, means.tolist(), strict=True):
            noted[name].append(value)
        self._total_train_tokens += int(self.accelerator.gather(inputs["tokens"][None]).sum())
        noted["num_tokens"] = [self._total_train_tokens]

    def _shares(self, row: Row) -> bool:
        """Whether answers behind one prompt get the log-probs that each would have behind its own."""
        sums = []
        for on in (False, True):
            self.sharing.on = on
            sums.append(torch.tensor(self._sums([row], reference=True)[row["number"]]))
        exact = next(self.model.parameters()).dtype == torch.float32
        return bool((sums[0] - sums[1]).abs().max() <= (_SAME if exact else _SAME_16))

    def _sums(self, rows: Sequence[Row], *, reference: bool) -> LogProbs:
        """Log-probs of all answers of every row; a collective call, with the result in all processes."""
        self.model.eval()
        found: LogProbs = {}
        ordered = sorted(rows, key=lambda row: len(row["prompt_ids"]) + len(row["chosen_ids"]))
        for part in turns(ordered, self.args.per_device_train_batch_size):
            batch = self._prepare_inputs(self.data_collator(part))
            if not self.data_collator.grouped:
                batch["answer"] = _numbered(batch["completion_mask"])
            with self._as(reference), torch.no_grad(), self.compute_loss_context_manager():
                log_probs = self._forward(self.model, batch).log_probs
            counts = [len(row["rejected_ids"]) for row in part]
            sums = answer_sums(log_probs.double(), batch["answer"], len(part) + sum(counts)).tolist()
            after = len(part)
            for row, chosen, count in zip(part, sums, counts, strict=False):
                found[row["number"]] = (chosen, *sums[after : after + count])
                after += count
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


def _numbered(completion: torch.Tensor) -> torch.Tensor:
    """[answers, t] the number of the answer at each of its tokens, NO_ANSWER elsewhere."""
    numbers = torch.arange(len(completion), device=completion.device)[:, None].expand_as(completion)
    return numbers.masked_fill(completion == 0, NO_ANSWER)


def _divergence(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    """Sum over positions of KL(ours || theirs), nats; both [positions, vocabulary], unnormalised."""
    # In 32 bits a small divergence comes out negative.
    p, q = ours.double().log_softmax(-1), theirs.double().log_softmax(-1)
    return float((p.exp() * (p - q)).sum())


def _read(file: Path) -> LogProbs:
    if not file.exists():
        return {}
    found = json.loads(file.read_text(encoding="utf-8"))
    return {int(number): tuple(sums) for number, sums in found.items()}
