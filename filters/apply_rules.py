"""Applying all enabled rules to all responses; all reasons are recorded, not only the first."""

from __future__ import annotations

import json
import typing
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rectune.core import settings
from rectune.core.types import Verdict
from rectune.filters.rules import ResponseBatch, row_rules, set_rules
from rectune.filters.rules.unsupported import facts_of
from rectune.filters.tokenization import score_texts
from rectune.prompts.title_index import TitleIndexes

if typing.TYPE_CHECKING:
    import pyarrow as pa

    from rectune.filters.rules.base import Column, Ints, Mask


@dataclass(frozen=True)
class Verdicts:
    """The verdicts on n rows, as columns in their order.

    `figures` has one column per rule, by its name; `drops` one per rule, by its reason. `first` is the place
    of the kept row if this one is a copy of it, else its own.
    """

    ids: Sequence[str]
    domains: Sequence[str]
    categories: Sequence[str]
    score: Column
    tokens: Ints
    distinct: Ints
    figures: dict[str, Column]
    drops: dict[str, Mask]
    first: Ints

    @property
    def kept(self) -> Mask:
        """Rows that no rule drops."""
        import numpy as np

        dropped: Mask = np.logical_or.reduce([np.zeros(len(self.ids), dtype=bool), *self.drops.values()])
        return ~dropped

    def reasons(self, place: int) -> tuple[str, ...]:
        """The reasons for dropping the row at this place; empty if it is kept."""
        return tuple(reason for reason, drops in self.drops.items() if drops[place])

    def rows(self, start: int = 0, stop: int | None = None) -> Iterator[Verdict]:
        """The same, row by row."""
        for place in range(*slice(start, stop).indices(len(self.ids))):
            reasons, first = self.reasons(place), int(self.first[place])
            figures = {name: _figure(column[place]) for name, column in self.figures.items()}
            yield Verdict(
                id=self.ids[place],
                domain=self.domains[place],
                category=self.categories[place],
                score=_figure(self.score[place]),
                tokens=int(self.tokens[place]),
                distinct=int(self.distinct[place]),
                kept=not reasons,
                reasons=reasons,
                figures=json.dumps(figures),
                copy_of="" if first == place else self.ids[first],
            )


def apply_rules(batches: Iterable[ResponseBatch], config: settings.FilterConfig) -> Verdicts:
    """One verdict per row, in their order; the batches are read once and not kept."""
    import numpy as np

    rules, copies = row_rules(config), set_rules(config)
    parts = _Parts()
    for batch in batches:
        parts.add(batch)
        for rule in rules:
            column = rule.figures(batch)
            parts.figures.setdefault(rule.name, []).append(column)
            parts.drops.setdefault(rule.reason, []).append(rule.drops(column, batch))
        for copy in copies:
            copy.add(batch)
    if not parts.ids:
        return _nothing()
    figures = {name: np.concatenate(columns) for name, columns in parts.figures.items()}
    drops = {reason: np.concatenate(columns) for reason, columns in parts.drops.items()}
    first = own = np.arange(len(parts.ids))
    for copy in copies:
        settled = copy.settle(parts.ids)
        figures[copy.name], drops[copy.reason] = settled.figures, settled.drops
        first = np.where(first == own, settled.first, first)
    return Verdicts(
        parts.ids,
        parts.domains,
        parts.categories,
        np.concatenate(parts.score),
        np.concatenate(parts.tokens),
        np.concatenate(parts.distinct),
        figures,
        drops,
        first,
    )


def measure(columns: pa.RecordBatch, catalogue: TitleIndexes, tokenizer: Any) -> ResponseBatch:
    """Arrow columns of examples as what the rules read; KeyError if a domain lacks one of their items.

    Args:
        tokenizer: the base model's; its tokens are counted.
    """
    prompt = columns.column("prompt")
    names = ("domain", "category", "locale", "instruction", "query", "target", "history_domain")
    domains, categories, locales, instructions, queries, targets, known = (
        prompt.field(name).to_pylist() for name in names
    )
    histories, candidates = (prompt.field(name).to_pylist() for name in ("history", "candidates"))
    named, shown = list[list[str]](), list[list[int]]()
    facts, sources = list[str](), list[list[str]]()
    for domain, target, others, of, history in zip(
        domains, targets, candidates, known, histories, strict=True
    ):
        own = [catalogue[domain].item(item).title for item in (target, *others)]
        liked = [catalogue[of].item(item) for item in history]
        titles = dict.fromkeys([*own, *(item.title for item in liked)])
        places = {title: place for place, title in enumerate(titles)}
        named.append(list(places))
        shown.append([places[title] for title in own[1:]])
        facts.append(facts_of(catalogue[domain].item(target)))
        sources.append([own[0], *(f"{item.title}\n{facts_of(item)}" for item in liked)])
    responses = columns.column("response").to_pylist()
    return ResponseBatch(
        ids=columns.column("id").to_pylist(),
        domains=domains,
        categories=categories,
        locales=locales,
        instructions=instructions,
        queries=queries,
        responses=responses,
        titles=named,
        shown=shown,
        facts=facts,
        known=sources,
        catalogue=catalogue,
        **score_texts(tokenizer, responses),
    )


class _Parts:
    """Columns of the batches read so far, with one string object per domain."""

    def __init__(self) -> None:
        self.ids, self.domains, self.categories = list[str](), list[str](), list[str]()
        self.score, self.tokens, self.distinct = list["Column"](), list["Ints"](), list["Ints"]()
        self.figures, self.drops = dict[str, list["Column"]](), dict[str, list["Mask"]]()
        self._seen = dict[str, str]()

    def add(self, batch: ResponseBatch) -> None:
        self.ids += batch.ids
        self.domains += [self._seen.setdefault(name, name) for name in batch.domains]
        self.categories += [self._seen.setdefault(name, name) for name in batch.categories]
        self.score.append(batch.score)
        self.tokens.append(batch.tokens)
        self.distinct.append(batch.distinct)


def _nothing() -> Verdicts:
    import numpy as np

    whole = np.zeros(0, dtype=np.int64)
    return Verdicts([], [], [], np.zeros(0), whole, whole, {}, {}, whole)


def _figure(value: Any) -> float | None:
    """A figure for JSON: six decimals, None for NaN."""
    return round(float(value), 6) if value == value else None
