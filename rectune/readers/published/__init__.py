"""The formats of published datasets, and which of their files hold items."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rectune.core.errors import UserError
from rectune.readers.drops import Drops

# Name of a format -> names of the files of items that are read, the first that fits, and the function that
# reads them.
_FILES: dict[str, tuple[tuple[str, str], ...]] = {
    "mind": ((r"news.*\.tsv", "mind:items"),),
    "amazon": ((r"meta_.*\.jsonl?", "amazon:items"),),
    "amazon_music": ((r"meta_.*\.jsonl?", "amazon:items"),),
    "yelp": ((r".*business.*\.json", "yelp:items"),),
    "anime": ((r"(?:pre_merged_)?anime.*\.csv", "anime:items"),),
    "books": ((r"BX[-_]Books\.csv", "books:items_original"), (r".*books.*\.csv", "books:items")),
    "movielens": (
        (r".*movies.*\.csv", "movielens:items"),
        (r".*movies.*\.dat", "movielens:items_dat"),
        (r"u\.item", "movielens:items_100k"),
    ),
    "movies_dataset": ((r".*movies_metadata.*\.csv", "movies_dataset:items"),),
    "steam": ((r".*steam_games.*\.json", "steam:items"), (r".*steam-200k.*\.csv", "steam:items_200k")),
}
PUBLISHED = tuple(_FILES)


def published_items(name: str, path: Path, drops: Drops) -> Iterator[dict[str, Any]]:
    """The items of a published dataset, with the fields of `rectune.readers.raw.item_columns`.

    Args:
        name: one of `PUBLISHED`.
        path: the file of items, plain or gzipped, under the name that it was published with (or another one,
            if the format has one such file only); or a folder of such files.

    Raises:
        UserError: there is no such file, or what its reader raises.
    """
    found = [(file, function) for file in _candidates(path) if (function := _function(name, file.name))]
    if not found and path.is_file() and len(_FILES[name]) == 1:
        found = [(path, _FILES[name][0][1])]
    if not found:
        wanted = " or ".join(pattern.replace("\\", "") for pattern, _ in _FILES[name])
        raise UserError(
            f"holds no items in the format {name}", where=str(path), hint=f"give a file named like {wanted}"
        )
    for file, function in found:
        module, _, attribute = function.partition(":")
        yield from getattr(importlib.import_module(f"{__name__}.{module}"), attribute)(file, drops)


def _candidates(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(file for file in path.rglob("*") if file.is_file())
    return [path]


def _function(name: str, file: str) -> str:
    bare = file.removesuffix(".gz")
    return next((does for pattern, does in _FILES[name] if re.fullmatch(pattern, bare, re.IGNORECASE)), "")
