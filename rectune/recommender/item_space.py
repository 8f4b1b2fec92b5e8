"""Where the items of a catalogue lie: by who liked them, by their words, or by categories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rectune.core.item_values import categories_of
from rectune.core.types import Item
from rectune.rankers.chosen import ChosenRanker
from rectune.rankers.fusion import Hybrid
from rectune.rankers.new_items import NewItems
from rectune.rankers.svd import right_vectors

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from rectune.rankers.base import Ranker
    from rectune.rankers.co_likes import CoLikes

Floats = NDArray[np.float64]

_FACTORS = 32
_FEW = 10.0  # likes up to which an item's place says little of it
_PEOPLE = 20_000  # whose likes are looked at, at most


@dataclass(frozen=True)
class ItemSpace:
    """The items as vectors; near ones tell much of each other.

    Attributes:
        item_ids: of the catalogue, in its order.
        vectors: [items, d] of length 1 at most; 0 of what nothing is known of.
        likes: [people, items] 1.0 where a person liked an item; None where that is not known.
    """

    item_ids: tuple[str, ...]
    vectors: Floats
    likes: csr_array | None = None


def space_of_likes(likes: CoLikes, item_ids: Sequence[str]) -> ItemSpace:
    """By who liked what: items that the same people like lie side by side.

    The vectors are the truncated singular value decomposition of the likes, each item's divided by the root
    of their number and ten: the fewer likes, the shorter.
    """
    from scipy.sparse import csr_array

    own = likes.of_items(item_ids)
    step = 1 + int(own.users.max(initial=0)) // _PEOPLE  # who is looked at: every so manieth
    taken = own.users % step == 0
    people, columns = own.users[taken] // step, np.repeat(np.arange(len(item_ids)), own.counts)[taken]
    shape = (int(people.max(initial=-1)) + 1, len(item_ids))
    some = csr_array((np.ones(len(people)), (people, columns)), shape=shape)
    scale = 1 / np.sqrt(np.asarray(some.sum(axis=0)) + _FEW)
    scaled = csr_array(some * scale[None, :])
    directions = right_vectors(scaled, _FACTORS).astype(np.float64)
    lengths = np.linalg.norm(scaled @ directions, axis=0)
    return ItemSpace(tuple(item_ids), directions * lengths, some)


def space_of_items(items: Sequence[Item], ranker: Ranker | None) -> ItemSpace:
    """By what the catalogue says: the vectors of the ranker's embedder, else categories.

    Args:
        items: of the catalogue.
        ranker: of these items; its vectors are taken where it has any.
    """
    ids = tuple(item.item_id for item in items)
    vectors = _vectors_of(ranker)
    if vectors is None:
        vectors = _by_categories(items)
    return ItemSpace(ids, _main_directions(vectors))


def _vectors_of(ranker: Ranker | None) -> Floats | None:
    """[items, d] those of an embedder; None where the ranker has none, or the embedder reads few titles."""
    if isinstance(ranker, ChosenRanker):
        found = (_vectors_of(one) for one in ranker.rankers.values())
        return next((one for one in found if one is not None), None)
    if isinstance(ranker, NewItems):
        ranker = ranker.content
    vectors = ranker.vectors() if isinstance(ranker, Hybrid) else None
    return None if vectors is None else vectors.astype(np.float64)


def _by_categories(items: Sequence[Item]) -> Floats:
    """[items, categories] unit rows: rare categories count more (their inverse frequency)."""
    named = [sorted(categories_of(item)) for item in items]
    column = {name: at for at, name in enumerate(sorted({name for names in named for name in names}))}
    found = np.zeros((len(items), max(1, len(column))))
    for row, names in enumerate(named):
        found[row, [column[name] for name in names]] = 1
    rarity: Floats = np.log((1 + len(items)) / (1 + found.sum(axis=0)))
    return found * rarity


def _main_directions(vectors: Floats) -> Floats:
    """[items, 32 at most] seen from their middle, in the directions in which they differ most; unit rows."""
    there = np.asarray(vectors.any(axis=1))
    centred = np.where(there[:, None], vectors - vectors[there].mean(axis=0), 0.0) if there.any() else vectors
    values, directions = np.linalg.eigh(centred.T @ centred)
    found: Floats = centred @ directions[:, np.argsort(-values)[:_FACTORS]]
    lengths = np.linalg.norm(found, axis=1, keepdims=True)
    unit: Floats = np.divide(found, lengths, out=np.zeros_like(found), where=lengths > 1e-9)
    return unit
