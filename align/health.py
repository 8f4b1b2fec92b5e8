"""The health check of a preference set: how chosen and rejected answers differ, and what is invalid.

DPO learns whatever distinguishes chosen from rejected, wanted or not: if chosen answers are longer, it learns
length. So the differences are measured before training, with warnings; an invalid set is refused.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean, stdev
from typing import Any

from rectune.align.agreement import uniform_p
from rectune.align.decisions import Decision
from rectune.align.preferences import Tagged
from rectune.core.errors import UserError
from rectune.core.stats.intervals import Z, wilson
from rectune.core.types import Preference, Prompt, prompt_hash
from rectune.filters.word_stats import repetition, word_score, words_of
from rectune.prompts.answers import read_answer
from rectune.prompts.title_index import TitleIndex

FEW = 30  # number of prompts below which the figures are unreliable
_FEW_TAGS = 20  # number of tags below which places are not tested, as in `rectune tag status`
_LONGER = 0.2  # of the rejected answers' mean length: a gap above it is learnt before anything else
_UNEVEN = 0.01  # the probability of the chi-square test below which places are called uneven
_COPIES = 0.05  # share of pairs that may say what another pair says

MEASURES = {
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


@dataclass(frozen=True)
class PreferenceHealth:
    """The result. `values` are the measures of every pair, by measure and side, for the plots."""

    pairs: int
    prompts: int
    sides: Mapping[str, ChosenRejectedMeans]
    chosen_longer: tuple[float, float, float]
    places: Mapping[str, Any]
    counts: Mapping[str, int]
    warnings: tuple[str, ...]
    refused: tuple[str, ...]
    values: Mapping[str, Mapping[str, Sequence[float]]]

    def document(self) -> dict[str, Any]:
        """All but the single values, with descriptions of the measures, for JSON."""
        found = asdict(self)
        del found["values"]
        return {name: _finite(value) for name, value in found.items()} | {"meanings": MEASURES}

    def stats(self) -> dict[str, Any]:
        """The part that is in the stage's figures too."""
        whole = self.document()
        return {"health": {name: whole[name] for name in ("sides", "counts", "places", "warnings")}}

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
        chosen_longer=(sum(longer) / len(longer), *wilson(sum(longer), len(longer))),
        places=places,
        counts=counts,
        warnings=tuple(_warnings(len(set(groups)), sides, places, counts, len(pairs))),
        refused=tuple(_refusals(counts)),
        values=values,
    )


def _values(
    pairs: Sequence[Preference], titles: Mapping[str, TitleIndex]
) -> dict[str, dict[str, list[float]]]:
    def names_item(pair: Preference, text: str) -> float:
        known = titles[pair.prompt.domain]
        return float(read_answer(text, known, known.places(pair.prompt.candidates)).recommended is not None)

    measures: dict[str, Callable[[Preference, str], float]] = {
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


def _places(tags: Sequence[Decision]) -> dict[str, Any]:
    """How often best and worst stood in each place as shown, and the probability of that by chance."""
    usual = Counter(len(tag.answers) for tag in tags).most_common(1)
    same = [tag for tag in tags if usual and len(tag.answers) == usual[0][0]]
    if len(same) < _FEW_TAGS:
        return {"tags": len(same)}
    found: dict[str, Any] = {"tags": len(same)}
    for word in ("best", "worst"):
        picked = Counter(tag.answers.index(getattr(tag, word)) for tag in same)
        counts = [picked[place] for place in range(len(same[0].answers))]
        found[word] = {"counts": counts, "p": round(uniform_p(counts), 4)}
    return found


def _counts(pairs: Sequence[Preference], prompts: Iterable[Prompt]) -> dict[str, int]:
    """What should be 0, counted in pairs."""
    others = [prompt for prompt in prompts if prompt.split != "preference"]
    texts = {split: {prompt_hash(p) for p in others if p.split == split} for split in ("train", "test")}
    users = {split: {(p.domain, p.user) for p in others if p.split == split} for split in ("train", "test")}
    said = Counter((prompt_hash(pair.prompt), pair.chosen, pair.rejected) for pair in pairs)
    first = {pair.prompt.id: pair.chosen for pair in reversed(pairs)}
    chosen = Counter(first.values())
    found = {
        "equal_texts": sum(pair.chosen.strip() == pair.rejected.strip() for pair in pairs),
        "duplicate_pairs": sum(count - 1 for count in said.values()),
        "chosen_of_several_prompts": sum(count for count in chosen.values() if count > 1),
    }
    for split, name in (("train", "sft"), ("test", "test")):
        found[f"prompts_in_{name}"] = sum(prompt_hash(pair.prompt) in texts[split] for pair in pairs)
        found[f"users_in_{name}"] = sum(
            (pair.prompt.domain, pair.prompt.user) in users[split] for pair in pairs
        )
    return found


def _refusals(counts: Mapping[str, int]) -> Iterable[str]:
    if counts["equal_texts"]:
        yield f"{counts['equal_texts']} pairs have one text as chosen and as rejected"
    for name, what in (("sft", "the supervised training"), ("test", "the test")):
        if counts[f"prompts_in_{name}"]:
            yield f"{counts[f'prompts_in_{name}']} pairs have prompts that {what} has too"
        if counts[f"users_in_{name}"]:
            yield f"{counts[f'users_in_{name}']} pairs are of users whom {what} has too"


def _warnings(
    prompts: int,
    sides: Mapping[str, ChosenRejectedMeans],
    places: Mapping[str, Any],
    counts: Mapping[str, int],
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
    for name, worse in (("repetition", 1), ("score", 1), ("names_item", -1)):
        side = sides[name]
        if side.gap.clear and side.gap.mean * worse > 0:
            means = f"{side.chosen:.2f} against {side.rejected:.2f}"
            yield f"chosen answers are the worse ones in {MEASURES[name]}: {means}"
    for word in ("best", "worst"):
        if word in places and places[word]["p"] < _UNEVEN:
            found = places[word]
            yield f"the {word} was picked unevenly by its place: {found['counts']}, p = {found['p']:.3f}"
    for name, what in (
        ("duplicate_pairs", "pairs say what another says"),
        ("chosen_of_several_prompts", "prompts share their chosen answer with another"),
    ):
        if counts[name] > _COPIES * pairs:
            yield f"{counts[name]} of {pairs} {what}"


def _finite(value: Any) -> Any:
    """The value, or None for NaN and infinity, which JSON lacks."""
    if isinstance(value, dict):
        return {name: _finite(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(inner) for inner in value]
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    return value
