"""When an item came out: the catalogue's year, or the one in brackets that its title ends with."""

from __future__ import annotations

import re

from rectune.core.types import Item
from rectune.prompts.titles import without_year

_YEAR = re.compile(r"\d{4}")


def year_of(item: Item) -> int | None:
    """The year of an item; of `Heat (1995)` the title's where the catalogue has none beside it."""
    if item.year is not None:
        return item.year
    title = item.title.rstrip()
    bare = without_year(title)
    found = _YEAR.search(title, len(bare)) if bare else None
    return int(found.group()) if found else None
