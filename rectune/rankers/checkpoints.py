"""The state of a training on disk, from which it goes on after an interruption."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from rectune.core.progress import say


def save_state(checkpoint: Path, state: Mapping[str, Any]) -> None:
    """Write the state whole or not at all; the folder is created."""
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    partial = checkpoint.with_suffix(".partial")
    torch.save(dict(state), partial)
    partial.replace(checkpoint)


def load_state(checkpoint: Path, device: torch.device, name: str) -> dict[str, Any] | None:
    """What `save_state` wrote: tensors and plain values only, the tensors on `device`.

    None where there is nothing, and where the file is damaged, which progress says of `name`.
    """
    try:
        state: dict[str, Any] = torch.load(checkpoint, map_location=device, weights_only=True)
    except FileNotFoundError:
        return None
    except Exception as broken:  # whatever torch makes of a damaged file
        say(f"  {name}: begins anew, its checkpoint is damaged ({type(broken).__name__})")
        return None
    return state
