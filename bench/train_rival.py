"""A bare trl SFTTrainer for `bench.train`: `python -m bench.train_rival FOLDER [--packing] [--float32]`.

The settings are the stage's, the rows its token ids; nothing of rectune's training is in the way.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from bench.train_stage import accelerator_memory, watch

Rows = list[dict[str, list[int]]]


def rows_of(setting: dict[str, Any]) -> Rows:
    """The examples as token ids and labels."""
    from rectune.core.rows import read_rows
    from rectune.core.types import Example
    from rectune.models.chat_tokenization import prompt_ids, response_ids
    from rectune.models.loading import load_tokenizer

    tokenizer = load_tokenizer(Path(setting["checkpoint"]))
    rows: Rows = []
    for example in read_rows(Path(setting["examples"]), Example):
        prompt, response = prompt_ids(tokenizer, example.prompt), response_ids(tokenizer, example.response)
        if len(prompt) + len(response) <= setting["max_length"]:
            rows.append({"input_ids": prompt + response, "labels": [-100] * len(prompt) + response})
    return rows


def build(setting: dict[str, Any], rows: Rows, folder: Path, packing: bool) -> Any:
    """The trainer, as trl's documentation has it."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig
    from trl import SFTConfig, SFTTrainer

    on_gpu = torch.cuda.is_available()
    kind = torch.bfloat16 if on_gpu else torch.float32
    nf4 = {"bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True, "bnb_4bit_compute_dtype": kind}
    model = AutoModelForCausalLM.from_pretrained(
        setting["checkpoint"], dtype=kind, quantization_config=BitsAndBytesConfig(load_in_4bit=True, **nf4)
    )
    rank = setting["r"]
    lora = LoraConfig(
        r=rank, lora_alpha=2 * rank, lora_dropout=0.05, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    arguments = SFTConfig(
        output_dir=str(folder / "rival"),
        num_train_epochs=1,
        learning_rate=2e-4,
        lr_scheduler_type="cosine",
        warmup_steps=0.05,
        per_device_train_batch_size=setting["packed"] if packing else setting["batch"],
        gradient_checkpointing=setting["checkpointing"],
        logging_steps=1,
        save_strategy="steps",
        save_steps=setting["steps_between_saves"],
        max_length=setting["max_length"],
        packing=packing,
        bf16=on_gpu,
        use_cpu=not on_gpu,
        report_to="none",
        disable_tqdm=True,
        seed=0,
    )
    return SFTTrainer(
        model=model,
        args=arguments,
        train_dataset=Dataset.from_list(rows),
        processing_class=AutoTokenizer.from_pretrained(setting["checkpoint"]),
        peft_config=lora,
    )


def main(folder: Path, *, packing: bool, float32: bool) -> None:
    """Train, and write `result.json`."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the stage has it
    setting = json.loads((folder / "setting.json").read_text(encoding="utf-8"))
    rows = rows_of(setting)
    trainer = build(setting, rows, folder, packing)
    if float32:
        for value in trainer.model.parameters():
            if value.requires_grad:
                value.data = value.data.float()
    taken = watch(type(trainer))
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    result = taken | {"tokens": sum(len(row["input_ids"]) for row in rows), "loss": losses[-1]}
    result |= accelerator_memory()
    (folder / "result.json").write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), packing="--packing" in sys.argv, float32="--float32" in sys.argv)
