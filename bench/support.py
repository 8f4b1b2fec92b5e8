"""`python -m bench.support [--variants | --errors]`: how well the check of reasons tells good from bad.

400 reasons were written by hand (`tests/recommender/planted_reasons.*.json`), 100 good and 100 bad in each
language, four for each of 50 items. Every second item sets the share of unsupported words: the smallest one
that rejects at most one good reason in ten, since a template sentence stands in for what is rejected. The
others are held out. Printed are the bad reasons that would go out and the good ones that would not, with 95 %
Wilson intervals: by that share alone, and by the whole check with the share that is the default. `--variants`
compares other ways to count, and `--errors` prints the errors, on the half that sets the share alone.
"""

from __future__ import annotations

import argparse
import collections
import json
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from rectune.core.settings import FilterConfig
from rectune.core.stats.intervals import wilson
from rectune.core.text.common_words import FUNCTION_WORDS
from rectune.core.text.morphemes import morphemes_of
from rectune.core.text.support import content_words
from rectune.core.text.tables import Table
from rectune.core.types import Item, Locale
from rectune.filters.rules.unsupported import facts_of, support_of
from rectune.filters.title_masking import MASK, mask
from rectune.prompts.title_index import TitleIndexes
from rectune.recommender.explanation_request import ExplanationRequest
from rectune.recommender.reason_checks import fault
from rectune.retrieval.grounding import Grounding

_FOLDER = Path(__file__).parents[1] / "tests/recommender"
_SHARES = [share / 100 for share in range(101)]
_WORD = re.compile(r"\w+")
Terms = Callable[[str], set[str]]


@dataclass(frozen=True)
class Planted:
    """A reason, what it was written for, and whether it is good; `kind` says what is wrong with a bad one."""

    request: ExplanationRequest
    text: str
    kind: str

    @property
    def body(self) -> str:
        """The reason as a model would have written it, behind the opening."""
        return f"{self.request.opening} {self.text}"

    @property
    def titles(self) -> list[str]:
        """The titles that it may name."""
        return [self.request.item.title, *(item.title for item in self.request.liked)]

    @property
    def known(self) -> list[str]:
        """What is known besides the facts of the item."""
        liked = [f"{item.title}\n{facts_of(item)}" for item in self.request.liked]
        return [self.request.item.title, *liked]


class Titles(Grounding):
    """A catalogue that only knows its titles."""

    def __init__(self, items: Sequence[Item]) -> None:
        self.titles = TitleIndexes(items)


def read_planted(locale: Locale) -> tuple[list[Planted], list[Planted]]:
    """The half that sets the share, and the other one."""
    rows = json.loads((_FOLDER / f"planted_reasons.{locale}.json").read_text(encoding="utf-8"))
    halves: tuple[list[Planted], list[Planted]] = ([], [])
    for number, row in enumerate(rows):
        item = _item(row["domain"], f"{number}", **row["item"])
        liked = [_item(row["domain"], f"{number}-{n}", **one) for n, one in enumerate(row["history"])]
        request = ExplanationRequest(item, tuple(liked), row["query"], locale)
        half = halves[number % 2]
        half += [Planted(request, text, "") for text in row["good"]]
        half += [Planted(request, one["text"], one["kind"]) for one in row["bad"]]
    return halves


def best_share(shares: Sequence[float], good: Sequence[bool]) -> tuple[float, int, int]:
    """The smallest share that rejects at most one good reason in ten, the bad ones that it lets through, and
    the good ones that it rejects. A share that is NaN rejects.
    """
    rows = list(zip(shares, good, strict=True))
    for most in _SHARES:
        rejected = sum(not share <= most for share, is_good in rows if is_good)
        if 10 * rejected <= sum(good):
            break
    return most, sum(share <= most for share, is_good in rows if not is_good), rejected


def share_of(one: Planted) -> float:
    """The share of its content words that stand nowhere."""
    facts = facts_of(one.request.item)
    return support_of(one.body, one.titles, one.request.query, facts, one.known).share


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.support", description=__doc__)
    parser.add_argument("--variants", action="store_true", help="the half that sets the share alone")
    parser.add_argument("--errors", action="store_true", help="the errors on the half that sets the share")
    given = parser.parse_args()
    for locale in get_args(Locale):
        setting, held_out = read_planted(locale)
        if given.variants:
            print(_variants(locale, setting).to_markdown(), end="\n\n")
        elif given.errors:
            print("\n".join(_errors(setting)), end="\n\n")
        else:
            print(_rates(locale, setting, held_out).to_markdown(), end="\n\n")
            print(_kinds(held_out).to_markdown(), end="\n\n")


def _rates(locale: Locale, setting: Sequence[Planted], held_out: Sequence[Planted]) -> Table:
    share, _, _ = best_share([share_of(one) for one in setting], [not one.kind for one in setting])
    used = getattr(FilterConfig().rules.unsupported, locale)
    rows = list[list[str]]()
    for name, half in (("sets the share", setting), ("held out", held_out)):
        grounding = _catalogue([*setting, *held_out])
        alone = [share_of(one) <= share for one in half]
        whole = [not fault(one.body, one.request, grounding) for one in half]
        rows += [[f"{name}, share {share} alone", *_shown(half, alone)]]
        rows += [[f"{name}, all checks (share {used})", *_shown(half, whole)]]
    return Table([locale, "bad ones let through", "good ones rejected"], rows)


def _shown(half: Sequence[Planted], passes: Sequence[bool]) -> list[str]:
    bad = [passed for one, passed in zip(half, passes, strict=True) if one.kind]
    good = [not passed for one, passed in zip(half, passes, strict=True) if not one.kind]
    return [_rate(bad), _rate(good)]


def _rate(errors: Sequence[bool]) -> str:
    low, high = wilson(sum(errors), len(errors))
    return f"{sum(errors)} of {len(errors)}: {sum(errors) / len(errors):.2f} ({low:.2f} to {high:.2f})"


def _kinds(half: Sequence[Planted]) -> Table:
    grounding = _catalogue(half)
    found = collections.defaultdict[str, list[bool]](list)
    for one in half:
        if one.kind:
            found[one.kind].append(not fault(one.body, one.request, grounding))
    rows = [[kind, f"{sum(through)} of {len(through)}"] for kind, through in sorted(found.items())]
    return Table(["held out, all checks", "let through"], rows)


def _errors(half: Sequence[Planted]) -> Iterator[str]:
    grounding = _catalogue(half)
    for one in half:
        said = fault(one.body, one.request, grounding)
        if bool(said) != bool(one.kind):
            yield f"{one.kind or 'good'}: {said or 'passes'} ({share_of(one):.2f}): {one.text}"


def _variants(locale: Locale, half: Sequence[Planted]) -> Table:
    good = [not one.kind for one in half]
    ways = {"as it is": [share_of(one) for one in half]}
    names: dict[str, Terms] = {
        "without asking for two words of the item's own": lambda text: set(content_words(text).all),
        "words as they are written": _written,
        "general words counted too": _all_terms,
    }
    ways |= {name: [_share(one, terms) for one in half] for name, terms in names.items()}
    weights = _idf(half)
    ways["weighted by idf"] = [
        _share(one, lambda text: set(content_words(text).all), weights) for one in half
    ]
    rows = [[name, *map(str, best_share(shares, good))] for name, shares in ways.items()]
    return Table(
        [f"{locale}, {len(half)} reasons", "share", "bad ones let through", "good ones rejected"], rows
    )


def _share(one: Planted, terms: Terms, weights: dict[str, float] | None = None) -> float:
    said = terms(
        mask(one.body, [*one.titles, one.request.query]).replace(MASK, "이것" if _korean(one) else " ")
    )
    known = set[str]().union(*map(terms, [facts_of(one.request.item), *one.known, one.request.query]))
    rare = max(weights.values()) if weights else 1.0
    weight = {term: (weights or {}).get(term, rare) for term in said}
    return sum(weight[term] for term in said - known) / sum(weight.values()) if said else 1.0


def _korean(one: Planted) -> bool:
    return one.request.locale == "ko"


def _written(text: str) -> set[str]:
    return {word for word in _WORD.findall(text.casefold()) if word not in FUNCTION_WORDS}


def _all_terms(text: str) -> set[str]:
    (morphemes,) = morphemes_of([text])
    latin = " ".join(re.findall(r"[A-Za-z]+", text))
    general = {word for word in latin.casefold().split() if word not in FUNCTION_WORDS}
    return {one.form for one in morphemes} | set(content_words(text).all) | general


def _idf(half: Sequence[Planted]) -> dict[str, float]:
    texts = {facts_of(one.request.item) for one in half}
    counts = collections.Counter(term for text in texts for term in content_words(text).all)
    return {term: math.log(len(texts) / count) for term, count in counts.items()}


def _catalogue(planted: Sequence[Planted]) -> Titles:
    return Titles(
        list(
            {
                item.item_id: item for one in planted for item in (one.request.item, *one.request.liked)
            }.values()
        )
    )


def _item(domain: str, item_id: str, title: str, categories: list[str], **more: Any) -> Item:
    facts = tuple(more.get("facts", ()))
    return Item(
        domain, item_id, title, tuple(categories), more.get("description", ""), more.get("year"), facts
    )


if __name__ == "__main__":
    main()
