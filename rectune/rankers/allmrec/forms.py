"""The rankers of A-LLMRec's stage 2 as a recipe wants them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from rectune.core.figures.allmrec import SoftTraining
from rectune.core.settings import AllmrecConfig
from rectune.core.settings.allmrec import AllmrecForm
from rectune.core.types import content_id
from rectune.models.distributed import process_count
from rectune.models.training.loss_spike_guard import LossSpikeGuard
from rectune.rankers.allmrec.items_ranker import AllmrecItems
from rectune.rankers.allmrec.language_model import FrozenLanguageModel
from rectune.rankers.allmrec.list_ranker import AllmRecList
from rectune.rankers.allmrec.llmsrec import LlmSRec
from rectune.rankers.allmrec.ranker import AllmRec
from rectune.rankers.allmrec.soft_ranker import SoftRanker
from rectune.rankers.fit_cache import FitCache, FittedData

_FORMS: dict[AllmrecForm, type[SoftRanker]] = {
    "llmsrec": LlmSRec,
    "allmrec": AllmRec,
    "allmrec_list": AllmRecList,
}


@dataclass(frozen=True)
class SoftForms:
    """Makes the rankers of a recipe.

    Attributes:
        settings: of the recipe.
        inputs: base and sft, where these make the language model.
        note: a file for what a loss spiked on.
        cache: has what earlier runs trained.
    """

    settings: AllmrecConfig
    inputs: Mapping[str, Path]
    note: Path
    cache: FitCache

    def trained(self, form: AllmrecForm, items: AllmrecItems, data: FittedData) -> SoftRanker:
        """A ranker beside a stage 1 that was trained on the same data, now or in an earlier run."""
        ranker = _FORMS[form](**self.parameters(form))
        made_of = content_id(
            items.joint.digest() if items.joint else "",
            data.identity(AllmrecItems.name),
            ranker.model_digest(),
            ranker.parameters,
        )

        def make(checkpoint: Path) -> SoftRanker:
            ranker.checkpoint, ranker.save_seconds = checkpoint, self.settings.save_seconds
            ranker.guard = LossSpikeGuard(self.settings.max_loss_ratio, (), self.note, "allmrec")
            return ranker.fit_beside(items, data.data)

        return cast(SoftRanker, self.cache.kept(made_of, make, _FORMS[form]))

    def open_language_model(self) -> FrozenLanguageModel:
        """The frozen language model, which all rankers share."""
        form = self.settings.forms[0]
        return _FORMS[form](**self.parameters(form)).new_language_model()

    def parameters(self, form: AllmrecForm) -> dict[str, Any]:
        """The arguments of a form's constructor."""
        given = self.settings
        shared = {
            **self._language_model(),
            "recommender": given.recommender,
            "cases": given.cases,
            "learning_rate": given.learning_rate,
            "batch_size": given.per_device_train_batch_size[form] * process_count(),
            "epochs": given.num_train_epochs,
            "patience": given.early_stopping_patience,
            "load_in_4bit": given.load_in_4bit,
            "compute_dtype": given.compute_dtype,
            "locale": given.locale,
            "seed": given.seed,
        }
        if form == "llmsrec":
            own = {
                "negatives": given.negatives,
                "distillation": given.distillation,
                "spread": given.uniformity,
            }
        else:
            own = {
                "shown": given.num_candidates,
                "normalised": given.normalised,
                "wish_share": given.wish_share,
            }
        return shared | own

    def _language_model(self) -> dict[str, str]:
        if self.settings.model not in ("base", "sft"):
            return {"model": self.settings.model}
        found = {"model": str(self.inputs["base"] / "checkpoint")}
        return found | ({"adapter": str(self.inputs["sft"] / "adapter")} if "sft" in self.inputs else {})


def training_figures(ranker: SoftRanker) -> SoftTraining:
    """What the training of a ranker came to."""
    record = ranker.record
    held_out = record.held_out
    return SoftTraining(
        cases=record.cases,
        held_out_cases=record.held_out_cases,
        steps=record.steps,
        epochs=len(record.train),
        best_epoch=record.best,
        loss_before=held_out[0] if held_out else None,
        loss=held_out[record.best] if held_out else None,
        seconds=record.seconds,
        changed=dict(record.parts),
        model_digest=record.digest,
        items_digest=record.items_digest,
    )
