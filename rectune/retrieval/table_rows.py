"""Reading rows of the table of chunks: its SQL, its column of vectors."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Any

import numpy as np

from rectune.retrieval.embedding import Vectors

ALL = 2**31 - 1  # rows: a table's search has to be given a limit
SHOWN = ("item_id", "title", "domain", "text")  # columns of what is found


def quoted(text: str) -> str:
    """A string of the table's SQL."""
    return "'" + text.replace("'", "''") + "'"


def matrix(column: Any) -> Vectors:
    """A column of vectors as [rows, d] float32."""
    joined = column.combine_chunks() if hasattr(column, "combine_chunks") else column
    width = joined.type.list_size
    return np.asarray(joined.flatten().to_numpy(zero_copy_only=False), np.float32).reshape(-1, width)


def found_rows(
    search: Any, domain: str | None, limit: int, figure: str, within: AbstractSet[str] | None = None
) -> list[dict[str, Any]]:
    """The rows that a search finds, the best first: the columns of `SHOWN`, and one more.

    Args:
        search: of a table.
        domain: of the rows; None for all.
        limit: how many.
        figure: the name of the column with how well a row fits.
        within: ids of their items; None for all.
    """
    met = [f"domain = {quoted(domain)}"] if domain is not None else []
    met += [f"item_id IN ({', '.join(map(quoted, sorted(within)))})"] if within is not None else []
    if met:
        search = search.where(" AND ".join(met), prefilter=True)
    rows: list[dict[str, Any]] = search.select([*SHOWN, figure]).limit(limit).to_list()
    return rows
