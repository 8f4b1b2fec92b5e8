"""The health check of a preference set: how chosen and rejected answers differ, and what is invalid.

DPO learns whatever distinguishes chosen from rejected, wanted or not: if chosen answers are longer, it learns
length. So the differences are measured before training, with warnings; an invalid set is refused.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from rectune.align.agreement import uniform_p
from rectune.align.decisions import Decision
from rectune.align.preferences import Tagged
from rectune.core.errors import UserError
from rectune.core.figures.preferences import (
    HealthFigures,
    HealthReport,
    Measure,
    PlaceCounts,
    Places,
    PreferenceCounts,
    PreferenceSides,
    SideMeans,
)
from rectune.core.figures.record import MeanInterval, ShareInterval
from rectune.core.stats.intervals import Z, share_of
from rectune.core.types import Preference, Prompt, prompt_hash
from rectune.filters.word_stats import repetition, word_score, words_of
from rectune.prompts.answers import read_answer
from rectune.prompts.title_index import TitleIndex

FEW = 30  # number of prompts below which the figures are unreliable
_FEW_TAGS = 20  # number of tags below which places are not tested, as in `rectune tag status`
_LONGER = 0.2  # of the rejected answers' mean length: a gap above it is learnt before anything else
_UNEVEN = 0.01  # the probability of the chi-square test below which places are called uneven
_COPIES = 0.05  # share of pairs that may say what another pair says

MEASURES: dict[Measure, str] = {
    "words": "words an answer",
    "repetition": "share of 3-word runs that came before",
    "score": "response score ln(L)*L/C, in words",
    "names_item": "share that recommends a real item",
}


@dataclass(frozen=True)
class MeanWithInterval:
    """A mean with its 95 % interval; the bounds are NaN for fewer than two values."""

    mean: float
    low: float
    high: float

    @property
    def clear(self) -> bool:
        """Whether the interval excludes 0."""
        return self.low > 0 or self.high < 0


def mean_of(values: Iterable[float], groups: Iterable[str]) -> MeanWithInterval:
    """The mean of the groups' means, and its interval by the normal approximation.

    Args:
        values: one figure per pair, at least one.
        groups: the group of each pair; pairs of one prompt are not independent and count as one value.
    """
    found: dict[str, list[float]] = {}
    for value, group in zip(values, groups, strict=True):
        found.setdefault(group, []).append(value)
    means = [fmean(row) for row in found.values()]
    middle = fmean(means)
    if len(means) < 2:
        return MeanWithInterval(middle, math.nan, math.nan)
    spread = Z * stdev(means) / math.sqrt(len(means))
    return MeanWithInterval(middle, middle - spread, middle + spread)


@dataclass(frozen=True)
class ChosenRejectedMeans:
    """One measure on both sides: means over the prompts, and the mean difference chosen - rejected."""

    chosen: float
    rejected: float
    gap: MeanWithInterval

    def rounded(self) -> SideMeans:
        """For the stage's figures, to six decimals."""
        low, high = (round(end, 6) if math.isfinite(end) else None for end in (self.gap.low, self.gap.high))
        gap = MeanInterval(mean=round(self.gap.mean, 6), low=low, high=high)
        return SideMeans(chosen=round(self.chosen, 6), rejected=round(self.rejected, 6), gap=gap)


@dataclass(frozen=True)
class PreferenceHealth:
    """The result. `values` are the measures of every pair, by measure and side, for the plots."""

    pairs: int
    prompts: int
    sides: Mapping[Measure, ChosenRejectedMeans]
    chosen_longer: ShareInterval
    places: Places
    counts: PreferenceCounts
    warnings: tuple[str, ...]
    refused: tuple[str, ...]
    values: Mapping[Measure, Mapping[str, Sequence[float]]]

    def figures(self) -> HealthFigures:
        """All but the single values, with descriptions of the measures, for JSON."""
        return HealthFigures(
            sides=PreferenceSides(**{name: side.rounded() for name, side in self.sides.items()}),
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
        pairs: at least one.
        prompts: all prompts of the run, those of training and test among them.
        titles: of the pairs' domains.
    """
    groups = [pair.prompt.id for pair in pairs]
    values = _values(pairs, titles)
    sides = {name: _side(both["chosen"], both["rejected"], groups) for name, both in values.items()}
    words = values["words"]
    longer = [
        0.5 if a == b else float(a > b) for a, b in zip(words["chosen"], words["rejected"], strict=True)
    ]
    places = _places([tag for _, tag in tagged])
    counts = _counts(pairs, prompts)
    return PreferenceHealth(
        pairs=len(pairs),
        prompts=len(set(groups)),
        sides=sides,
        chosen_longer=share_of(sum(longer), len(longer)),
        places=places,
        counts=counts,
        warnings=tuple(_warnings(len(set(groups)), sides, places, counts, len(pairs))),
        refused=tuple(_refusals(counts)),
        values=values,
    )


def _values(
    pairs: Sequence[Preference], titles: Mapping[str, TitleIndex]
) -> dict[Measure, dict[str, list[float]]]:
    def names_item(pair: Preference, text: str) -> float:
        known = titles[pair.prompt.domain]
        return float(read_answer(text, known, known.places(pair.prompt.candidates)).recommended is not None)

    measures: dict[Measure, Callable[[Preference, str], float]] = {
        "words": lambda _, text: float(len(words_of(text))),
        "repetition": lambda _, text: repetition(text),
        "score": lambda _, text: word_score(text),
        "names_item": names_item,
    }
    return {
        name: {
            "chosen": [measure(pair, pair.chosen) for pair in pairs],
            "rejected": [measure(pair, pair.rejected) for pair in pairs],
        }
        for name, measure in measures.items()
    }


def _side(chosen: Sequence[float], rejected: Sequence[float], groups: Sequence[str]) -> ChosenRejectedMeans:
    gaps = [a - b for a, b in zip(chosen, rejected, strict=True)]
    return ChosenRejectedMeans(
        mean_of(chosen, groups).mean, mean_of(rejected, groups).mean, mean_of(gaps, groups)
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
    """What should be 0, counted in pairs."""
    others = [prompt for prompt in prompts if prompt.split != "preference"]
    texts = {split: {prompt_hash(p) for p in others if p.split == split} for split in ("train", "test")}
    users = {split: {(p.domain, p.user) for p in others if p.split == split} for split in ("train", "test")}
    said = Counter((prompt_hash(pair.prompt), pair.chosen, pair.rejected) for pair in pairs)
    first = {pair.prompt.id: pair.chosen for pair in reversed(pairs)}
    chosen = Counter(first.values())
    hashes = [prompt_hash(pair.prompt) for pair in pairs]
    owners = [(pair.prompt.domain, pair.prompt.user) for pair in pairs]
    return PreferenceCounts(
        equal_texts=sum(pair.chosen.strip() == pair.rejected.strip() for pair in pairs),
        duplicate_pairs=sum(count - 1 for count in said.values()),
        chosen_of_several_prompts=sum(count for count in chosen.values() if count > 1),
        prompts_in_sft=sum(one in texts["train"] for one in hashes),
        users_in_sft=sum(one in users["train"] for one in owners),
        prompts_in_test=sum(one in texts["test"] for one in hashes),
        users_in_test=sum(one in users["test"] for one in owners),
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
    sides: Mapping[Measure, ChosenRejectedMeans],
    places: Places,
    counts: PreferenceCounts,
    pairs: int,
) -> Iterable[str]:
    if prompts < FEW:
        yield f"{prompts} prompts are few: whatever is learnt from them may be chance"
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
    for word, picked in (("best", places.best), ("worst", places.worst)):
        if picked and picked.p < _UNEVEN:
            yield f"the {word} was picked unevenly by its place: {list(picked.counts)}, p = {picked.p:.3f}"
    if counts.duplicate_pairs > _COPIES * pairs:
        yield f"{counts.duplicate_pairs} of {pairs} pairs say what another says"
    if counts.chosen_of_several_prompts > _COPIES * pairs:
        yield f"{counts.chosen_of_several_prompts} of {pairs} prompts share their chosen answer with another"
