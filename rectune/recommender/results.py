"""What a recommender returns: items with their scores and reasons, and the same as a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

from rectune.core.errors import UserError
from rectune.core.progress import say
from rectune.core.types import Locale
from rectune.recommender.tables import frame_of, is_empty
from rectune.recommender.user_attributes import checked_attributes, say_unknown

if TYPE_CHECKING:
    import polars as pl

    from rectune.recommender.evidence import Evidence
    from rectune.recommender.explained_ranking import Ranking
    from rectune.recommender.generative import Recommendation

ReasonBy = Literal["model", "template"]


@dataclass(frozen=True)
class RecommendedItem:
    """An item that is recommended.

    Attributes:
        item_id: the catalogue's id.
        title: the catalogue's title.
        score: what it is ranked by, higher is better; comparable within one answer only. Where a language
            model's answer is grounded it is a similarity (cosine, -1 to 1), else the score of the ranking.
        reason: why it suits, in words; empty where none was asked for.
        reason_by: who wrote the reason: `model`, or `template` for a plain sentence from the catalogue; None
            without a reason.
        evidence: what speaks for it; None where nothing is known that does.
        explored: whether it has one of the places for unfamiliar items.
    """

    item_id: str
    title: str
    score: float
    reason: str = ""
    reason_by: ReasonBy | None = None
    evidence: Evidence | None = None
    explored: bool = False


@dataclass(frozen=True)
class Recommendations:
    """The answer to one request; iterates over its items, the best first.

    Attributes:
        items: at most k; fewer only where no more are allowed, or where a query alone is looked up by words
            and no more items are found.
        fits: False where something is asked for in words and even the nearest item of the catalogue is too
            far from it, or has too few of the words; the items are the best all the same.
        not_found: what was given in the history and the catalogue lacks; its words count only where nothing
            else is known, or where a language model reads them.
        details: how a language model came to it, where its answer is grounded; else None.
        nearness: the cosine between what is asked for in words and the item nearest to it; None where it was
            not compared.
        min_similarity: the least such cosine at which an item fits.
        ranking: what ranked; None where the answer of a language model is grounded.
        explored: how many places were meant for unfamiliar items; those that got one are marked.
        history: the titles that were taken for liked, oldest first, as the catalogue has them, else as given.
        by_words: whether words in common decided that nothing or something fits, since the embedder does not
            read the language that it is asked in; `nearness` says nothing then.
        locale: the language of the reasons.
        unknown_attributes: what was stated and is not known to what ranks, as `occupation: writer`; it took
            no part.
    """

    items: tuple[RecommendedItem, ...]
    fits: bool = True
    not_found: tuple[str, ...] = ()
    details: Recommendation | None = None
    nearness: float | None = None
    min_similarity: float | None = None
    ranking: Ranking | None = None
    explored: int = 0
    history: tuple[str, ...] = ()
    by_words: bool = False
    locale: Locale = "en"
    unknown_attributes: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[RecommendedItem]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, place: int) -> RecommendedItem:
        return self.items[place]

    def to_frame(self) -> pl.DataFrame:
        """One row an item: rank (from 1), and the attributes of `RecommendedItem`."""
        return items_frame([self]).drop("request")


def items_frame(answers: Sequence[Recommendations]) -> pl.DataFrame:
    """One row an item of several answers; `request` numbers the answers from 0, `rank` the items from 1."""
    import polars as pl

    schema = {
        "request": pl.UInt32(), "rank": pl.UInt32(), "item_id": pl.String(), "title": pl.String(),
        "score": pl.Float64(), "reason": pl.String(), "reason_by": pl.String(), "evidence": pl.String(),
        "explored": pl.Boolean(),
    }  # fmt: skip
    rows = [
        {"request": number, "rank": rank, **_row(item)}
        for number, answer in enumerate(answers)
        for rank, item in enumerate(answer.items, 1)
    ]
    return pl.DataFrame(rows, schema=schema)


def _row(item: RecommendedItem) -> dict[str, Any]:
    """The attributes of an item; of its evidence the sentence."""
    found = {one.name: getattr(item, one.name) for one in fields(item)}
    return found | {"evidence": item.evidence.text if item.evidence else ""}


class Lacking:
    """Counts, of answers to many requests, which nobody reads one by one, titles that the catalogue lacks,
    requests that nothing fits, and what was stated that is not known to what ranks.
    """

    def __init__(self) -> None:
        self._titles, self._stated = Counter[str](), list[Sequence[str]]()
        self._requests = self._asked = self._misfits = 0

    def add(self, answers: Sequence[Recommendations]) -> None:
        """Count these answers too."""
        self._requests += len(answers)
        for answer in answers:
            self._titles.update(set(answer.not_found))
            self._asked += bool(answer.not_found)
            self._misfits += not answer.fits
            if answer.unknown_attributes:
                self._stated.append(answer.unknown_attributes)

    def say(self) -> None:
        """Say what was counted, on standard error; nothing where nothing was."""
        say_unknown(self._stated)
        titles, of = self._titles, f"{self._requests:,} requests"
        if titles:
            shown = ", ".join(f"{title} ({count:,})" for title, count in titles.most_common(3))
            more = f", and {len(titles) - 3:,} others" if len(titles) > 3 else ""
            say(f"not in the catalogue, of {self._asked:,} of {of}: {shown}{more}")
        if self._misfits:
            say(f"nothing in the catalogue fits {self._misfits:,} of {of}: they get what is nearest")


def request_rows(requests: Any) -> list[dict[str, Any]]:
    """The rows of a table of requests; each has `history`, `query` and `attributes`, empty where missing.

    Raises:
        UserError: it is no table, has none of the columns user, history, query and attributes, a history is
            no list, attributes are no mapping, or a row is empty.
    """
    if isinstance(requests, Sequence) and all(isinstance(row, Mapping) for row in requests):
        rows = [dict(row) for row in requests]
    elif hasattr(requests, "to_dict"):  # a frame
        rows = frame_of(requests).to_dicts()
    else:
        raise UserError("the requests are no table", hint="give a frame, or a list of dicts")
    known = {name for row in rows for name in row}
    if rows and not known & {"user", "history", "query", "attributes"}:
        raise UserError(
            f"no column user, history, query or attributes among: {', '.join(sorted(map(str, known)))}",
            hint="name one of the columns so",
        )
    for number, row in enumerate(rows):
        history = row.get("history")
        if isinstance(history, str):
            raise UserError(
                f"the history of request {number} is one text", hint="give a list of titles or ids"
            )
        if isinstance(history, float) and is_empty(history):  # pandas has it for None
            history = None
        if history is not None and not isinstance(history, Iterable):
            raise UserError(
                f"the history of request {number} is {history!r}", hint="give a list of titles or ids"
            )
        row["history"] = [] if history is None else list(history)
        for name, nothing in (("user", None), ("query", "")):
            row[name] = nothing if is_empty(row.get(name)) else row[name]
        row["attributes"] = checked_attributes(row.get("attributes"))
        if row.get("user") is None and not (row["history"] or row["query"] or row["attributes"]):
            raise UserError(
                f"request {number} has nothing to go by", hint="give a history, a user, a query, or several"
            )
    return rows
