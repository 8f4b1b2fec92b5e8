"""The figures of the stage `export` as a table and a few sentences, the same in report and card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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


def export_summary(figures: Mapping[str, Any]) -> str:
    """The stage's figures as Markdown without a heading; empty where it measured nothing.

    A table of the files, what the checks refused, and a few sentences. A figure that was not measured is a
    dash.
    """
    if not figures.get("files"):
        return ""
    refused = (figures.get("parity") or {}).get("failed") or ()
    sentences = (
        _merge(figures.get("merge") or {}),
        _adapter(figures.get("adapter") or {}),
        _tokens(figures.get("parity") or {}),
    )
    return joined(
        Table(_HEADS, [_row(file) for file in figures["files"]], note=_NOTE, align="llrlr").to_markdown(),
        *(f"**Not equal:** {escaped(line)}" for line in refused),
        *map(escaped, sentences),
    )


def _row(file: Mapping[str, Any]) -> tuple[Cell, ...]:
    types = file.get("tensor_types") or {}
    return (
        file.get("quantisation"),
        str(file.get("file") or "not kept"),
        f"{file['bytes'] / 1e6:.1f}" if file.get("bytes") else None,
        ", ".join(f"{kind} {count}" for kind, count in types.items()) or None,
        *(_number(file.get(name)) for name in ("mean_gap", "max_gap", "kl")),
        f"{file['hit']:.3f} of {file['cases']}" if file.get("hit") is not None else None,
        _change(file),
    )


def _change(file: Mapping[str, Any]) -> str:
    if not file.get("interval"):
        return NONE
    low, high = file["interval"]
    return f"{file['change']:+.3f} [{low:+.3f}, {high:+.3f}]"


def _number(value: Any) -> str:
    """Three significant digits; a dash for what is no number."""
    return f"{value:.3g}" if isinstance(value, (int, float)) else NONE


def _merge(merge: Mapping[str, Any]) -> str:
    forms, taken = merge.get("forms") or {}, str(merge.get("form", ""))
    if taken not in forms:
        return ""
    said = [
        f"{form}: {_number(f.get('mean_gap'))} and KL {_number(f.get('kl'))}" for form, f in forms.items()
    ]
    return (
        f"The adapter is merged into the {taken} base. Mean gap of the merged model from the adapter model, "
        f"by form of the base (nats a token): {'; '.join(said)}."
    )


def _adapter(adapter: Mapping[str, Any]) -> str:
    if not adapter:
        return ""
    return (
        f"{adapter.get('file')} on the base's {adapter.get('base')} file lies "
        f"{_number(adapter['to_original'].get('mean_gap'))} nats a token from the adapter on the original "
        f"base and {_number(adapter['to_adapter_model'].get('mean_gap'))} from the adapter model as it was "
        "trained."
    )


def _tokens(parity: Mapping[str, Any]) -> str:
    if "texts" not in parity:
        return ""
    return (
        f"Of {parity['texts']} hard texts and the own texts of {parity.get('vocabulary', 0)} tokens, "
        f"{parity.get('differing_count', 0)} are split into other tokens than the checkpoint's."
    )
