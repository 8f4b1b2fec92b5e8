"""What the stage `recommend` measures, and the answers that it and `eval` show."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, get_args

from pydantic import AfterValidator

from rectune.core.figures.record import Count, Record, RowCounts, Share, StageRecord, complete

Resolved = Literal["exact", "fuzzy", "embedding", "not at all", "nothing fits"]
Flag = Literal["invented", "duplicated", "in the history", "ambiguous"]
RESOLVED: tuple[Resolved, ...] = get_args(Resolved)


class OutcomeShares(Record):
    """What some answers come to."""

    n: Count
    """Answers."""
    resolved: Annotated[dict[Resolved, Share], AfterValidator(lambda found: complete(found, RESOLVED))]
    """The share of each way of resolving to a catalogue item; their sum is 1, or 0 without answers.
    """
    flags: Annotated[dict[Flag, Share], AfterValidator(lambda found: complete(found, get_args(Flag)))]
    """The share of the answers that do each thing that an answer should not."""


class GroundingShares(OutcomeShares):
    """The same over all answers and by domain."""

    domains: dict[str, OutcomeShares]
    """By domain."""


class Relevance(Record):
    """How near answers come to what was asked: mean cosines to the request, -1 to 1, and hits."""

    n: Count
    """Answers whose cosines were taken: those whose history is of the same domain."""
    draft: float | None
    """The model's own draft; None where every draft was empty."""
    item: float | None
    """The item recommended; None where nothing was recommended."""
    items: float | None
    """All items shown; None where nothing was recommended."""
    target: float | None
    """The item really taken; None where it is not known."""
    hit_at_1: Share | None
    """The share of the answers that recommend the item really taken; None where it is not known."""
    hit_at_top: Share | None
    """The share of the answers that show it; None where it is not known."""


class GroundedAnswers(Record):
    """What goes out in one way of grounding."""

    answers: GroundingShares
    """What the answers name."""
    relevance: Relevance
    """How near they come."""
    reasons: dict[str, Count]
    """Answers by who wrote the reasons."""


class GroundingReport(StageRecord):
    """What answers name before grounding and after it; also in grounding.json."""

    stage: ClassVar[str] = "recommend"
    file: ClassVar[str] = "grounding.json"

    cases: Count
    """Test prompts that were answered."""
    grounding: str
    """The way of grounding that the recipe asks for."""
    min_similarities: dict[str, float]
    """The least cosine at which an item fits a request, by domain."""
    draft: GroundingShares
    """What the model's own drafts name."""
    modes: dict[str, GroundedAnswers]
    """What goes out, by way of grounding; one way alone where `retrieval.compare` is off."""
    same_item: Share | None
    """The share of the prompts for which all ways recommend one item; None with one way, or no prompt."""


class RecommendFigures(RowCounts):
    """The stage `recommend`: rows are test prompts."""

    stage: ClassVar[str] = "recommend"

    indexed: Count
    """Items in the index."""
    chunks: Count
    """Pieces of text that they are in the index as."""
    grounded_by: dict[str, Share]
    """The share of the answers whose first item was found by each step of grounding."""
    grounding: GroundingReport
    """The grounding report."""


class ShownItem(Record):
    """A real item and how it was found; see `rectune.retrieval.grounding.GroundedItem`."""

    item_id: str
    """The id that its publisher gave it."""
    title: str
    """Its title."""
    how: str
    """The step of grounding that found it: title, fuzzy or embedding; ranked where a ranker put it there."""
    similarity: float | None
    """How near it is to what was looked for: 1 for its title, else a cosine; None where a ranker put it
    there."""
    mean: float
    """The mean cosine over all of its chunks."""
    evidence: str
    """The words that led to it."""
    ranks: dict[str, int]
    """The place that each search had it at, from 1."""


class ShownRecommendation(StageRecord):
    """One recommendation that the report shows; recommendations.json lists them."""

    stage: ClassVar[str] = "recommend"
    file: ClassVar[str] = "recommendations.json"

    prompt_id: str
    """The prompt's id."""
    domain: str
    """The domain of what is recommended."""
    scenario: str
    """passive or active."""
    history: tuple[str, ...]
    """The titles of the history."""
    query: str
    """The query; empty for passive prompts."""
    answer: str
    """What goes out."""
    draft: str
    """What the model wrote first; may be empty."""
    named: bool
    """Whether anything is recommended."""
    reasons_by: str | None
    """Who wrote the reasons; None where nothing is recommended."""
    nearness: float
    """The cosine between the request and the item nearest to it."""
    min_similarity: float
    """The least such cosine at which an item fits."""
    target: str
    """The title of the item really taken."""
    items: tuple[ShownItem, ...]
    """The items shown, best first."""


class SampleAnswer(Record):
    """What one model answers to a sample prompt."""

    system: str
    """The model: base, sft or dpo."""
    text: str
    """The answer; may be empty."""
    finish: str
    """Why it ended."""
    item: str
    """The title that it resolves to; empty where it resolves to nothing."""
    how: str
    """The step of grounding that found the item; empty where there is none."""
    similarity: float | None
    """How near the item is; None where there is none."""
    hit: bool
    """Whether the item is the one really taken."""


class SamplePrompt(StageRecord):
    """A test prompt with the answers of all models; samples.json of the stage `eval` lists them."""

    stage: ClassVar[str] = "eval"
    file: ClassVar[str] = "samples.json"

    prompt_id: str
    """The prompt's id."""
    domain: str
    """The domain of what is recommended."""
    scenario: str
    """passive or active."""
    system: str
    """The system message; may be empty."""
    instruction: str
    """The user's message."""
    target: str
    """The title of the item really taken."""
    answers: tuple[SampleAnswer, ...]
    """The models' answers."""
