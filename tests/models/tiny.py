"""The tiny model as a checkpoint folder, made once a test process."""

from __future__ import annotations

import shutil
import tempfile
from atexit import register
from functools import lru_cache
from pathlib import Path

from models.prepare import make_checkpoint
from models.reference import locate


@lru_cache(maxsize=1)
def tiny_checkpoint() -> Path:
    """A folder that nobody may write to."""
    folder = Path(tempfile.mkdtemp(prefix="rectune-tiny-"))
    register(shutil.rmtree, folder, ignore_errors=True)
    make_checkpoint(locate("tiny"), folder / "checkpoint")
    return folder / "checkpoint"
