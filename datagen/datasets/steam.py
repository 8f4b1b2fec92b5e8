"""Steam (UCSD): games and the libraries of Australian players, as Python literals a line. No times."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from datagen.datasets.lines import columns, number, records, text, texts
from datagen.datasets.raw import Drops, Raw, interaction_frame, item_frame, no_users
from datagen.datasets.text import clean_text, json_object

_CATEGORIES = 6  # genres, then the tags that players gave most often
_YEAR = re.compile(r"\b(?:19|20)\d\d\b")


def read(files: Sequence[Sequence[Path]]) -> Raw:
    """Read steam_games.json and australian_users_items.json; the value of an interaction is hours played."""
    import polars as pl

    (games,), (libraries,) = files
    drops = Drops()
    items = item_frame(_items(games, drops))
    schema = {"user_id": pl.String(), "item_id": pl.String(), "value": pl.Float32()}
    played = columns(_plays(libraries, drops), schema)
    return Raw(items, interaction_frame(played, "play"), no_users(), drops)


def _items(path: Path, drops: Drops) -> Iterator[dict[str, Any]]:
    for record in records(path, drops):
        genres, tags = texts(record.get("genres")), texts(record.get("tags"))
        developer, publisher = (clean_text(text(record.get(key))) for key in ("developer", "publisher"))
        year = _YEAR.search(text(record.get("release_date")) or "")
        yield {
            "item_id": text(record.get("id")),
            "title": text(record.get("title") or record.get("app_name")),
            "categories": list(dict.fromkeys(clean_text(name) for name in genres + tags))[:_CATEGORIES],
            "description": f"by {developer}" if developer else "",
            "year": int(year.group()) if year else None,
            "extra": json_object(developer=developer, publisher=publisher, price=number(record.get("price"))),
            "marks": [developer or None, year.group() if year else None],
        }


def _plays(path: Path, drops: Drops) -> Iterator[tuple[str | None, str | None, float | None]]:
    """User, game and hours; minutes are published. A game that was bought and never played has 0 hours."""
    for record in records(path, drops):
        user, library = text(record.get("user_id")), record.get("items")
        for entry in library if isinstance(library, list) else []:
            if isinstance(entry, dict):
                minutes = number(entry.get("playtime_forever"))
                yield user, text(entry.get("item_id")), None if minutes is None else minutes / 60
