"""The health check of a preference set: how chosen and rejected answers differ, and what is invalid.

DPO learns whatever distinguishes chosen from rejected, wanted or not: if chosen answers are longer, it learns
length. So the differences are measured before training, with warnings; an invalid set is refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rectune.align.agreement import uniform_p
from rectune.align.decisions import Decision
from rectune.align.pair_measures import MEASURES, Sides, Values, rounded, sides_of, values_of
from rectune.align.preferences import Tagged
from rectune.core.errors import UserError
from rectune.core.figures.preferences import (
    HealthFigures,
    HealthReport,
    Measure,
    PlaceCounts,
    Places,
    PreferenceCounts,
)
from rectune.core.figures.record import ShareInterval
from rectune.core.stats.intervals import share_of
from rectune.core.types import PairSource, Preference, Prompt, prompt_hash
from rectune.prompts.title_index import TitleIndex

FEW = 30  # number of prompts below which the figures are unreliable
_FEW_TAGS = 20  # number of tags below which places are not tested, as in `rectune tag status`
_LONGER = 0.2  # of the rejected answers' mean length: a gap above it is learnt before anything else
_UNEVEN = 0.01  # the probability of the chi-square test below which places are called uneven
_COPIES = 0.05  # share of pairs that may say what another pair says


@dataclass(frozen=True)
class PreferenceHealth:
    """The result. `pairs`, `prompts`, `sides`, `chosen_longer` and `values` (the measures of every pair, for
    the plots) are of the tagged pairs, `ranking_sides` of those made for ranking.
    """

    pairs: int
    prompts: int
    sources: Mapping[PairSource, int]
    sides: Sides
    ranking_sides: Sides | None
    chosen_longer: ShareInterval
    places: Places
    counts: PreferenceCounts
    warnings: tuple[str, ...]
    refused: tuple[str, ...]
    values: Values

    def figures(self) -> HealthFigures:
        """All but the single values, with descriptions of the measures, for JSON."""
        return HealthFigures(
            sides=rounded(self.sides),
            ranking_sides=rounded(self.ranking_sides) if self.ranking_sides else None,
            counts=self.counts,
            places=self.places,
            warnings=self.warnings,
        )

    def report(self) -> HealthReport:
        """All but the single values, and what the measures mean."""
        return HealthReport(
            **dict(self.figures()),
            pairs=self.pairs,
            prompts=self.prompts,
            sources=dict(self.sources),
            chosen_longer=self.chosen_longer,
            refused=self.refused,
            meanings=MEASURES,
        )

    def check(self) -> None:
        """Raise UserError if the set is invalid."""
        if self.refused:
            hint = "fix the candidates or the tags, then run again; health.md says more"
            raise UserError("; ".join(self.refused), where="preferences", hint=hint)


def examine(
    tagged: Sequence[Tagged],
    pairs: Sequence[Preference],
    prompts: Iterable[Prompt],
    titles: Mapping[str, TitleIndex],
) -> PreferenceHealth:
    """Measure a preference set.

    Args:
        tagged: the tags it was made from, for the positions of the picks.
        pairs: at least one that was tagged.
        prompts: all prompts of the run, those of training and test among them.
        titles: of the pairs' domains.
    """
    by_tags = [pair for pair in pairs if pair.source == "tags"]
    implied = [pair for pair in pairs if pair.source == "ranking"]
    values, prompts = values_of(by_tags, titles), list(prompts)
    sides = sides_of(values, by_tags)
    ranking_sides = sides_of(values_of(implied, titles), implied) if implied else None
    words = values["words"]
    longer = [
        0.5 if a == b else float(a > b) for a, b in zip(words["chosen"], words["rejected"], strict=True)
    ]
    places = _places([tag for _, tag in tagged])
    counts = _counts(pairs, prompts)
    asked = len({pair.prompt.id for pair in by_tags})
    warnings = [*_warnings(asked, sides, places, counts, len(pairs))]
    if ranking_sides:
        warnings += [f"made for ranking: {text}" for text in _gaps(ranking_sides)]
    return PreferenceHealth(
        pairs=len(by_tags),
        prompts=asked,
        sources=dict(Counter(pair.source for pair in pairs)),
        sides=sides,
        ranking_sides=ranking_sides,
        chosen_longer=share_of(sum(longer), len(longer)),
        places=places,
        counts=counts,
        warnings=tuple(warnings),
        refused=tuple(_refusals(counts)),
        values=values,
    )


def _places(tags: Sequence[Decision]) -> Places:
    """How often best and worst stood in each place as shown, and the probability of that by chance."""
    usual = Counter(len(tag.answers) for tag in tags).most_common(1)
    same = [tag for tag in tags if usual and len(tag.answers) == usual[0][0]]
    if len(same) < _FEW_TAGS:
        return Places(tags=len(same), best=None, worst=None)
    shown = len(same[0].answers)
    return Places(
        tags=len(same),
        best=_picked([tag.answers.index(tag.best) for tag in same], shown),
        worst=_picked([tag.answers.index(tag.worst) for tag in same], shown),
    )


def _picked(places: Sequence[int], shown: int) -> PlaceCounts:
    counts = tuple(places.count(place) for place in range(shown))
    return PlaceCounts(counts=counts, p=round(uniform_p(counts), 4))


def _counts(pairs: Sequence[Preference], prompts: Iterable[Prompt]) -> PreferenceCounts:
    """What should be 0, counted in pairs; those made for ranking may be of users whom SFT has seen."""
    others = [prompt for prompt in prompts if prompt.split != "preference"]
    texts = {split: {prompt_hash(p) for p in others if p.split == split} for split in ("train", "test")}
    users = {split: {(p.domain, p.user) for p in others if p.split == split} for split in ("train", "test")}
    said = Counter((prompt_hash(pair.prompt), pair.chosen, pair.rejected) for pair in pairs)
    first = {pair.prompt.id: pair.chosen for pair in reversed(pairs)}
    chosen = Counter(first.values())
    by_tags = [pair.prompt for pair in pairs if pair.source == "tags"]
    return PreferenceCounts(
        equal_texts=sum(pair.chosen.strip() == pair.rejected.strip() for pair in pairs),
        duplicate_pairs=sum(count - 1 for count in said.values()),
        chosen_of_several_prompts=sum(count for count in chosen.values() if count > 1),
        prompts_in_sft=sum(prompt_hash(one) in texts["train"] for one in by_tags),
        users_in_sft=sum((one.domain, one.user) in users["train"] for one in by_tags),
        prompts_in_test=sum(prompt_hash(pair.prompt) in texts["test"] for pair in pairs),
        users_in_test=sum((pair.prompt.domain, pair.prompt.user) in users["test"] for pair in pairs),
    )


def _refusals(counts: PreferenceCounts) -> Iterable[str]:
    if counts.equal_texts:
        yield f"{counts.equal_texts} pairs have one text as chosen and as rejected"
    for prompts, users, what in (
        (counts.prompts_in_sft, counts.users_in_sft, "the supervised training"),
        (counts.prompts_in_test, counts.users_in_test, "the test"),
    ):
        if prompts:
            yield f"{prompts} pairs have prompts that {what} has too"
        if users:
            yield f"{users} pairs are of users whom {what} has too"


def _warnings(
    prompts: int,
    sides: Sides,
    places: Places,
    counts: PreferenceCounts,
    pairs: int,
) -> Iterable[str]:
    if prompts < FEW:
        yield f"{prompts} prompts are few: whatever is learnt from them may be chance"
    yield from _gaps(sides)
    for word, picked in (("best", places.best), ("worst", places.worst)):
        if picked and picked.p < _UNEVEN:
            yield f"the {word} was picked unevenly by its place: {list(picked.counts)}, p = {picked.p:.3f}"
    if counts.duplicate_pairs > _COPIES * pairs:
        yield f"{counts.duplicate_pairs} of {pairs} pairs say what another says"
    if counts.chosen_of_several_prompts > _COPIES * pairs:
        yield f"{counts.chosen_of_several_prompts} of {pairs} prompts share their chosen answer with another"


def _gaps(sides: Sides) -> Iterable[str]:
    """Differences between chosen and rejected answers that DPO would learn first."""
    words = sides["words"]
    if words.gap.clear and abs(words.gap.mean) > _LONGER * words.rejected:
        kind = "longer" if words.gap.mean > 0 else "shorter"
        yield (
            f"chosen answers are {kind}: {words.chosen:.0f} words against {words.rejected:.0f} "
            f"(difference {words.gap.mean:+.0f}, 95 % interval {words.gap.low:+.0f} to "
            f"{words.gap.high:+.0f}); DPO will learn to answer {kind}"
        )
    worse_signs: tuple[tuple[Measure, int], ...] = (("repetition", 1), ("score", 1), ("names_item", -1))
    for name, worse in worse_signs:
        side = sides[name]
        if side.gap.clear and side.gap.mean * worse > 0:
            yield (
                f"chosen answers are the worse ones in {MEASURES[name]}: "
                f"{side.chosen:.2f} against {side.rejected:.2f}"
            )
