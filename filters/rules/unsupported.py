"""The rule against what stands nowhere: not in the facts of the item, the history or the query."""

from __future__ import annotations

import typing
from collections.abc import Iterable
from functools import lru_cache

from rectune.core.text.support import Support, support
from rectune.core.types import Item
from rectune.filters.rules.base import ResponseBatch, Rule
from rectune.filters.title_masking import mask
from rectune.prompts.answers import reasons

if typing.TYPE_CHECKING:
    from rectune.filters.rules.base import Column, Mask


class Unsupported(Rule):
    """The share of the content words of the reasons that no source has; see `rectune.core.text.support`.

    None where nothing is known of the target in the script of the reasons.
    """

    name, reason, counts = "unsupported", "says what stands nowhere", "share of content words without source"

    def figures(self, batch: ResponseBatch) -> Column:
        import numpy as np

        rows = zip(batch.responses, batch.titles, batch.queries, batch.facts, batch.known, strict=True)
        return np.array([support_of(*row).share for row in rows], dtype=np.float64)

    def drops(self, figures: Column, batch: ResponseBatch) -> Mask:
        import numpy as np

        most = self.config.rules.unsupported
        return figures > np.array([getattr(most, locale) for locale in batch.locales], dtype=np.float64)


def support_of(text: str, titles: Iterable[str], query: str, facts: str, known: Iterable[str]) -> Support:
    """What of an answer's reasons stands nowhere.

    Args:
        text: an answer; what stands before its closing words is judged, without titles and the whole query.
        titles: those that it may name.
        query: of its prompt, if any.
        facts: what is known of the item that is recommended, without its title.
        known: what else is known: its title, and the items of the history.
    """
    masked = mask(reasons(text), [*titles, *([query] if query else [])])
    return support(masked, facts, [*known, query])


@lru_cache(maxsize=100_000)
def facts_of(item: Item) -> str:
    """What is known of an item, without its title."""
    return "\n".join([*item.categories, item.description, str(item.year or ""), *item.facts]).strip()
