"""The one question that is asked where nothing is known: which kinds of things split the catalogue best."""

from __future__ import annotations

from rectune.dialogue.chat_catalogue import ChatCatalogue

_CHOICES = 3


def kinds_to_ask(catalogue: ChatCatalogue, without: frozenset[str] = frozenset()) -> list[str]:
    """At most three categories whose choice tells most: each splits what the others leave most evenly.

    The first is the category that most nearly half of the items have; each next one is that which parts most
    pairs of items that were not parted yet. None where the catalogue has fewer than two categories.

    Args:
        catalogue: what is talked about.
        without: ids that are ruled out and do not count.
    """
    allowed = frozenset(catalogue.items) - without
    kinds = {name: ids & allowed for name, ids in catalogue.terms.categories().items()}
    kinds = {name: ids for name, ids in kinds.items() if ids and len(ids) < len(allowed)}
    if len(kinds) < 2:
        return []
    groups, chosen = [allowed], list[str]()
    while len(chosen) < min(_CHOICES, len(kinds)):
        left = [name for name in kinds if name not in chosen]
        best = max(left, key=lambda name: (_parted(groups, kinds[name]), len(kinds[name]), name))
        chosen.append(best)
        groups = [part for group in groups for part in (group & kinds[best], group - kinds[best]) if part]
    return chosen


def _parted(groups: list[frozenset[str]], ids: frozenset[str]) -> int:
    """How many pairs of items a category parts."""
    return sum(len(group & ids) * len(group - ids) for group in groups)
