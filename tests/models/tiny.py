"""The tiny model as a checkpoint folder, made once a test process."""

from __future__ import annotations

import shutil
import tempfile
from atexit import register
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from rectune.models.loading import load_tokenizer
from rectune.models.prepare import make_checkpoint
from rectune.models.reference import locate

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@lru_cache(maxsize=1)
def tiny_checkpoint() -> Path:
    """A folder that nobody may write to."""
    folder = Path(tempfile.mkdtemp(prefix="rectune-tiny-"))
    register(shutil.rmtree, folder, ignore_errors=True)
    make_checkpoint(locate("tiny"), folder / "checkpoint")
    return folder / "checkpoint"


@lru_cache(maxsize=1)
def tiny_tokenizer() -> PreTrainedTokenizerBase:
    """Its tokenizer, which is the embedded model's; nobody may change it."""
    return load_tokenizer(tiny_checkpoint())
