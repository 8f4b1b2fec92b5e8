"""The frozen language model: what reads ids and vectors in one sequence, and whose weights never change."""

from __future__ import annotations

from functools import cached_property, lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from rectune.core.errors import UserError
from rectune.core.settings import ModelsConfig
from rectune.models.integrity_checks import frozen_digest
from rectune.models.prepare import WANTED, hub_folder
from rectune.models.reference import ModelReference, locate

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

ComputeType = Literal["auto", "native", "float32", "bfloat16", "float16"]

_ROWS = 4096  # of the input embeddings that are looked up at a time


class FrozenLanguageModel:
    """A causal language model of which nothing is trained, and its tokenizer.

    Args:
        model: its weights are frozen here.
        tokenizer: its own.
        name: of the model, for people and for checkpoints.
    """

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, name: str = "") -> None:
        self.model, self.tokenizer, self.name = model.eval().requires_grad_(False), tokenizer, name
        self._embed = model.get_input_embeddings()
        start: list[int] = tokenizer.encode("", add_special_tokens=True)
        self.start = tuple(start)

    @property
    def device(self) -> torch.device:
        """Where its input embeddings are."""
        found: torch.device = next(self._embed.parameters()).device
        return found

    @cached_property
    def width(self) -> int:
        """The length of an input embedding."""
        return int(self.embed(torch.zeros(1, dtype=torch.long)).shape[-1])

    @cached_property
    def norm(self) -> float:
        """The mean length (Euclidean norm) of its input embeddings."""
        rows = int(self._embed.weight.shape[0])
        parts = [torch.arange(at, min(at + _ROWS, rows)) for at in range(0, rows, _ROWS)]
        return float(torch.cat([self.embed(part).float().norm(dim=-1) for part in parts]).mean())

    def plain(self, text: str) -> tuple[int, ...]:
        """The ids of a text as plain text: control tokens in it are letters."""
        found: list[int] = self.tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True)
        return tuple(found)

    @torch.no_grad()
    def embed(self, ids: Tensor) -> Tensor:
        """[...] ids -> [..., width] their input embeddings."""
        found: Tensor = self._embed(ids.to(self.device))
        return found

    def last_states(self, inputs: Tensor, mask: Tensor, positions: Tensor) -> Tensor:
        """[rows, width of the model] the last layer's state at the last place, float32; gradients reach the
        inputs.

        Args:
            inputs, mask, positions: see `rectune.rankers.allmrec.soft_inputs.Padded`.
        """
        self.check_length(inputs.shape[1])
        states = self.model.base_model(
            inputs_embeds=inputs, attention_mask=mask, position_ids=positions, use_cache=False
        ).last_hidden_state
        found: Tensor = states[:, -1].float()
        return found

    @cached_property
    def state_width(self) -> int:
        """The length of what `last_states` gives."""
        return int(self.model.config.get_text_config().hidden_size)

    def check_length(self, tokens: int) -> None:
        """Refuse a sequence that the model has no positions for, or sees only in part.

        Raises:
            UserError: it is longer than the positions or the sliding window of the model.
        """
        config = self.model.config.get_text_config()
        most = getattr(config, "max_position_embeddings", None)
        window = getattr(config, "sliding_window", None) if _slides(config) else None
        limits = [limit for limit in (most, window) if limit]
        if limits and tokens > min(limits):
            raise UserError(
                f"a prompt has {tokens} tokens, {self.name or 'the model'} sees {min(limits)}",
                hint="show fewer candidates, or take a model that reads longer texts",
            )

    def digest(self) -> str:
        """A hash of the bytes of all weights and buffers, but for weights that are being trained."""
        return frozen_digest(self.model)


def _slides(config: object) -> bool:
    kinds = getattr(config, "layer_types", None)
    return "sliding_attention" in kinds if kinds else bool(getattr(config, "use_sliding_window", True))


@lru_cache(maxsize=1)
def open_language_model(
    reference: str, load_in_4bit: bool = False, compute_dtype: ComputeType = "auto", adapter: str = ""
) -> FrozenLanguageModel:
    """`load_language_model`; the last one opened is kept, so rankers share it, and nobody may change it."""
    return load_language_model(reference, load_in_4bit, compute_dtype, adapter)


def load_language_model(
    reference: str, load_in_4bit: bool = False, compute_dtype: ComputeType = "auto", adapter: str = ""
) -> FrozenLanguageModel:
    """The model that a reference names, frozen.

    Args:
        reference: as `models.base` of a recipe: `embedded`, `tiny`, a folder, a GGUF file, or a Hub id.
        load_in_4bit, compute_dtype: as in the section `models`; weights that are not quantised have this
            type too.
        adapter: the folder of a LoRA adapter that it bears; none without it.

    Raises:
        UserError: there is no such model, or it cannot be loaded.
    """
    from rectune.models.loading import load_for_training, load_tokenizer, open_adapter
    from rectune.models.prepare import make_checkpoint

    found = locate(reference)
    there = _hub_checkpoint(found) if found.kind == "hub" else found.path if found.kind == "folder" else None
    models = ModelsConfig(base=reference, load_in_4bit=load_in_4bit, compute_dtype=compute_dtype)
    with TemporaryDirectory() as place:
        folder = there or Path(place) / "checkpoint"
        if there is None:
            make_checkpoint(found, folder)
        tokenizer = load_tokenizer(folder)
        model = load_for_training(folder, models)
    if adapter:
        model = open_adapter(model, Path(adapter), trainable=False).get_base_model()
    if torch.cuda.is_available() and not load_in_4bit:
        model.to("cuda")
    return FrozenLanguageModel(model, tokenizer, found.name)


def _hub_checkpoint(reference: ModelReference) -> Path:
    """The files of a Hub model as they are: it need not be a chat model, and older ones are in .bin files."""
    folder = hub_folder(reference)
    return folder if any(folder.glob("*.safetensors")) else hub_folder(reference, (*WANTED, "*.bin"))
