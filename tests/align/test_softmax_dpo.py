"""Several rejected answers at once: the loss by hand, trl's with one, prompts shared by answers."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from trl import DPOConfig

from rectune.align.dpo_trainer import ReferenceCachedDPOTrainer, ReferenceCollator
from rectune.align.held_out_figures import held_out_figures
from rectune.align.rows import Row
from rectune.align.softmax_dpo import answer_sums, softmax_dpo, stacked
from rectune.core.settings import LoraSection, ModelsConfig
from rectune.models.loading import add_lora, load_for_training
from tests.models.tiny import tiny_checkpoint, tiny_tokenizer

ONE: Row = {
    "number": 0,
    "source": "tags",
    "prompt_ids": [5, 6, 7],
    "chosen_ids": [8, 9],
    "rejected_ids": [[10]],
}
MANY: Row = {
    "number": 1,
    "source": "ranking",
    "prompt_ids": [5, 6],
    "chosen_ids": [8],
    "rejected_ids": [[9, 10], [11]],
}


def test_the_loss_is_the_one_of_the_paper_by_hand() -> None:
    # beta 0.5: gaps 0.5 * (1 - 2) = -0.5 and 0.5 * (-1 - 2) = -1.5; ln(1 + e^-0.5 + e^-1.5) = 0.604134...
    found = softmax_dpo(torch.tensor([2.0]), torch.tensor([1.0, -1.0]), [2], 0.5)
    assert found.tolist() == pytest.approx([math.log(1 + math.exp(-0.5) + math.exp(-1.5))])
    assert found.item() == pytest.approx(0.6041, abs=1e-4)


def test_with_one_negative_it_is_dpo_and_at_equal_margins_ln_of_all_answers() -> None:
    chosen, rejected = torch.tensor([2.0, -1.0]), torch.tensor([1.0, 0.5])
    dpo = -torch.nn.functional.logsigmoid(0.3 * (chosen - rejected))
    assert softmax_dpo(chosen, rejected, [1, 1], 0.3).tolist() == pytest.approx(dpo.tolist())
    assert softmax_dpo(torch.zeros(1), torch.zeros(3), [3], 0.1).item() == pytest.approx(math.log(4))


def test_the_hardest_negative_is_pushed_down_most() -> None:
    rejected = torch.tensor([1.0, -3.0], requires_grad=True)
    softmax_dpo(torch.zeros(1), rejected, [2], 1.0).sum().backward()
    near, far = rejected.grad.tolist()
    assert near > 10 * far > 0


def test_chosen_answers_come_first_then_the_rejected_ones_row_by_row() -> None:
    batch = stacked([ONE, MANY], 0)
    assert batch["input_ids"].tolist() == [
        [5, 6, 7, 8, 9],
        [5, 6, 8, 0, 0],
        [5, 6, 7, 10, 0],
        [5, 6, 9, 10, 0],
        [5, 6, 11, 0, 0],
    ]
    assert batch["answer"].max(1).values.tolist() == [0, 1, 2, 3, 4]
    ones = torch.ones(5, 4)
    assert answer_sums(ones, batch["answer"], 5).tolist() == [2.0, 1.0, 1.0, 2.0, 1.0]


def aligner(folder: Path, rows: list[Row], **arguments: Any) -> ReferenceCachedDPOTrainer:
    model = add_lora(
        load_for_training(tiny_checkpoint(), ModelsConfig(base="tiny", load_in_4bit=False)),
        LoraSection(r=4, lora_dropout=0.0),
        seed=0,
    )
    torch.manual_seed(3)
    for name, value in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(value, std=0.2)
    settings = DPOConfig(
        output_dir=str(folder),
        report_to="none",
        use_cpu=True,
        bf16=False,
        max_length=None,
        remove_unused_columns=False,
        per_device_train_batch_size=2,
        save_strategy="no",
        beta=0.7,
        loss_type=["sigmoid", "sft"],
        loss_weights=[1.0, 0.3],
        **arguments,
    )
    return ReferenceCachedDPOTrainer(
        precompute_ref_log_probs=True,
        model=model,
        args=settings,
        data_collator=ReferenceCollator(pad_token_id=0),
        train_dataset=Dataset.from_list(rows),
        processing_class=tiny_tokenizer(),
    )


@pytest.mark.parametrize("share", [False, True])
def test_our_loss_with_one_negative_is_that_of_trl(tmp_path: Path, share: bool) -> None:
    rows = [ONE, ONE | {"number": 1, "prompt_ids": [4, 3], "rejected_ids": [[12, 13, 14]]}]
    trainer = aligner(tmp_path, rows)
    trainer.data_collator.known = {0: (-15.0, -11.0), 1: (-20.0, -30.0)}
    losses, logged = [], []
    for grouped in (False, True):
        trainer.data_collator.grouped, trainer.sharing.on = grouped, share
        batch = trainer._prepare_inputs(trainer.data_collator(rows))
        losses.append(trainer._compute_loss(trainer.model, batch, False).item())
        kept = trainer._metrics["train"]
        logged.append({name: kept[name][-1] for name in kept if name.startswith(("rewards", "logps"))})
        kept.clear()
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)
    assert logged[0] == pytest.approx(logged[1], abs=1e-4) and len(logged[0]) == 6


def test_a_shared_prompt_gives_every_answer_the_log_prob_that_it_has_alone(tmp_path: Path) -> None:
    trainer = aligner(tmp_path, [MANY, ONE])
    assert trainer.data_collator.grouped
    found = []
    for share in (False, True):
        trainer.sharing.on = share
        found.append(trainer._sums([ONE, MANY], reference=False))
    assert found[0].keys() == found[1].keys() == {0, 1}
    for number in (0, 1):
        assert found[0][number] == pytest.approx(found[1][number], abs=1e-4)
    assert len(found[0][1]) == 3
    alone = aligner(tmp_path, [ONE])
    assert not alone.data_collator.grouped
    assert alone._sums([ONE], reference=False)[0] == pytest.approx(found[1][0], abs=1e-4)


def test_held_out_figures_count_every_pair_and_keep_sources_apart() -> None:
    reference = {0: (-3.0, -3.0), 1: (-2.0, -2.0, -4.0)}
    ours = {0: (-2.0, -3.0), 1: (-2.0, -1.0, -6.0)}
    found = held_out_figures(ours, reference, 1.0, {0: "tags", 1: "ranking"})
    # margins: 1 for the tagged pair; -1 and 2 for the two of the ranked case
    assert found["pairs"] == 3 and found["accuracy"] == pytest.approx(2 / 3)
    assert found["right"] == pytest.approx(2 / 3) and found["margin"] == pytest.approx(2 / 3)
    tags, ranking = found["sources"]["tags"], found["sources"]["ranking"]
    assert tags["loss"] == pytest.approx(math.log(1 + math.exp(-1)))
    assert ranking["loss"] == pytest.approx(math.log(1 + math.exp(1) + math.exp(-2)))
    assert found["loss"] == pytest.approx((tags["loss"] + ranking["loss"]) / 2)
    assert (ranking["pairs"], ranking["chosen_logps"], ranking["rejected_logps"]) == (2, -2.0, -3.5)
    alone = held_out_figures({0: ours[0]}, reference, 1.0, {0: "tags"})
    assert "sources" not in alone
