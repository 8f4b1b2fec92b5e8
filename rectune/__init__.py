"""rectune: raw logs and catalogues in, a recommender out that names only things that exist.

The names below are the public interface; each is imported when it is first used, so that `import rectune` is
quick and needs no optional package.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from rectune.core.errors import MissingExtra as MissingExtra
    from rectune.core.errors import RectuneError as RectuneError
    from rectune.core.errors import UserError as UserError
    from rectune.core.types import Item as Item
    from rectune.filters.responses import filter_responses as filter_responses
    from rectune.filters.score import response_score as response_score
    from rectune.inference.engine import Engine as Engine
    from rectune.pipeline.run import run_recipe as run_recipe
    from rectune.rankers.base import Ranker as Ranker
    from rectune.rankers.base import ScoredItem as ScoredItem
    from rectune.rankers.domain_data import DomainData as DomainData
    from rectune.readers.catalogue import CatalogueOptions as CatalogueOptions
    from rectune.recommender.load_ranker import load_ranker as load_ranker
    from rectune.recommender.recommender import Recommender as Recommender
    from rectune.recommender.results import Recommendations as Recommendations
    from rectune.recommender.results import RecommendedItem as RecommendedItem
    from rectune.recommender.tables import read_catalogue as read_catalogue
    from rectune.retrieval.search import CatalogueIndex as CatalogueIndex

_PLACES = {
    "CatalogueIndex": "rectune.retrieval.search",
    "CatalogueOptions": "rectune.readers.catalogue",
    "DomainData": "rectune.rankers.domain_data",
    "Engine": "rectune.inference.engine",
    "Item": "rectune.core.types",
    "MissingExtra": "rectune.core.errors",
    "Ranker": "rectune.rankers.base",
    "RecommendedItem": "rectune.recommender.results",
    "Recommendations": "rectune.recommender.results",
    "Recommender": "rectune.recommender.recommender",
    "RectuneError": "rectune.core.errors",
    "ScoredItem": "rectune.rankers.base",
    "UserError": "rectune.core.errors",
    "filter_responses": "rectune.filters.responses",
    "load_ranker": "rectune.recommender.load_ranker",
    "read_catalogue": "rectune.recommender.tables",
    "response_score": "rectune.filters.score",
    "run_recipe": "rectune.pipeline.run",
}

__all__ = ["__version__", *_PLACES]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_PLACES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_PLACES])
