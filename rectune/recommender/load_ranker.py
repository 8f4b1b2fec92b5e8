"""Rankers that are ready to score, fitted on a catalogue or read from the folder they were saved in."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from rectune.core.errors import UserError
from rectune.core.progress import say
from rectune.rankers.base import (
    INTERACTION_FREE,
    RANKERS,
    Ranker,
    fit_ranker,
    ranker_class,
    unknown_ids,
)
from rectune.rankers.domain_data import DomainData, TrainLikes
from rectune.rankers.saved import load_saved
from rectune.recommender.tables import items_of, likes_of, read_likes
from rectune.retrieval.embedding import EMBEDDED


def load_ranker(
    name: str | Path,
    items: Any = None,
    interactions: Any = None,
    *,
    positive_threshold: float | None = None,
    embedder: str = EMBEDDED,
    seed: int = 0,
) -> Ranker:
    """A ranker that is ready to score: fitted on a catalogue, or read from the folder that it was saved in.

    A ranker of `RANKERS` is made with the defaults of its class. For other arguments name `module:Class`, a
    class of your own that derives from it and whose constructor, without arguments, sets them; or give them
    to `rectune.rankers.base.fit_ranker`.

    Args:
        name: a name of `rectune.rankers.base.RANKERS` or `module:Class`; or, without items, a folder.
        items: the catalogue; see `read_catalogue`.
        interactions: for rankers that look at them; see `read_likes`.
        positive_threshold: from which value on an interaction counts as liked.
        embedder: of rankers that embed.
        seed: of rankers that draw.

    Raises:
        UserError: there is no such ranker, it needs interactions and there are none, or the items or
            interactions cannot be read.
    """
    if items is None:
        folder = Path(name)
        if str(name) in RANKERS and not folder.exists():
            raise UserError(
                f"{name} is fitted on items, and none are given", hint="give items; or the folder of a ranker"
            )
        return ranker_class(load_saved(folder).name).load(folder)
    catalogue = items_of(items)
    ids = [item.item_id for item in catalogue]
    likes = None
    if interactions is not None:
        likes = likes_of(read_likes(interactions, ids, positive_threshold), ids)
    domain = catalogue[0].domain if catalogue else "other"
    return fit_by_name(
        str(name), DomainData(domain, catalogue, (lambda: likes) if likes else None, embedder, seed), likes
    )


def fit_by_name(name: str, data: DomainData, likes: TrainLikes | None) -> Ranker:
    """The ranker of this name; refuses to fit one on interactions that are not there."""
    if likes is None and ranker_class(name).learns_from_likes and name in RANKERS:
        raise UserError(
            f"the ranker {name} needs interactions",
            hint=f"give them, with Recommender.fit for instance; without: {', '.join(INTERACTION_FREE)}",
        )
    return fit_ranker(name, data)


def check_fitted_on(ranker: Ranker | None, items: Collection[str]) -> None:
    """Refuse a ranker of items that are not among these ids; how many of them it does not rank is said.

    Raises:
        UserError: it was fitted on others, or on none.
    """
    if ranker is None:
        return
    if not len(ranker.item_ids):
        raise UserError(
            f"the ranker {ranker.name} is not fitted", hint="fit it: ranker.fit(rectune.DomainData(…))"
        )
    if strange := unknown_ids(items, ranker.item_ids):
        raise UserError(
            f"the ranker was fitted on {len(strange):,} items that the catalogue lacks: "
            + ", ".join(strange[:5]),
            hint="fit it on this catalogue",
        )
    if new := len(items) - len(set(ranker.item_ids)):
        say(f"the ranker was not fitted on {new:,} of {len(items):,} items, which are not ranked")
