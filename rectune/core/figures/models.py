"""What the stages that make model files measure: `base` and `export`."""

from __future__ import annotations

from typing import ClassVar, Literal

from rectune.core.figures.record import Count, GgufFile, Interval, NonNegative, Record, Share, StageRecord

MergeForm = Literal["dequantised", "original"]  # of a base that was trained on in 4 bits


class BaseFigures(StageRecord):
    """The stage `base`."""

    stage: ClassVar[str] = "base"

    model: str
    """The model's name, with the revision after an @ where it has one."""
    kind: str
    """Where it is from: embedded, gguf, tiny, folder or hub."""
    digest: str
    """A hash of its files."""
    parameters: Count
    """Its parameters; tied weights count once."""
    checkpoint_bytes: Count
    """The size of the checkpoint folder, in bytes."""
    gguf: GgufFile
    """The GGUF file."""


class Divergence(Record):
    """How far one form of a model is from another over the same answers, in nats a token."""

    tokens: Count
    """Tokens compared; 0 where the forms split answers into other tokens."""
    mean_gap: NonNegative | None
    """The mean absolute difference of log-probabilities; None where it is no number, or tokens differ."""
    max_gap: NonNegative | None
    """The largest absolute difference of log-probabilities; None as for `mean_gap`."""
    kl: NonNegative | None
    """The mean Kullback-Leibler divergence over the vocabulary; None as for `mean_gap`."""


class MergeFigures(Record):
    """Which form of the base the adapter was merged into."""

    form: MergeForm
    """The form that was taken."""
    trained_on: MergeForm
    """The form that the adapter was trained on."""
    forms: dict[MergeForm, Divergence]
    """By form, how far the merged model is from the adapter model."""


class HitChange(Record):
    """What a quantisation costs on the test cases."""

    cases: Count
    """Test cases that were ranked; 0 where none was asked for."""
    hit: Share | None
    """Hit@1; None without cases."""
    change: float | None
    """Hit@1 less that of the F16 file, -1 to 1; None without cases."""
    interval: Interval | None
    """The 95 % interval of the change (Agresti and Min 2005); None without cases."""


class ExportedFile(HitChange, Divergence, GgufFile):
    """A GGUF file, how far it is from the merged checkpoint, and what its quantisation costs."""

    file: str
    """Its name in the stage's folder; empty where it was not kept."""


class AdapterFile(Record):
    """The adapter alone as a GGUF file, on the base's own GGUF file."""

    file: str
    """Its name in the stage's folder."""
    bytes: Count
    """Its size in bytes."""
    base: str
    """The quantisation of the base's file."""
    to_adapter_model: Divergence
    """How far the two are from the adapter model as it was trained."""
    to_original: Divergence
    """How far the two are from the adapter on the original base."""


class TokenParity(Record):
    """Whether GGUF file and checkpoint split texts into the same tokens."""

    texts: Count
    """Hard texts that were compared."""
    vocabulary: Count
    """Tokens whose own texts were compared."""
    differing: tuple[str, ...]
    """The first of the texts that are split otherwise."""
    differing_count: Count
    """How many texts are split otherwise."""
    control: Count
    """Special tokens that are not the same to both."""


class ParityFigures(TokenParity):
    """What the checks of the export came to."""

    failed: tuple[str, ...]
    """What the checks refuse, a line each."""
    passed: bool
    """Whether they refuse nothing."""


class ExportFigures(StageRecord):
    """The stage `export`; the same is in its parity.json."""

    stage: ClassVar[str] = "export"

    merge: MergeFigures
    """The merge."""
    files: tuple[ExportedFile, ...]
    """The GGUF files, the F16 file that the others are made from first."""
    adapter: AdapterFile | None
    """The adapter's own GGUF file; None where it was not asked for."""
    merged_bytes: Count
    """The size of the merged checkpoint, in bytes."""
    parity: ParityFigures
    """The checks."""
