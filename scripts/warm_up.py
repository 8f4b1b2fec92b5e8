"""Imports what the stages import, so that set-up compiles it to byte code while llama.cpp is compiled.

What is not installed is passed over: `rectune doctor` says what is missing.
"""

from __future__ import annotations

import contextlib
import importlib
import os

MODULES = """numpy scipy.sparse implicit polars pyarrow.parquet pydantic ruamel.yaml typer rich.progress
torch transformers transformers.models.llama.modeling_llama transformers.models.auto.modeling_auto
sentence_transformers lancedb kiwipiepy numba rensa rapidfuzz ftfy openai trl peft bitsandbytes datasets
accelerate deepspeed matplotlib.pyplot matplotlib.font_manager trl.trainer.sft_trainer trl.trainer.dpo_trainer
torch.utils.tensorboard textual.app torch.distributed.run torch._dynamo""".split()

if __name__ == "__main__":
    os.environ.setdefault("DS_ACCELERATOR", "cpu")
    for name in MODULES:
        with contextlib.suppress(Exception):
            importlib.import_module(name)
