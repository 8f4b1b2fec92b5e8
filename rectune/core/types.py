"""The rows that flow between stages.

Every row is a frozen dataclass. Rows that have an `id` get it from their content (`content_id`), so that the
same input gives the same id on any machine, in any order, on any number of workers. `rectune.core.rows` reads
and writes them as Parquet. `schema` is raised when a field changes its meaning; readers refuse other
versions.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, ClassVar, Literal, TypeVar

Scenario = Literal["passive", "active"]
Form = Literal["direct", "listwise"]
Locale = Literal["en", "ko"]
Split = Literal["train", "preference", "test"]
PairSource = Literal["tags", "ranking"]

# Made once: json.dumps makes a new one for every call with arguments.
_CANONICAL = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))

SPLITS: tuple[Split, ...] = ("train", "preference", "test")

ORIGINAL_TITLE = "original title"
"""The name of the fact by whose value an item is found in texts as well (`Item.facts`)."""


OPINION = "opinion"
"""The name of the facts that are what somebody wrote in a review: `opinion: "It boils quickly."`."""


def opinion_fact(sentence: str) -> str:
    """An opinion as a fact (`Item.facts`)."""
    return f'{OPINION}: "{sentence}"'


def without_opinions(text: str) -> str:
    """The part of an item's text before its opinions."""
    return text.partition(f'{OPINION}: "')[0].strip()


def content_id(*parts: Any) -> str:
    """A 20-hex-digit hash of anything JSON can hold; equal content gives an equal id everywhere."""
    text = _CANONICAL.encode(parts)
    return hashlib.blake2b(text.encode(), digest_size=10).hexdigest()


T = TypeVar("T")


def group_names(domain: str, category: str) -> tuple[str, ...]:
    """The groups that figures about a row are given for: its domain and, where there is one, its category."""
    return (domain, f"{domain}/{category}") if category else (domain,)


def grouped(rows: Iterable[T], of: Callable[[T], tuple[str, str]]) -> dict[str, list[T]]:
    """The rows of each domain, and of each domain/category where there is one; names sorted.

    Args:
        rows: a row with a category is in two groups.
        of: a row's domain and category.
    """
    found: dict[str, list[T]] = {}
    for row in rows:
        for name in group_names(*of(row)):
            found.setdefault(name, []).append(row)
    return {name: found[name] for name in sorted(found)}


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a catalogue. `item_id` is the publisher's id; unique within a `domain`.

    `facts` is what else its table says of it and the person asked to be shown, as `price: 12`. An item is
    found in texts also by the value of its fact `original title` (`rectune.prompts.other_titles`). Facts
    named `opinion` are what people wrote in reviews.
    """

    schema: ClassVar[int] = 1
    domain: str
    item_id: str
    title: str
    categories: tuple[str, ...] = ()
    description: str = ""
    year: int | None = None
    facts: tuple[str, ...] = ()

    @property
    def stated(self) -> tuple[str, ...]:
        """The facts that are no opinions."""
        return tuple(fact for fact in self.facts if not fact.startswith(f"{OPINION}: "))

    @property
    def opinions(self) -> tuple[str, ...]:
        """What people wrote in reviews, without the name and the quotation marks of the fact."""
        told = (fact.partition(": ") for fact in self.facts)
        return tuple(said.removeprefix('"').removesuffix('"') for name, _, said in told if name == OPINION)


@dataclass(frozen=True, slots=True)
class Case:
    """A history, the target (the item really taken next), and its candidates.

    `candidates` and `target` are item ids of `domain`, `history` ids of `history_domain`, which differs from
    `domain` in cross-domain cases. `history` is oldest first, or in a seeded order where the dataset
    publishes no times (`ordered` is False). `candidates` holds the target once, at a uniform place. `cutoff`
    is the target's time in whole seconds since 1970, rounded down, None without times: nothing in `history`
    is later than the target. `category`
    is the target's, where its publisher divides the dataset, else empty.
    """

    schema: ClassVar[int] = 2
    id: str
    domain: str
    user: str
    split: Split
    history: tuple[str, ...]
    target: str
    candidates: tuple[str, ...]
    ordered: bool
    history_domain: str
    category: str = ""
    cutoff: int | None = None


@dataclass(frozen=True, slots=True)
class Prompt:
    """A rendered prompt: `system` and `instruction` are its text, the other fields what it was made of.

    `target` is the item id really taken; it is never in `instruction` except among listwise `candidates`.
    `query` is empty for passive prompts; `candidates` is empty for direct ones. `history_domain` and
    `category` are as in `Case`. `history` holds the items shown; `left_out` counts the older items of the
    case that did not fit. `template` is `<locale>/<scenario>/<form>/<name>`.
    """

    schema: ClassVar[int] = 3
    id: str
    domain: str
    scenario: Scenario
    form: Form
    locale: Locale
    split: Split
    user: str
    system: str
    instruction: str
    history: tuple[str, ...]
    candidates: tuple[str, ...]
    target: str
    query: str
    template: str
    history_domain: str
    category: str = ""
    cutoff: int | None = None
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Provenance:
    """Who wrote a text, and with which sampling and seed, so that it can be reproduced.

    `model` is the model's name and digest, `sampling` canonical JSON. `closing` says who named the item that
    a response ends with: the "model" itself, or our "template" (the closing line, and the ranking of every
    listwise response); empty where a response names no item.
    """

    model: str
    quantisation: str
    sampling: str
    seed: int
    engine: str
    closing: Literal["", "model", "template"] = ""


@dataclass(frozen=True, slots=True)
class Example:
    """A prompt and its response: one row of the instruction-tuning set."""

    schema: ClassVar[int] = 1
    id: str
    prompt: Prompt
    response: str
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class Verdict:
    """The filter's verdict on the example `id`.

    `figures` is JSON: rule name -> its figure, null where the rule has none; `reasons` is empty if kept.
    `copy_of` is the id of the example that stays for it, where it is a duplicate or nearly one.
    """

    schema: ClassVar[int] = 3
    id: str
    domain: str
    category: str
    score: float | None
    tokens: int
    distinct: int
    kept: bool
    reasons: tuple[str, ...]
    figures: str = "{}"
    copy_of: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One of the k answers sampled for a prompt. `id` hashes prompt and text; `index` counts from 0."""

    schema: ClassVar[int] = 1
    id: str
    prompt_id: str
    index: int
    text: str
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class Preference:
    """A pair for DPO: `chosen` was preferred to `rejected` by `annotator`.

    `source` is "tags" where an annotator compared the two answers. It is "ranking" where the interactions
    imply it: `chosen` recommends the item really taken, `rejected` another candidate; the pairs of a prompt
    and a chosen answer are then trained on together.
    """

    schema: ClassVar[int] = 2
    id: str
    prompt: Prompt
    chosen: str
    rejected: str
    annotator: str
    source: PairSource = "tags"


@dataclass(frozen=True, slots=True)
class Ranking:
    """A ranking by `system` for a case or prompt: `items`, and their `scores` (higher is better).

    `grounding` says for each item how it was found ("candidate", "title", "embedding"). `protocol` and `draw`
    say which candidates they were; `rank` is the target's, from 1 (0: not known), among `size` candidates, of
    which `items` may list the first ones only. `user` is domain/user.
    """

    schema: ClassVar[int] = 2
    prompt_id: str
    system: str
    items: tuple[str, ...]
    scores: tuple[float, ...]
    grounding: tuple[str, ...]
    protocol: str = "own"
    draw: int = 0
    user: str = ""
    rank: int = 0
    size: int = 0


Identified = TypeVar("Identified", Case, Prompt, Example, Candidate, Preference)


def with_id(row: Identified) -> Identified:
    """The row with `id` set to the hash of all its other fields, provenance included."""
    content = {f.name: _plain(getattr(row, f.name)) for f in fields(row) if f.name != "id"}
    return replace(row, id=content_id(type(row).__name__, row.schema, content))


def _plain(value: Any) -> Any:
    return asdict(value) if hasattr(value, "__dataclass_fields__") else value


def prompt_hash(prompt: Prompt) -> str:
    """Hash of what the annotator reads; tags apply to equal prompts in every recipe."""
    return content_id("prompt", prompt.system, prompt.instruction)


def answer_hash(text: str) -> str:
    """Hash of one answer's text; see `prompt_hash`."""
    return content_id("answer", text)
