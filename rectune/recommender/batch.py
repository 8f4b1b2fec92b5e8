"""Recommendations for a table of users, in parts that an interrupted run need not make again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import astuple, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rectune.core.artifacts import write_atomically
from rectune.core.digests import file_digest
from rectune.core.errors import UserError
from rectune.core.progress import progress, say
from rectune.core.types import content_id
from rectune.inference.generate import Model
from rectune.rankers.base import Ranker
from rectune.rankers.chosen import ChosenRanker
from rectune.readers import table
from rectune.readers.drops import Drops, left_out_lines
from rectune.readers.file_format import FileFormat
from rectune.recommender.results import Lacking, items_frame
from rectune.recommender.tables import id_text, is_empty
from rectune.recommender.typed_history import titles_in
from rectune.recommender.user_attributes import checked_attributes, known_attributes

if TYPE_CHECKING:
    import polars as pl

    from rectune.recommender.options import RecommendOptions
    from rectune.recommender.recommender import Recommender
    from rectune.recommender.requests import UserRequest

PART = 256  # requests that are answered together
_COLUMNS = ("user", "history", "query", "attributes")
_MARK = "batch.json"


def recommend_users(
    recommender: Recommender, users: Path, output: Path, options: RecommendOptions, identity: Sequence[Any]
) -> int:
    """Answer every row of a table and write one Parquet file.

    Finished parts lie in `<output>.parts` until the last one is made: the same command goes on from them.

    Args:
        recommender: answers.
        users: CSV, TSV, JSON lines, JSON or Parquet with some of the columns `user` (whose known history is
            taken), `history` ("A; B; C", or a list; of a user that is given the latest likes), `query` and
            `attributes` (a JSON object of what the user states).
        output: the Parquet file: `request` (the number of the row, from 0, blank ones left out), `user`,
            `history`, `query`, `rank` (from 1), and the attributes of `RecommendedItem`.
        options: of all requests.
        identity: what the answers depend on beside requests, options, items and the model's file, such as
            what the ranker was fitted on: parts of another run are not taken for this one's.

    Returns:
        How many rows were answered.

    Raises:
        UserError: the table cannot be read, has none of the columns, or a row has nothing to go by.
    """
    import polars as pl

    rows = read_requests(users, recommender)
    requests = recommender.user_requests(rows)
    parts = output.with_name(output.name + ".parts")
    _prepare(parts, _identity(recommender, requests, options, [file_digest(users), *identity]))
    lacking = Lacking()
    with progress("recommending", len(rows), "users") as advance:
        for start in range(0, len(rows), PART):
            path, some = parts / f"{start:09d}.parquet", rows[start : start + PART]
            if not path.is_file():
                found = recommender.recommend_all(requests[start : start + PART], options)
                lacking.add(found)
                fresh = path.with_suffix(".fresh")
                _named(items_frame(found), some, start).write_parquet(fresh)
                fresh.replace(path)
            advance(len(some))
    lacking.say()
    made = sorted(parts.glob("*.parquet"))
    fresh = parts / "whole.fresh"
    pl.scan_parquet(made).sink_parquet(fresh)
    fresh.replace(output)
    shutil.rmtree(parts)
    return len(rows)


def _identity(
    recommender: Recommender,
    requests: Sequence[UserRequest],
    options: RecommendOptions,
    identity: Sequence[Any],
) -> str:
    """A hash of all that the answers depend on."""
    generative, beside = recommender.generative, recommender.model_ranking
    return content_id(
        "batch",
        [(list(one.history), one.query, sorted(one.attributes.items())) for one in requests],
        [astuple(item) for item in recommender.items.values()],
        [repr(value) for value in _plain(options)],
        [_ranker_identity(recommender.ranker), beside.describe() if beside else ""],
        [_model_identity(generative.model) if generative else ""],
        [list(identity), PART],
    )


def _model_identity(model: Model) -> str:
    if isinstance(model, Path):
        return file_digest(model)
    return f"{model.name}@{model.address}"


def _plain(options: RecommendOptions) -> list[Any]:
    """The values of the options; what has no order is sorted."""
    within = None if options.within is None else sorted(map(str, options.within))
    plain = replace(options, exclude=sorted(options.excluded), where={}, within=within)
    return [*astuple(plain), sorted(options.where.items())]


def _ranker_identity(ranker: Ranker | None) -> list[Any]:
    """A ranker by its name and its plain settings; a choice by all that was chosen and measured."""
    if ranker is None:
        return []
    if isinstance(ranker, ChosenRanker):
        return [ranker.name, ranker.choice.to_json()]
    told = {name: value for name, value in vars(ranker).items() if not name.startswith("_")}
    plain = {name: value for name, value in told.items() if isinstance(value, (str, int, float))}
    return [ranker.name, sorted(plain.items())]


def _named(found: pl.DataFrame, rows: Sequence[Mapping[str, Any]], start: int) -> pl.DataFrame:
    """The items with what was asked in front, so that each is found again in the table of users."""
    import polars as pl

    given = {
        "user": [row["user"] for row in rows],
        "history": ["; ".join(row["history"]) for row in rows],
        "query": [row["query"] for row in rows],
    }
    columns = [pl.Series(name, values, pl.String).gather(found["request"]) for name, values in given.items()]
    return pl.DataFrame([found["request"] + start, *columns]).hstack(found.drop("request"))


def read_requests(users: Path, recommender: Recommender) -> list[dict[str, Any]]:
    """The rows of a table of requests.

    Raises:
        UserError: see `recommend_users`.
    """
    written, drops = FileFormat(), Drops()
    there = table.columns(users, written)
    wanted = [name for name in _COLUMNS if name in there]
    if not wanted:
        raise UserError(
            f"no column {', '.join(_COLUMNS)}", where=str(users), hint=f"columns there: {', '.join(there)}"
        )
    rows = [
        _request(row, recommender, f"{users}: row {number}")
        for number, row in enumerate(table.rows(users, wanted, drops, written), 1)
    ]
    if left_out := left_out_lines(drops):
        say("\n".join(left_out))
    if not rows:
        raise UserError("holds no rows", where=str(users), hint="give at least one user, history or query")
    for number, row in enumerate(rows, 1):
        if row["user"] is None and not (row["history"] or row["query"]):
            kept, unknown = known_attributes(row["attributes"], recommender.attributes_known)
            if not kept:
                known = f": what ranks knows nothing of {', '.join(unknown)}" if unknown else ""
                raise UserError(f"a row has nothing to go by{known}", where=f"{users}: row {number}",
                                hint="fill user, history, query or attributes")  # fmt: skip
        if row["user"] is not None and row["user"] not in recommender.users:
            raise UserError(f"the user {row['user']} is not known", where=f"{users}: row {number}",
                            hint="give a history, or leave the row out")  # fmt: skip
    return rows


def _request(row: Mapping[str, Any], recommender: Recommender, where: str) -> dict[str, Any]:
    history = row.get("history") or []
    if isinstance(history, str):
        history = titles_in(history, recommender.titles[recommender.domain])
    user, query = row.get("user"), row.get("query")
    try:
        attributes = checked_attributes(row.get("attributes"))
    except UserError as refused:
        raise UserError(refused.message, where=where, hint=refused.hint) from None
    return {
        "user": None if is_empty(user) else id_text(user) or None,
        "history": [str(one) for one in history],
        "query": "" if is_empty(query) else str(query).strip(),
        "attributes": attributes,
    }


def _prepare(parts: Path, identity: str) -> None:
    """The folder of parts, emptied where it holds those of another run."""
    mark = parts / _MARK
    try:
        same = json.loads(mark.read_text(encoding="utf-8"))["identity"] == identity
    except (OSError, ValueError, KeyError, TypeError):
        same = False
    if parts.exists() and not same:
        if not mark.is_file():
            raise UserError("is in the way", where=str(parts), hint="move it away, or give another --output")
        shutil.rmtree(parts)
    parts.mkdir(parents=True, exist_ok=True)
    write_atomically(mark, json.dumps({"identity": identity}))
