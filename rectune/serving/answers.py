"""What is asked of the service and what it answers, without HTTP; both are ready for JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import quote

from rectune.core.errors import RectuneError, UserError
from rectune.core.text.plain import cut_line
from rectune.core.types import Item, Locale
from rectune.dialogue.item_judges import JudgeMode
from rectune.prompts.rerank_prompts import RerankPrompt
from rectune.recommender.results import Recommendations, RecommendedItem
from rectune.serving.conditions import Range

_LATER = ("shown_last", "explore", "locale", "mood", "prompt", "attributes")
_SEARCHED = 200  # characters of a title
# Notes of an answer.
MODEL_FAILED = "the model failed: plain sentences give the reasons"
NOTHING_CLAIMED = "nothing is known of who asks: there was nothing to check"
UNKNOWN_STATED = "stated, not known to what ranks, and left out: "  # followed by what
MODEL_TOO_SLOW = "the model took too long: plain sentences give the reasons"


class NotFound(UserError):
    """What a request names is not there, or is not theirs who ask."""


class Conflict(UserError):
    """What is to be made is there already."""


class GenerationTimeout(RectuneError):
    """The model took longer than an answer may take."""


@dataclass(frozen=True)
class RecommendQuestion:
    """What is asked. Without history, likes, query and tastes what is popular is recommended.

    Attributes:
        user: their id as clients know it; None for nobody.
        history: ids or titles that are liked, oldest first, besides what is known of the user.
        query: what is wanted, in words.
        mood: words that are searched for together with what else is asked for, or liked.
        n: how many items.
        exclude: ids that are not recommended.
        categories: of which an item has one.
        where: name -> value, values, or `Range`; see `rectune.serving.conditions`.
        explain: whether there are reasons; a number gives them to the first items.
        shown_last: whether what the user was shown without any reaction comes after everything else.
        explore: the share of the places, 0 to 1, that goes to unfamiliar items; without likes none is.
        locale: the language of sentences; None for that of the words, else the user's.
        prompt: the prompt by which a model judges the first items for the user's persona, where it can; they
            are checked against the persona then. None for no check.
        attributes: what the user states, by the names of the data that the ranker learnt from; it stands
            before what their profile says.
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
    explore: float = 0.0
    locale: Locale | None = None
    mood: str = ""
    prompt: RerankPrompt | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)

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
        asked = (record["query"], record["n"], exclude, categories, where, record["explain"])
        # Records of earlier versions lack these.
        more = {name: record[name] for name in _LATER if name in record}
        return cls(user, history, *asked, **more)

    @property
    def words(self) -> str:
        """What is searched for."""
        return ", ".join(filter(None, (self.query.strip(), self.mood.strip())))


@dataclass(frozen=True)
class AnswerItem:
    """An item of an answer; see `rectune.recommender.results.RecommendedItem`.

    `evidence` is a mapping; `search_url` is where to look for the item, empty where the server knows nothing.
    """

    item_id: str
    title: str
    score: float | None
    categories: tuple[str, ...]
    year: int | None
    reason: str = ""
    reasons_by: str | None = None
    evidence: Mapping[str, Any] | None = None
    explored: bool = False
    search_url: str = ""


@dataclass(frozen=True)
class AnswerCheck:
    """A question about an answer, answered by the catalogue.

    Attributes:
        claim: the id of the claim of the persona that it asks about.
        stance: `likes` or `avoids`.
        text: the claim.
        question: in the language of the answer.
        item_ids: the items of the answer that have what the claim speaks of.
        left_out: items that would have been in it, and go against what the user said that they avoid.
    """

    claim: str
    stance: str
    text: str
    question: str
    item_ids: tuple[str, ...]
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answer:
    """An answer.

    Attributes:
        id: by which it goes on (`again`), and feedback names it.
        previous: the id of the answer that it goes on from.
        strategy: `history`, `query`, `history_and_query`; `tastes`, those of the user's profile, where they
            like nothing yet; `attributes`, what they state, where that is all that is known; `popular`, or
            `catalogue_order` where nothing is known of the user and nobody likes anything.
        ranked_by: what ranked, in words.
        fits: False where even the nearest item is too far from the query.
        items: at most so many as were asked for.
        not_found: titles of the history that the catalogue lacks.
        notes: what else is to be known, as that the model failed.
        usage: tokens that the model read and wrote.
        took_ms: milliseconds.
        persona: the version of the user's persona, where that had a say; else None.
        checks: what was asked of the items; only where a prompt was named.
        judged_by: `model`, or `claims` for the catalogue alone; None where nothing was judged.
        why_judge: why the model judged, or why it did not.
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
    persona: int | None = None
    checks: tuple[AnswerCheck, ...] = ()
    judged_by: JudgeMode | None = None
    why_judge: str = ""

    def told(self) -> dict[str, Any]:
        """What the database keeps of it besides its items."""
        checked = {
            "checks": [asdict(one) for one in self.checks], "judged_by": self.judged_by,
            "why_judge": self.why_judge,
        }  # fmt: skip
        return {
            "ranked_by": self.ranked_by, "fits": self.fits, "not_found": list(self.not_found),
            "notes": list(self.notes), "explored": [one.item_id for one in self.items if one.explored],
            "persona": self.persona,
        } | (checked if self.judged_by else {})  # fmt: skip


Emit = Callable[[str, Mapping[str, Any]], None]
"""Hears of the parts of an answer: `item` and `reason`, with what belongs to them."""


def answer_item(own: Item, item: RecommendedItem, pattern: str) -> AnswerItem:
    """An item of an answer.

    Args:
        own: as the catalogue has it.
        item: as it is recommended.
        pattern: see `search_url`.
    """
    evidence: dict[str, Any] | None = None
    if item.evidence:
        evidence = {name: value for name, value in asdict(item.evidence).items() if value is not None}
    return AnswerItem(
        item.item_id, item.title, item.score, own.categories, own.year, item.reason, item.reason_by, evidence,
        item.explored, search_url(pattern, item.title),
    )  # fmt: skip


def search_url(pattern: str, title: str) -> str:
    """Where to look for an item: the pattern with the title in place of {title}; empty without a pattern."""
    return pattern.replace("{title}", quote(cut_line(title, _SEARCHED), safe=""))


def ranked_by(found: Recommendations) -> str:
    """What ranked, in words; empty where that was no ranker."""
    if found.details is not None:
        return "what the model wrote, looked up in the catalogue"
    if found.ranking is None:
        return ""
    said = "; ".join(f"{one.side}: {one.rankers}" for one in found.ranking.by)
    return f"{said}; {found.ranking.model}" if found.ranking.model else said
