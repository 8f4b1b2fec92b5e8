"""A fitted ranker on disk: a folder with ranker.json, arrays.safetensors and items.parquet; no pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from rectune.core.artifacts import write_atomically
from rectune.core.errors import UserError

_VERSION = 1
_ABOUT, _ARRAYS, _ITEMS = "ranker.json", "arrays.safetensors", "items.parquet"

Arrays = Mapping[str, np.ndarray[Any, Any]]

_DTYPES = {"F32": "<f4", "F64": "<f8", "I32": "<i4", "I64": "<i8"}  # that are mapped


@dataclass(frozen=True)
class SavedRanker:
    """What a ranker is on disk.

    Attributes:
        name: the ranker's name, as in `rectune.rankers.base.RANKERS`.
        items: text columns, aligned by item; `item_id` is one of them.
        parameters: JSON values.
        arrays: by name.
    """

    name: str
    items: Mapping[str, Sequence[str]]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    arrays: Arrays = field(default_factory=dict)


def save_ranker(folder: Path, ranker: SavedRanker) -> None:
    """Write a ranker; ranker.json comes last, so that a folder which has it is complete."""
    import polars as pl
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    (folder / _ABOUT).unlink(missing_ok=True)
    items = {name: pl.Series(list(values), dtype=pl.String) for name, values in ranker.items.items()}
    pl.DataFrame(items).write_parquet(folder / _ITEMS)
    arrays = {name: np.ascontiguousarray(rows) for name, rows in ranker.arrays.items()}
    unfinished = folder / f"{_ARRAYS}.partial"
    save_file(arrays, unfinished)
    unfinished.replace(folder / _ARRAYS)  # what maps the old file keeps it
    about = {"version": _VERSION, "ranker": ranker.name, "parameters": dict(ranker.parameters)}
    write_atomically(folder / _ABOUT, json.dumps(about, ensure_ascii=False, indent=1))


def is_saved(folder: Path) -> bool:
    """Whether a folder has a ranker that was written whole; it may be damaged since."""
    return (folder / _ABOUT).is_file()


def load_saved(folder: Path, name: str = "", mapped: bool = False) -> SavedRanker:
    """Read what `save_ranker` wrote.

    Args:
        folder: the ranker's.
        name: the expected ranker; by default any.
        mapped: map the arrays into memory, read-only, in place of reading them.

    Raises:
        UserError: there is no ranker, it is another one, or it is damaged.
    """
    import polars as pl
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    hint = "fit the ranker and save it again"
    try:
        about = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
        version, found, parameters = about["version"], str(about["ranker"]), dict(about["parameters"])
        items = pl.read_parquet(folder / _ITEMS).to_dict(as_series=False)
        arrays = _map_file(folder / _ARRAYS) if mapped else load_file(folder / _ARRAYS)
    except FileNotFoundError as missing:
        raise UserError("holds no saved ranker", where=str(missing.filename or folder), hint=hint) from None
    except (OSError, ValueError, KeyError, TypeError, pl.exceptions.PolarsError, SafetensorError) as broken:
        raise UserError(f"a saved ranker is damaged: {broken}", where=str(folder), hint=hint) from None
    if "item_id" not in items:
        raise UserError("has no column item_id", where=str(folder / _ITEMS), hint=hint)
    if version != _VERSION:
        raise UserError(f"a saved ranker of version {version}, not {_VERSION}", where=str(folder), hint=hint)
    if name and found != name:
        raise UserError(
            f"holds the ranker {found}, not {name}", where=str(folder), hint=f"load {found} instead"
        )
    return SavedRanker(found, items, parameters, arrays)


def _map_file(file: Path) -> Arrays:
    """The arrays of a safetensors file, mapped into memory.

    The file is the length of its header in 8 bytes, the header in JSON, and the arrays; what the header says
    is checked against the file by `safe_open`.
    """
    from safetensors import safe_open

    with safe_open(file, framework="np"), file.open("rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        header: dict[str, Any] = json.loads(opened.read(length))
    header.pop("__metadata__", None)
    return {name: _map_array(file, 8 + length, about) for name, about in header.items()}


def _map_array(file: Path, start: int, about: Mapping[str, Any]) -> np.ndarray[Any, Any]:
    dtype, shape = np.dtype(_DTYPES[about["dtype"]]), tuple(about["shape"])
    if 0 in shape:  # nothing can be mapped
        return np.zeros(shape, dtype)
    return np.memmap(file, dtype, "r", start + about["data_offsets"][0], shape)
