"""Which form of the base the adapter is merged into, decided by what the merged models compute."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rectune.core.artifacts import write_atomically
from rectune.core.figures.models import Divergence, MergeFigures, MergeForm
from rectune.core.figures.read_records import read_record
from rectune.core.progress import say
from rectune.models.loading import trained_in_4bit
from rectune.models.logprob_parity import AnswerLogprobs
from rectune.models.merge import merge_adapter
from rectune.release.parity import compared
from rectune.release.parity_texts import Conversation
from rectune.release.token_logprobs import rows_of_adapter, rows_of_checkpoint

_NOTE = "merge.json"


@dataclass(frozen=True)
class MergeWorkspace:
    """Where an export works: what it starts from, what is compared, and a folder for what is in between."""

    base: Path
    adapter: Path
    out: Path
    conversations: Sequence[Conversation]

    @property
    def scratch(self) -> Path:
        """What does not outlive the export."""
        return self.out / "scratch"

    @property
    def forms(self) -> tuple[MergeForm, ...]:
        """The forms of the base that differ."""
        return ("dequantised", "original") if trained_in_4bit(self.adapter) else ("original",)

    def rows(self, name: str, make: Callable[[], AnswerLogprobs]) -> AnswerLogprobs:
        """Rows of one form of the model; made once, so that no two forms need be in memory at a time."""
        file = self.scratch / f"{name}.npz"
        if not file.is_file():
            make().save(file)
        return AnswerLogprobs.load(file)

    def adapter_rows(self) -> AnswerLogprobs:
        """Rows of the model that was trained."""
        return self.rows(
            "adapter",
            lambda: rows_of_adapter(self.base / "checkpoint", self.adapter, self.conversations),
        )

    def merged_rows(self, form: MergeForm) -> AnswerLogprobs:
        """Rows of a merged model, which is made for it if it has to be."""
        return self.rows(form, lambda: rows_of_checkpoint(self.merged(form), self.conversations))

    def merged(self, form: MergeForm) -> Path:
        """A merged model in the scratch folder."""
        folder = self.scratch / f"merged-{form}"
        if not folder.exists():
            say(f"merging the adapter into the {form} base")
            merge_adapter(self.base / "checkpoint", self.adapter, folder, form)
        return folder


def merge_best(bench: MergeWorkspace, wanted: str) -> MergeFigures:
    """Write `merged/`: with `auto` the form whose distributions lie closer to the adapter model's, for which
    both are measured; a form that is named is measured alone. Where the base was not quantised there is but
    one.
    """
    note, kept = bench.out / _NOTE, bench.out / "merged"
    if not note.is_file():
        trained = bench.adapter_rows()
        able = [form for form in bench.forms if form == wanted] or bench.forms
        forms = {form: compared(trained, bench.merged_rows(form)) for form in able}
        best = min(forms, key=lambda form: _distance(forms[form]))
        made = MergeFigures(form=best, trained_on=bench.forms[0], forms=forms)
        write_atomically(note, made.to_json())
    found = read_record(MergeFigures, "export", note)
    if not kept.exists():
        bench.merged(found.form).rename(kept)
    for form in bench.forms:
        shutil.rmtree(bench.scratch / f"merged-{form}", ignore_errors=True)
    return found


def _distance(figures: Divergence) -> float:
    return float("inf") if figures.kl is None else figures.kl
