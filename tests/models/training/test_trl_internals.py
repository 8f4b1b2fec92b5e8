"""The private parts of trl that are replaced: trl still calls each of them; one that is gone is refused."""

import importlib.util
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from datasets import Dataset
from transformers import Trainer
from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer
from trl.trainer import utils

from rectune.align import dpo_trainer as align_trainer
from rectune.align.dpo_trainer import ReferenceCachedDPOTrainer, ReferenceCollator
from rectune.core.errors import UserError
from rectune.core.settings import LoraSection, ModelsConfig
from rectune.models.loading import add_lora, load_for_training
from rectune.models.training.fit import score_labels_only
from rectune.models.training.trl_internals import require
from rectune.train import sft_trainer as train_trainer
from tests.models.tiny import tiny_checkpoint, tiny_tokenizer

ROWS = [
    {"number": n, "prompt_ids": [5, 6, 7 + n], "chosen_ids": [8, 9], "rejected_ids": [[10, 11]]}
    for n in range(2)
]
REFERENCE = ("ref_chosen_logps", "ref_rejected_logps")


def arguments(kind: Any, folder: Path) -> Any:
    return kind(
        output_dir=str(folder),
        report_to="none",
        use_cpu=True,
        bf16=False,
        max_length=None,
        remove_unused_columns=False,
        per_device_train_batch_size=2,
        max_steps=1,
        save_strategy="no",
    )


def tiny_model() -> Any:
    return add_lora(
        load_for_training(tiny_checkpoint(), ModelsConfig(base="tiny")),
        LoraSection(r=4, lora_dropout=0.0),
        seed=0,
    )


@pytest.fixture
def aligner(tmp_path: Path) -> ReferenceCachedDPOTrainer:
    return ReferenceCachedDPOTrainer(
        precompute_ref_log_probs=True,
        model=tiny_model(),
        args=arguments(DPOConfig, tmp_path),
        data_collator=ReferenceCollator(pad_token_id=0),
        train_dataset=Dataset.from_list(ROWS),
        processing_class=tiny_tokenizer(),
    )


def test_trl_takes_dpo_rows_as_they_are(aligner: ReferenceCachedDPOTrainer) -> None:
    # Without our `_prepare_dataset` trl looks for the texts of these rows, and there are none.
    assert list(aligner.train_dataset) == ROWS


def test_trl_gets_reference_sums_unrounded(
    aligner: ReferenceCachedDPOTrainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rounded(self: Trainer, inputs: dict[str, Any]) -> dict[str, Any]:
        return {
            name: value.bfloat16() if value.is_floating_point() else value for name, value in inputs.items()
        }

    monkeypatch.setattr(Trainer, "_prepare_inputs", rounded)  # as it does under DeepSpeed
    seen: list[dict[str, Any]] = []
    loss = aligner.compute_loss
    monkeypatch.setattr(
        aligner,
        "compute_loss",
        lambda model, inputs, **more: seen.append(inputs) or loss(model, inputs, **more),
    )
    aligner.data_collator.known = {n: (-200.123 - n, -199.877 + n) for n in range(2)}
    aligner.train()
    chosen, rejected = (seen[0][name] for name in REFERENCE)
    assert chosen.dtype == torch.float32
    assert sorted(chosen.tolist()) == pytest.approx([-201.123, -200.123], abs=1e-4)
    assert sorted(rejected.tolist()) == pytest.approx([-199.877, -198.877], abs=1e-4)


def test_trl_projects_only_what_has_a_label(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(utils, "_use_triton", utils._use_triton)  # put back afterwards
    score_labels_only()
    ours, asked = utils._use_triton, list[bool]()
    monkeypatch.setattr(utils, "_use_triton", lambda device: asked.append(ours(device)) or asked[-1])
    rows = Dataset.from_list([{"input_ids": [5, 6, 7, 8], "labels": [-100, -100, 7, 8]}])
    trainer = SFTTrainer(
        model=tiny_model(),
        args=arguments(SFTConfig, tmp_path),
        train_dataset=rows,
        processing_class=tiny_tokenizer(),
    )
    trainer.train()
    assert asked and all(asked)


@pytest.mark.parametrize(
    ("owner", "name", "module"),
    [
        (DPOTrainer, "_prepare_dataset", align_trainer),
        (DPOTrainer, "_compute_loss", align_trainer),
        (Trainer, "_prepare_inputs", align_trainer),
        (Trainer, "_prepare_inputs", train_trainer),
    ],
)
def test_a_trainer_whose_part_of_trl_is_gone_cannot_be_imported(
    monkeypatch: pytest.MonkeyPatch, owner: type, name: str, module: Any
) -> None:
    monkeypatch.delattr(owner, name)
    spec = importlib.util.spec_from_file_location("fresh", module.__file__)
    assert spec and spec.loader
    with pytest.raises(UserError, match=rf"has no {name}, which rectune replaces"):
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


def test_training_refuses_a_trl_that_decides_otherwise_what_is_projected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(utils, "_use_triton")
    with pytest.raises(UserError, match="_use_triton") as caught:
        score_labels_only()
    assert "pip install 'trl==1.16.*'" in str(caught.value)


def test_only_what_is_gone_is_named() -> None:
    require(SimpleNamespace(kept=1), "kept")
    with pytest.raises(UserError, match="has no gone, away,"):
        require(SimpleNamespace(kept=1), "gone", "kept", "away")
