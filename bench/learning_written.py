"""Titles that the models of `bench.learning_curve` write themselves, and what became of them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from rectune.core.stats.intervals import share_of
from rectune.core.stats.metrics import UserBootstrap
from rectune.core.text.figures import share_in_words, with_ends
from rectune.core.text.tables import Cell, Table
from rectune.core.types import Case, Item, Locale
from rectune.evaluation.title_leaks import is_invented
from rectune.prompts.answers import closing, read_answer
from rectune.prompts.title_index import TitleIndex

LONGEST = 40  # tokens of a title
OUTCOMES = ("another item", "of the history", "invented", "nothing")


def read_written(file: Path) -> dict[str, str]:
    """Whole lines of case and text; the last one may have been cut short when the program was killed."""
    lines = file.read_text().splitlines() if file.exists() else []
    return dict(json.loads(line) for line in lines if line.endswith("]"))


def outcome(text: str, titles: TitleIndex, history: Iterable[str], locale: Locale) -> str:
    """One of `OUTCOMES`: whether the domain has the title, as it is or misspelt, and the user knows it."""
    if not text:
        return "nothing"
    answer = closing(locale, text)
    if is_invented(answer, titles):
        return "invented"
    read = read_answer(answer, titles)
    place = read.recommended if read.recommended is not None else titles.alike(read.words)[0]
    if place is None:
        return "nothing"
    return "of the history" if titles.ids(place) & set(history) else "another item"


def written_table(
    domain: str,
    items: Sequence[Item],
    cases: Sequence[Case],
    texts: Mapping[str, Mapping[str, str]],
    pairs: Sequence[tuple[str, str]],
    locale: Locale,
) -> Table:
    """A row a model with the share of each outcome, how many different texts it wrote, and the share of the
    text that it wrote most often: who repeats one title invents little. Then a row a pair: the first less the
    second.

    Args:
        domain, items: what was asked for.
        cases: whom for; every model wrote something for all of them.
        texts: by model and case.
        pairs: of models.
        locale: of the prompts.
    """
    titles, n = TitleIndex(items), len(cases)
    found = {
        name: [outcome(rows[case.id], titles, case.history, locale) for case in cases]
        for name, rows in texts.items()
    }
    rows: list[list[Cell]] = []
    for name, outcomes in found.items():
        counts = Counter(texts[name][case.id] for case in cases)
        most, times = counts.most_common(1)[0]
        often = f"{times / n:.3f} {most!r}"
        shares = (share_in_words(share_of(outcomes.count(kind), n)) for kind in OUTCOMES)
        rows.append([name, *shares, len(counts), often])
    bootstrap = UserBootstrap([case.id for case in cases], 5000, 7)
    for one, other in pairs:
        if one in found and other in found:
            told = []
            for kind in OUTCOMES:
                gap = [(a == kind) - float(b == kind) for a, b in zip(found[one], found[other], strict=True)]
                told.append(with_ends(sum(gap) / n, bootstrap.interval(gap), signed=True))
            rows.append([f"{one}, less {other}", *told, "", ""])
    heads = ("title written", *OUTCOMES, "different ones", "most often")
    return Table(heads, rows, domain, f"{n} users; the likeliest tokens, one title each")
