"""The figures of the stage `export` as a table and a few sentences, the same in report and card."""

from __future__ import annotations

from rectune.core.figures.models import AdapterFile, ExportedFile, ExportFigures, MergeFigures, ParityFigures
from rectune.core.text.figures import with_ends
from rectune.core.text.markdown import escaped, joined
from rectune.core.text.tables import NONE, Cell, Table

_HEADS = (
    "quantisation",
    "file",
    "MB",
    "tensors by type",
    "mean gap",
    "largest gap",
    "KL",
    "Hit@1",
    "change to F16",
)
_NOTE = (
    "Gaps and KL are in nats a token, from the merged checkpoint; the change of Hit@1 is over the same "
    "test cases, with its 95 % interval."
)


def export_summary(figures: ExportFigures) -> str:
    """The stage's figures as Markdown without a heading.

    A table of the files, what the checks refused, and a few sentences. A figure that was not measured is a
    dash.
    """
    sentences = (
        _merge(figures.merge),
        _adapter(figures.adapter) if figures.adapter else "",
        _tokens(figures.parity),
    )
    return joined(
        Table(_HEADS, [_row(file) for file in figures.files], note=_NOTE, align="llrlr").to_markdown(),
        *(f"**Not equal:** {escaped(line)}" for line in figures.parity.failed),
        *map(escaped, sentences),
    )


def _row(file: ExportedFile) -> tuple[Cell, ...]:
    return (
        file.quantisation,
        file.file or "not kept",
        f"{file.bytes / 1e6:.1f}",
        ", ".join(f"{kind} {count}" for kind, count in file.tensor_types.items()),
        *map(_number, (file.mean_gap, file.max_gap, file.kl)),
        f"{file.hit:.3f} of {file.cases}" if file.hit is not None else None,
        with_ends(file.change, file.interval, signed=True),
    )


def _number(value: float | None) -> str:
    """Three significant digits; a dash for what is no number."""
    return NONE if value is None else f"{value:.3g}"


def _merge(merge: MergeFigures) -> str:
    said = [f"{form}: {_number(one.mean_gap)} and KL {_number(one.kl)}" for form, one in merge.forms.items()]
    return (
        f"The adapter is merged into the {merge.form} base. Mean gap of the merged model from the adapter "
        f"model, by form of the base (nats a token): {'; '.join(said)}."
    )


def _adapter(adapter: AdapterFile) -> str:
    return (
        f"{adapter.file} on the base's {adapter.base} file lies {_number(adapter.to_original.mean_gap)} "
        "nats a token from the adapter on the original base and "
        f"{_number(adapter.to_adapter_model.mean_gap)} from the adapter model as it was trained."
    )


def _tokens(parity: ParityFigures) -> str:
    return (
        f"Of {parity.texts} hard texts and the own texts of {parity.vocabulary} tokens, "
        f"{parity.differing_count} are split into other tokens than the checkpoint's."
    )
