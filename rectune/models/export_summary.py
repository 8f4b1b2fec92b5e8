"""The figures of the stage `export` as a table and a few sentences, the same in report and card."""

from __future__ import annotations

from rectune.core.figures.models import AdapterFile, ExportedFile, ExportFigures, MergeFigures, ParityFigures
from rectune.core.text.figures import with_ends
from rectune.core.text.markdown import escaped, joined
from rectune.core.text.tables import NONE, Cell, Table
from rectune.core.text.translation import ENGLISH, Translation

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


def export_summary(figures: ExportFigures, tr: Translation = ENGLISH) -> str:
    """The stage's figures as Markdown without a heading.

    A table of the files, what the checks refused, and a few sentences. A figure that was not measured is a
    dash.
    """
    sentences = (
        _merge(figures.merge, tr),
        _adapter(figures.adapter, tr) if figures.adapter else "",
        _tokens(figures.parity, tr),
    )
    rows = [_row(file, tr) for file in figures.files]
    return joined(
        Table(tr.each(*_HEADS), rows, note=tr(_NOTE), align="llrlr").to_markdown(),
        *(tr("**Not equal:** {fault}", fault=escaped(tr.stored(line))) for line in figures.parity.failed),
        *map(escaped, sentences),
    )


def _row(file: ExportedFile, tr: Translation) -> tuple[Cell, ...]:
    return (
        file.quantisation,
        file.file or tr("not kept"),
        f"{file.bytes / 1e6:.1f}",
        ", ".join(f"{kind} {count}" for kind, count in file.tensor_types.items()),
        *map(_number, (file.mean_gap, file.max_gap, file.kl)),
        tr("{share} of {n}", share=f"{file.hit:.3f}", n=file.cases) if file.hit is not None else None,
        with_ends(file.change, file.interval, signed=True),
    )


def _number(value: float | None) -> str:
    """Three significant digits; a dash for what is no number."""
    return NONE if value is None else f"{value:.3g}"


def _merge(merge: MergeFigures, tr: Translation) -> str:
    gaps = [
        tr("{form}: {gap} and KL {kl}", form=tr.stored(form), gap=_number(one.mean_gap), kl=_number(one.kl))
        for form, one in merge.forms.items()
    ]
    return tr(
        "The adapter is merged into the {form} base. Mean gap of the merged model from the adapter model, by "
        "form of the base (nats a token): {gaps}.",
        form=tr.stored(merge.form),
        gaps="; ".join(gaps),
    )


def _adapter(adapter: AdapterFile, tr: Translation) -> str:
    return tr(
        "{file} on the base's {base} file lies {original} nats a token from the adapter on the original base "
        "and {trained} from the adapter model as it was trained.",
        file=adapter.file,
        base=adapter.base,
        original=_number(adapter.to_original.mean_gap),
        trained=_number(adapter.to_adapter_model.mean_gap),
    )


def _tokens(parity: ParityFigures, tr: Translation) -> str:
    return tr(
        "Of {texts} hard texts and the own texts of {vocabulary} tokens, {differing} are split into other "
        "tokens than the checkpoint's.",
        texts=parity.texts,
        vocabulary=parity.vocabulary,
        differing=parity.differing_count,
    )
