"""What the stage `export` measured, in words: one table and a few sentences, the same in report and card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_NONE = "–"


@dataclass(frozen=True)
class Exported:
    """`rows` run alongside `heads`; `failed` says what the checks refused, a line each. All of it is plain text."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    sentences: tuple[str, ...]
    failed: tuple[str, ...]


HEADS = (
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
NOTE = (
    "Gaps and KL are in nats a token, from the merged checkpoint; the change of Hit@1 is over the same test cases, "
    "with its 95 % interval."
)


def exported(figures: Mapping[str, Any]) -> Exported | None:
    """The words for what the stage returned; None where it measured nothing.

    A figure that an older run did not write is a dash.
    """
    if not figures.get("files"):
        return None
    sentences = (
        _merge(figures.get("merge") or {}),
        _adapter(figures.get("adapter") or {}),
        _tokens(figures.get("parity") or {}),
    )
    failed = tuple(str(line) for line in (figures.get("parity") or {}).get("failed") or ())
    rows = tuple(_row(file) for file in figures["files"])
    return Exported(HEADS, rows, tuple(filter(None, sentences)), failed)


def _row(file: Mapping[str, Any]) -> tuple[str, ...]:
    types = file.get("tensor_types") or {}
    return (
        str(file.get("quantisation") or _NONE),
        str(file.get("file") or "not kept"),
        f"{file['bytes'] / 1e6:.1f}" if file.get("bytes") else _NONE,
        ", ".join(f"{kind} {count}" for kind, count in types.items()) or _NONE,
        *(number(file.get(name)) for name in ("mean_gap", "max_gap", "kl")),
        f"{file['hit']:.3f} of {file['cases']}" if file.get("hit") is not None else _NONE,
        _change(file),
    )


def _change(file: Mapping[str, Any]) -> str:
    if not file.get("interval"):
        return _NONE
    low, high = file["interval"]
    return f"{file['change']:+.3f} [{low:+.3f}, {high:+.3f}]"


def number(value: Any) -> str:
    """Three significant digits; a dash for what is no number."""
    return f"{value:.3g}" if isinstance(value, (int, float)) else _NONE


def _merge(merge: Mapping[str, Any]) -> str:
    forms, taken = merge.get("forms") or {}, str(merge.get("form", ""))
    if taken not in forms:
        return ""
    said = [f"{form}: {number(f.get('mean_gap'))} and KL {number(f.get('kl'))}" for form, f in forms.items()]
    return (
        f"The adapter is merged into the {taken} base. Mean gap of the merged model from the adapter model, by form "
        f"of the base (nats a token): {'; '.join(said)}."
    )


def _adapter(adapter: Mapping[str, Any]) -> str:
    if not adapter:
        return ""
    return (
        f"{adapter.get('file')} on the base's {adapter.get('base')} file lies "
        f"{number(adapter['to_original'].get('mean_gap'))} nats a token from the adapter on the original base and "
        f"{number(adapter['to_adapter_model'].get('mean_gap'))} from the adapter model as it was trained."
    )


def _tokens(parity: Mapping[str, Any]) -> str:
    if "texts" not in parity:
        return ""
    return (
        f"Of {parity['texts']} hard texts and the own texts of {parity.get('vocabulary', 0)} tokens, "
        f"{parity.get('differing_count', 0)} are split into other tokens than the checkpoint's."
    )
