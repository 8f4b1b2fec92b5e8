"""Features of items and users beside their ids, as names: categories and facts, and what users state."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rectune.core.types import Item

FeatureKind = Literal["categories", "facts", "attributes"]
FEATURE_KINDS: tuple[FeatureKind, ...] = ("categories", "facts", "attributes")

_FEWEST = 2  # rows that share a feature: what only one has says no more than its id


def item_features(item: Item, kinds: Sequence[str]) -> list[str]:
    """The names of an item's features of these kinds, each once."""
    found = [f"category: {name}" for name in item.categories] if "categories" in kinds else []
    found += item.stated if "facts" in kinds else []
    return list(dict.fromkeys(found))


def user_features(attributes: str) -> list[str]:
    """The names of what a user states, of a JSON object; a number stands for its ten: `age: 40-49`."""
    return attribute_names(stated_attributes(attributes))


def stated_attributes(attributes: str) -> dict[str, object]:
    """What a user states, of a JSON object as text; nothing of none."""
    found: dict[str, object] = json.loads(attributes) if attributes else {}
    return found


def attribute_names(stated: Mapping[str, object]) -> list[str]:
    """The same of attributes by name; what is empty is not stated."""
    return [f"{name}: {_grouped(value)}" for name, value in stated.items() if value not in (None, "")]


def _grouped(value: object) -> str:
    number = re.fullmatch(r"(\d+)(?:\.\d+)?", str(value))
    if not number:
        return str(value)
    ten = int(number[1]) // 10 * 10
    return f"{ten}-{ten + 9}"


def shared(rows: Iterable[Sequence[str]]) -> dict[str, int]:
    """The features that at least two rows have, by name, numbered in the order of their names."""
    counts = Counter(name for row in rows for name in row)
    return {name: at for at, name in enumerate(sorted(n for n, count in counts.items() if count >= _FEWEST))}


def numbers_of(row: Sequence[str], known: Mapping[str, int]) -> NDArray[np.int64]:
    """The numbers of those features that are known."""
    return np.array([known[name] for name in row if name in known], np.int64)
