"""What the stages that gather preferences measure: `candidates` and `tag`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, get_args

from pydantic import AfterValidator

from rectune.core.figures.record import (
    Count,
    GgufFile,
    MeanInterval,
    NonNegative,
    Record,
    RowCounts,
    Share,
    ShareInterval,
    StageRecord,
    complete,
)
from rectune.core.types import PairSource, Split

Measure = Literal["words", "repetition", "score", "names_item"]


class AdapterGap(Record):
    """How far the sampled GGUF file is from the adapter model that it was merged from."""

    nats_per_token: NonNegative
    """The mean difference of the mean log-probability of an answer's tokens, in nats a token."""
    answers: Count
    """Answers compared."""
    tokens: Count
    """Their tokens."""


class PromptBalance(Record):
    """How many of the chosen prompts there are of each domain, kind and locale."""

    domain: dict[str, Count]
    """By domain."""
    kind: dict[str, Count]
    """By scenario/form."""
    locale: dict[str, Count]
    """By locale."""


class CandidatesFigures(RowCounts):
    """The stage `candidates`: rows are answers."""

    stage: ClassVar[str] = "candidates"

    prompts: Count
    """Prompts with at least two different answers."""
    prompts_in: Count
    """Prompts that were answered."""
    answers: Count
    """Answers that were kept."""
    redrawn: Count
    """Answers that were drawn again because they were empty or equal to another."""
    tokens: Count
    """Tokens that were written, those of answers drawn again included."""
    balance: PromptBalance
    """What the chosen prompts are made up of."""
    prompts_spare: Count
    """Fresh prompts that were not needed."""
    prompts_left_out: dict[str, Count]
    """Prompts that are not fresh, by reason."""
    gguf: GgufFile
    """The file that was sampled from."""
    gap_to_adapter: AdapterGap
    """How far it is from the adapter model."""


class Conflicts(Record):
    """Pairs of answers that annotators ordered differently."""

    rule: str
    """What becomes of them: the recipe's align.conflicts."""
    contradicted: Count
    """Such pairs."""
    settled: Count
    """Those that a majority decided."""
    left_out: Count
    """Those that were left out."""


class TagValidity(Record):
    """Whether the tags agree with a rule that they were not made by; equal nearness counts half."""

    rule: str
    """The rule in words."""
    embedder: str
    """The sentence embedder."""
    all: ShareInterval
    """The share of all tags on which the rule agrees."""
    target_unnamed: ShareInterval
    """The same among the tags in which neither answer recommends the item really taken."""


class SideMeans(Record):
    """One measure on both sides of the pairs: means over the prompts."""

    chosen: float
    """The mean of the chosen answers."""
    rejected: float
    """The mean of the rejected answers."""
    gap: MeanInterval
    """Chosen less rejected; without an interval where there are fewer than two prompts."""


class PreferenceSides(Record):
    """What chosen and rejected answers differ in."""

    words: SideMeans
    """Words an answer."""
    repetition: SideMeans
    """Share of 3-word runs that came before in the answer, 0 to 1."""
    score: SideMeans
    """Response score ln(L)*L/C, counted in words."""
    names_item: SideMeans
    """Share of the answers that recommend a real item, 0 to 1."""


class PlaceCounts(Record):
    """How often what was picked had stood in each place as shown."""

    counts: tuple[Count, ...]
    """Picks by place, the first place first."""
    p: Share
    """The probability of counts as uneven as these by chance (chi-square)."""


class Places(Record):
    """Whether the place of an answer decided what was picked."""

    tags: Count
    """Tags of the usual number of answers."""
    best: PlaceCounts | None
    """Where the best had stood; None where the tags are too few to say."""
    worst: PlaceCounts | None
    """Where the worst had stood; None where the tags are too few to say."""


class PreferenceCounts(Record):
    """What should be 0, counted in pairs."""

    equal_texts: Count
    """Pairs of one text."""
    duplicate_pairs: Count
    """Pairs that say what another pair says."""
    chosen_of_several_prompts: Count
    """Prompts that share their chosen answer with another prompt."""
    prompts_in_sft: Count
    """Tagged pairs whose prompt is in the supervised training too."""
    users_in_sft: Count
    """Tagged pairs of users who are in the supervised training too."""
    prompts_in_test: Count
    """Pairs whose prompt is in the test too."""
    users_in_test: Count
    """Pairs of users who are in the test too."""


class RankingPairFigures(Record):
    """Pairs that the interactions imply: the item really taken over other candidates of a case."""

    wanted: Count
    """Cases that the recipe asks for: align.ranking_pairs."""
    cases: Count
    """Cases that gave pairs."""
    pairs: Count
    """Their pairs."""
    dropped: dict[str, Count]
    """Cases that gave none, by reason."""
    splits: dict[Split, Count]
    """The cases that gave pairs by the split of their users."""


class HealthFigures(Record):
    """The part of the health check that the manifest repeats."""

    sides: PreferenceSides
    """Both sides of the tagged pairs."""
    ranking_sides: PreferenceSides | None
    """Both sides of the pairs made for ranking; None where there are none."""
    counts: PreferenceCounts
    """What should be 0."""
    places: Places
    """The places of what was picked."""
    warnings: tuple[str, ...]
    """What stands out, a sentence each."""


class HealthReport(HealthFigures, StageRecord):
    """Whether the preference set is fit to train on, in the tag stage's health.json."""

    stage: ClassVar[str] = "tag"
    file: ClassVar[str] = "health.json"

    pairs: Count
    """Tagged pairs."""
    prompts: Count
    """Prompts that they are of."""
    sources: dict[PairSource, Count]
    """All pairs by where they come from: tags, or interactions (ranking)."""
    chosen_longer: ShareInterval
    """The share of the pairs whose chosen answer has more words; equal lengths count half."""
    refused: tuple[str, ...]
    """Why the set may not be trained on, a sentence each."""
    meanings: Annotated[dict[Measure, str], AfterValidator(lambda found: complete(found, get_args(Measure)))]
    """What each measure of `sides` means."""


class TagFigures(RowCounts):
    """The stage `tag`: rows in are prompts with candidates, rows out are preference pairs of all sources."""

    stage: ClassVar[str] = "tag"

    tagged: Count
    """Prompts with a tag."""
    annotators: tuple[str, ...]
    """Who tagged; `simulated annotator` is no person."""
    rule: str | None
    """The simulated annotator's rule; None where only people tagged."""
    pairs: Count
    """Preference pairs that come from tags."""
    ranking: RankingPairFigures | None
    """Pairs that come from interactions; None where the recipe asks for none."""
    pairs_of_a_tag: str
    """Which pairs a tag makes: the recipe's align.pairs."""
    said_by_several: Count
    """How often an annotator said again what a pair says already."""
    conflicts: Conflicts
    """What became of contradictions."""
    chosen_words_mean: NonNegative
    """Mean words of the chosen answers over the pairs."""
    rejected_words_mean: NonNegative
    """Mean words of the rejected answers over the pairs."""
    nearness: TagValidity
    """Whether tags agree with nearness to the item really taken."""
    health: HealthFigures
    """Whether the pairs are fit to train on."""
