"""The one face of everything that ranks, and the table of what there is."""

from __future__ import annotations

import difflib
import importlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rectune.core.errors import UserError

if TYPE_CHECKING:
    from rectune.rankers.domain_data import DomainData

Scores = NDArray[np.float64]


class Ranker(Protocol):
    """Scores candidates for users of one domain by what they took before."""

    @property
    def name(self) -> str:
        """How reports call it."""
        ...

    def score(self, histories: Sequence[Sequence[str]], candidates: Sequence[Sequence[str]]) -> list[Scores]:
        """Score each case's candidates.

        Args:
            histories: n lists of item ids, each oldest first; a list may be empty.
            candidates: n lists of item ids, each of its own length.

        Returns:
            n arrays; the i-th is [len(candidates[i])] float64, higher is better, in the order of the
            candidates.
        """
        ...


# Name -> the class, whose `of(domain_data)` makes the ranker of one domain. Nothing is imported before it is asked for.
RANKERS: dict[str, str] = {
    "random": "rectune.rankers.baselines:Random",
    "popularity": "rectune.rankers.baselines:Popularity",
    "bm25": "rectune.rankers.baselines:Bm25",
    "embedding_mean": "rectune.rankers.baselines:EmbeddingMean",
    "embedding_best": "rectune.rankers.baselines:EmbeddingBest",
    "hybrid": "rectune.rankers.baselines:Hybrid",
    "item_knn": "rectune.rankers.baselines:ItemKnn",
}

# Those that look at nobody's interactions but the history they are given.
INTERACTION_FREE = ("random", "bm25", "embedding_mean", "embedding_best", "hybrid")


def open_ranker(name: str, domain_data: DomainData) -> Ranker:
    """The ranker of this name for the domain of `domain_data`.

    Args:
        name: one of `RANKERS`, or `module:Class` of one's own.
        domain_data: what it is made from.

    Raises:
        UserError: there is none of this name, or its module cannot be imported.
    """
    ranker: Ranker = _maker(name)(domain_data)
    return ranker


def _maker(name: str) -> Callable[[DomainData], Any]:
    place = RANKERS.get(name, name)
    module, colon, inside = place.partition(":")
    if not colon:
        near = difflib.get_close_matches(name, RANKERS, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise UserError(
            f"there is no ranker {name}",
            where="evaluate.systems",
            hint=f"{hint}there are: {', '.join(RANKERS)}; or module:Class of your own",
        )
    try:
        found: Callable[[DomainData], Any] = getattr(_imported(module), inside).of
    except (ImportError, AttributeError) as missing:
        raise UserError(
            f"the ranker {place} cannot be had ({missing})",
            where="evaluate.systems",
            hint="name module:Class, where Class.of(domain_data) makes the ranker of a domain",
        ) from None
    return found


def _imported(module: str) -> ModuleType:
    """Modules of one's own may lie in the folder where the command is typed; it comes last, and hides nothing."""
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.append(here)
    return importlib.import_module(module)
