"""The tiny language model, frozen, and a space of items and users that is given and not trained."""

from __future__ import annotations

import shutil
import tempfile
from atexit import register
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from rectune.rankers.allmrec.language_model import FrozenLanguageModel, open_language_model
from rectune.rankers.allmrec.projections import Projections
from rectune.rankers.allmrec.prompt import PromptWriter
from rectune.rankers.allmrec.soft_inputs import SoftInputs
from rectune.rankers.allmrec.train_cases import TrainCase, TrainCases
from tests.models.tiny import tiny_checkpoint

ITEMS = tuple(f"i{n}" for n in range(24))
TASTES = 2
USER_DIM, ITEM_DIM = 3, 4


@lru_cache(maxsize=1)
def tiny_model() -> FrozenLanguageModel:
    """In float32; nobody may change it."""
    return open_language_model(str(tiny_checkpoint()), compute_dtype="float32")


@lru_cache(maxsize=1)
def sharp_checkpoint() -> Path:
    """The tiny checkpoint with weights eight times as large: what it is given makes a difference."""
    return _changed("sharp", lambda name, value: value * 8 if value.dim() > 1 else value)


@lru_cache(maxsize=1)
def copying_checkpoint() -> Path:
    """A model that says what it has read: every place adds the mean of what is before it, half of the
    features of each token, and nothing else is done; the more often a word was there, the likelier it is.
    """

    def value_of(name: str, value: Tensor) -> Tensor:
        made = torch.zeros_like(value)
        if name == "model.layers.0.self_attn.v_proj.weight":
            made[:] = torch.eye(*value.shape)
        elif name == "model.layers.0.self_attn.o_proj.weight":
            own, heads = torch.arange(16), 4  # of which two share a half each
            for half in range(heads // 2):
                made[half * 16 + own, half * 32 + own] = 20.0
        return made if "proj" in name else value

    return _changed("copying", value_of)


def _changed(name: str, change: Callable[[str, Tensor], Tensor]) -> Path:
    folder = Path(tempfile.mkdtemp(prefix=f"rectune-{name}-"))
    register(shutil.rmtree, folder, ignore_errors=True)
    for file in tiny_checkpoint().iterdir():
        shutil.copy(file, folder)
    weights = load_file(folder / "model.safetensors")
    save_file(
        {key: change(key, value) for key, value in weights.items()},
        folder / "model.safetensors",
        {"format": "pt"},
    )
    return folder


def titles(words: Sequence[str] = ("Moon", "Galaxy", "Bread", "Rocket")) -> dict[str, str]:
    """Titles that say nothing of tastes."""
    return {item: f"{words[n % len(words)]} {n}" for n, item in enumerate(ITEMS)}


class GivenSpace:
    """Even items are of one taste, odd ones of the other; a user is of the taste of the last item."""

    item_ids = ITEMS

    def vectors(self, item_ids, by="joint") -> np.ndarray:
        rng = np.random.default_rng(0)
        own = dict(zip(ITEMS, rng.normal(size=(len(ITEMS), ITEM_DIM - TASTES)), strict=True))
        rows = [np.append(np.eye(TASTES)[int(item[1:]) % TASTES], own[item]) for item in item_ids]
        return np.array(rows, np.float32).reshape(len(rows), ITEM_DIM)

    def user_states(self, histories) -> np.ndarray:
        rows = [[*np.eye(TASTES)[int(row[-1][1:]) % TASTES], 1.0] if row else [0.0] * 3 for row in histories]
        return np.array(rows, np.float32).reshape(len(rows), USER_DIM)


def soft_parts(seed: int = 0) -> tuple[PromptWriter, SoftInputs]:
    """A writer of prompts, and new projections between the given space and the tiny model."""
    model, space = tiny_model(), GivenSpace()
    projections = Projections(USER_DIM, ITEM_DIM, model.width, model.norm, seed)
    return PromptWriter(model, titles(), "movies"), SoftInputs(model, space, projections)


def cases(count: int, held_out: int = 6) -> TrainCases:
    """Users who like what is of the taste of their history."""
    rng = np.random.default_rng(1)
    found, liked = [], []
    for user in range(count + held_out):
        own = [ITEMS[at] for at in rng.permutation(len(ITEMS)) if at % TASTES == user % TASTES]
        found.append(TrainCase(tuple(own[:3]), own[3], user))
        liked.append(frozenset(int(item[1:]) for item in ITEMS if int(item[1:]) % TASTES == user % TASTES))
    return TrainCases(ITEMS, tuple(found[:count]), tuple(found[count:]), liked)
