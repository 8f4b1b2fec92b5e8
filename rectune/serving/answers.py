"""What is asked of the service and what it answers, without HTTP; both are ready for JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from rectune.core.errors import RectuneError, UserError
from rectune.recommender.results import Recommendations
from rectune.serving.conditions import Range


class NotFound(UserError):
    """What a request names is not there, or is not theirs who ask."""


class Conflict(UserError):
    """What is to be made is there already."""


class GenerationTimeout(RectuneError):
    """The model took longer than an answer may take."""


@dataclass(frozen=True)
class RecommendQuestion:
    """What is asked. Without history, likes and query what is popular is recommended.

    Attributes:
        user: their id as clients know it; None for nobody.
        history: ids or titles that are liked, oldest first, besides what is known of the user.
        query: what is wanted, in words.
        n: how many items.
        exclude: ids that are not recommended.
        categories: of which an item has one.
        where: name -> value, values, or `Range`; see `rectune.serving.conditions`.
        explain: whether there are reasons; a number gives them to the first items.
        shown_last: whether what the user was shown without any reaction comes after everything else.
    """

    user: str | None = None
    history: tuple[str, ...] = ()
    query: str = ""
    n: int = 10
    exclude: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    where: Mapping[str, Any] = field(default_factory=dict)
    explain: bool | int = True
    shown_last: bool = True

    def record(self) -> dict[str, Any]:
        """The same for the database; the user is not in it, the row has them."""
        found = {name: value for name, value in vars(self).items() if name not in ("user", "where")}
        found = {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}
        ranges = {
            name: {"range": asdict(value)} if isinstance(value, Range) else {"is": value}
            for name, value in self.where.items()
        }
        return found | {"where": ranges}

    @classmethod
    def of_record(cls, user: str | None, record: Mapping[str, Any]) -> RecommendQuestion:
        """What `record` gave."""
        where = {
            name: Range(**told["range"]) if "range" in told else told["is"]
            for name, told in record["where"].items()
        }
        history, exclude, categories = (tuple(record[name]) for name in ("history", "exclude", "categories"))
        return cls(
            user, history, record["query"], record["n"], exclude, categories, where, record["explain"],
            record.get("shown_last", True),
        )  # fmt: skip


@dataclass(frozen=True)
class AnswerItem:
    """An item of an answer; see `rectune.recommender.results.RecommendedItem`. `evidence` is a mapping."""

    item_id: str
    title: str
    score: float | None
    categories: tuple[str, ...]
    year: int | None
    reason: str = ""
    reasons_by: str | None = None
    evidence: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Answer:
    """An answer.

    Attributes:
        id: by which it goes on (`again`), and feedback names it.
        previous: the id of the answer that it goes on from.
        strategy: `history`, `query`, `history_and_query`, `popular`, or `catalogue_order` where nothing is
            known of the user and nobody likes anything.
        ranked_by: what ranked, in words.
        fits: False where even the nearest item is too far from the query.
        items: at most so many as were asked for.
        not_found: titles of the history that the catalogue lacks.
        notes: what else is to be known, as that the model failed.
        usage: tokens that the model read and wrote.
        took_ms: milliseconds.
    """

    id: str
    previous: str | None
    strategy: str
    ranked_by: str
    fits: bool
    items: tuple[AnswerItem, ...]
    not_found: tuple[str, ...]
    notes: tuple[str, ...]
    usage: Mapping[str, int]
    took_ms: int


Emit = Callable[[str, Mapping[str, Any]], None]
"""Hears of the parts of an answer: `item` and `reason`, with what belongs to them."""


def ranked_by(found: Recommendations) -> str:
    """What ranked, in words; empty where that was no ranker."""
    if found.details is not None:
        return "what the model wrote, looked up in the catalogue"
    if found.ranking is None:
        return ""
    said = "; ".join(f"{one.side}: {one.rankers}" for one in found.ranking.by)
    return f"{said}; {found.ranking.model}" if found.ranking.model else said
