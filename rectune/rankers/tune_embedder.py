"""Tuning a sentence embedder on pairs of items that the same users promote, and mixing it back."""

from __future__ import annotations

import tempfile
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rectune.core.extras import needs_extra
from rectune.core.text.plain import encodable
from rectune.rankers.embedder_guard import Embed
from rectune.retrieval.embedding import Vectors

if typing.TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer


@dataclass(frozen=True)
class TuningOptions:
    """How an embedder is trained; the names are those of transformers' TrainingArguments."""

    num_train_epochs: int = 1
    per_device_train_batch_size: int = 32
    learning_rate: float = 2e-5
    seed: int = 7


@needs_extra("tuning an embedder")
def train_on_pairs(
    model: SentenceTransformer, pairs: Sequence[tuple[str, str]], options: TuningOptions
) -> None:
    """Train a model in place, so that the texts of each pair come nearer to each other than to other texts.

    The loss is multiple negatives ranking (Henderson et al. 2017, "Efficient natural language response
    suggestion for Smart Reply", 4.4): in a batch the other pairs' texts are the negatives. No text is twice
    in a batch.
    """
    import torch
    from datasets import Dataset
    from sentence_transformers import (
        SentenceTransformerTrainer,
        SentenceTransformerTrainingArguments,
        losses,
    )
    from sentence_transformers.training_args import BatchSamplers
    from transformers import PrinterCallback

    columns = {
        "anchor": [encodable(one) for one, _ in pairs],
        "positive": [encodable(two) for _, two in pairs],
    }
    with tempfile.TemporaryDirectory() as unused:
        arguments = SentenceTransformerTrainingArguments(
            output_dir=unused,
            num_train_epochs=options.num_train_epochs,
            per_device_train_batch_size=options.per_device_train_batch_size,
            learning_rate=options.learning_rate,
            seed=options.seed,
            warmup_steps=0.1,
            batch_sampler=BatchSamplers.NO_DUPLICATES,
            save_strategy="no",
            logging_strategy="no",
            report_to="none",
            disable_tqdm=True,
            dataloader_pin_memory=torch.cuda.is_available(),
        )
        loss = losses.MultipleNegativesRankingLoss(model)
        trainer = SentenceTransformerTrainer(
            model=model, args=arguments, train_dataset=Dataset.from_dict(columns), loss=loss
        )
        trainer.remove_callback(PrinterCallback)  # it prints to standard output
        trainer.train()
    model.eval()


def weights_of(model: SentenceTransformer) -> dict[str, torch.Tensor]:
    """A copy of its weights."""
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def set_mixture(
    model: SentenceTransformer,
    untuned: Mapping[str, torch.Tensor],
    tuned: Mapping[str, torch.Tensor],
    share: float,
) -> None:
    """Give a model the weights share * tuned + (1 - share) * untuned.

    Weights are mixed in place of vectors (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models"):
    what comes out is one model of the same size, and costs no second pass.
    """
    mixed = {
        name: value + share * (tuned[name] - value) if value.is_floating_point() else value
        for name, value in untuned.items()
    }
    model.load_state_dict(mixed)


def embed_by(model: SentenceTransformer) -> Embed:
    """What embeds texts with the weights that a model has when it is asked."""

    def embed(texts: Sequence[str]) -> Vectors:
        found: Any = model.encode(
            [encodable(text) for text in texts],
            batch_size=32,
            normalize_embeddings=True,
            show_progress_bar=False,
        )
        return typing.cast(Vectors, found)

    return embed
