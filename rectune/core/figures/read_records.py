"""Reading the records of finished stages: what is missing, unknown or of another type is an error."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from rectune.core.artifacts import MANIFEST, read_manifest
from rectune.core.errors import UserError
from rectune.core.figures.record import Record, StageRecord

T = TypeVar("T")
S = TypeVar("S", bound=StageRecord)
R = TypeVar("R", bound=Record)

_SHOWN = 5  # faults that are named


def read_figures(kind: type[S], folder: Path) -> S:
    """A record that a finished stage left in its folder: in its manifest, or in a file.

    Raises:
        UserError: the stage has not finished, the file is missing or damaged, or a figure is missing, unknown
            or of another type; the first are named.
    """
    path = folder / kind.file
    if kind.file == MANIFEST:
        manifest = read_manifest(folder)
        return checked(kind, kind.stage, path, manifest.get("figures"))
    return _checked(TypeAdapter(kind), kind.stage, path, _text(kind.stage, path))


def read_listed(kind: type[S], folder: Path) -> tuple[S, ...]:
    """The records that a finished stage listed in a file; raises as `read_figures`."""
    path = folder / kind.file
    rows: TypeAdapter[tuple[S, ...]] = TypeAdapter(tuple[kind, ...])  # type: ignore[valid-type]
    return _checked(rows, kind.stage, path, _text(kind.stage, path))


def read_record(kind: type[R], stage: str, path: Path) -> R:
    """A record in any JSON file that `stage` made; raises as `read_figures`."""
    return _checked(TypeAdapter(kind), stage, path, _text(stage, path))


def checked(kind: type[R], stage: str, path: Path, found: Any) -> R:
    """Plain JSON values as a record.

    Args:
        kind: the record.
        stage: who made it, for people.
        path: where it lies, for people.
        found: what it is made of.

    Raises:
        UserError: as `read_figures`.
    """
    import json

    return _checked(TypeAdapter(kind), stage, path, json.dumps(found))


def _text(stage: str, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise UserError(
            f"the stage {stage} left no such file that can be read ({type(problem).__name__})",
            where=str(path),
            hint=remake_hint(stage),
        ) from None


def _checked(kind: TypeAdapter[T], stage: str, path: Path, text: str) -> T:
    try:
        return kind.validate_json(text)
    except ValidationError as invalid:
        raise UserError(_faults(stage, invalid.errors()), where=str(path), hint=remake_hint(stage)) from None


def remake_hint(stage: str) -> str:
    """What to do about figures of another version."""
    return f"make the stage again with this version of rectune: rectune run RECIPE --from {stage}"


def _faults(stage: str, found: Iterable[ErrorDetails]) -> str:
    faults = [_fault(error) for error in found]
    more = [f"and {len(faults) - _SHOWN} more"] if len(faults) > _SHOWN else []
    return f"figures of the stage {stage}: {'; '.join([*faults[:_SHOWN], *more])}"


def _fault(error: ErrorDetails) -> str:
    name = ".".join(map(str, error["loc"])) or "the whole"
    if error["type"] == "missing":
        return f"{name} is missing"
    if error["type"] == "extra_forbidden":
        return f"{name} is not known"
    said = error["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return f"{name} is {str(error['input'])[:60]!r}: {said}"
