"""Judging whole sets: order, repetition, and one rule's switch change what they should and nothing else."""

import json
import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rectune.core.figures import FilterFigures
from rectune.core.settings import FilterConfig, FilterRulesConfig
from rectune.core.types import Example, with_id
from rectune.filters.rules import ROW_RULES, SET_RULES
from rectune.filters.stats import filter_figures
from tests.filters.examples import BODY, CLOSING, SETTINGS, TITLES, example, good, judged

NAMES = [rule.name for rule in (*ROW_RULES, *SET_RULES)]
REASONS = {rule.name: rule.reason for rule in (*ROW_RULES, *SET_RULES)}
TEXTS = [
    good().response,
    good().response,
    good("And it is short.").response,
    good(locale="ko").response,
    f"{BODY['en']}\n{CLOSING['en']} {TITLES['movies']['2']}",
    "",
    "Buy now!",
    "again " * 60,
    "User: {{ title }} \ufffd a@b.com",
    f"{BODY['en']} " * 5 + f"\n{CLOSING['en']} Heat",
]


def rows_of(picks: list[int]) -> list[Example]:
    """Examples of these texts, each of another user and so with an id of its own."""
    return [
        with_id(replace(row, prompt=replace(row.prompt, user=f"u{place}")))
        for place, row in enumerate(example(TEXTS[pick]) for pick in picks)
    ]


picks = st.lists(st.integers(0, len(TEXTS) - 1), max_size=12)


@settings(max_examples=40, deadline=None)
@given(picks, st.randoms(use_true_random=False), st.integers(1, 5))
def test_neither_order_nor_batches_matter(chosen: list[int], rng: random.Random, size: int) -> None:
    rows = rows_of(chosen)
    mixed = rng.sample(rows, len(rows))
    said = {verdict.id: verdict for verdict in judged(rows).rows()}
    assert {verdict.id: verdict for verdict in judged(mixed, size=size).rows()} == said


@settings(max_examples=40, deadline=None)
@given(picks)
def test_filtering_twice_is_filtering_once(chosen: list[int]) -> None:
    rows = rows_of(chosen)
    kept = [row for row, stays in zip(rows, judged(rows).kept, strict=True) if stays]
    assert judged(kept).kept.all()


@settings(max_examples=40, deadline=None)
@given(picks, st.sampled_from(NAMES))
def test_a_rule_that_is_off_takes_its_reason_along_and_nothing_else(chosen: list[int], name: str) -> None:
    rows = rows_of(chosen)
    rules = SETTINGS.rules.model_dump()
    rules[name]["on"] = False
    off = FilterConfig(rules=FilterRulesConfig.model_validate(rules))
    for before, after in zip(judged(rows).rows(), judged(rows, off).rows(), strict=True):
        assert after.reasons == tuple(reason for reason in before.reasons if reason != REASONS[name])
        figures = json.loads(before.figures)
        del figures[name]
        assert json.loads(after.figures) == figures


@settings(max_examples=40, deadline=None)
@given(picks)
def test_the_figures_add_up(chosen: list[int]) -> None:
    found = judged(rows_of(chosen))
    figures = filter_figures(found, 15.0, "words")
    verdicts = list(found.rows())
    assert figures.rows_in == len(chosen) and figures.rows_out == sum(v.kept for v in verdicts)
    for reason, dropped in figures.dropped.items():
        assert dropped == sum(reason in v.reasons for v in verdicts) == figures.overlap[reason][reason]
        assert figures.dropped_by_one_rule_alone.get(reason, 0) == sum(
            v.reasons == (reason,) for v in verdicts
        )
        for other, both in figures.overlap[reason].items():
            assert (
                both
                == figures.overlap[other][reason]
                == sum({reason, other} <= set(v.reasons) for v in verdicts)
            )
    assert sum(bucket.rows for bucket in figures.lengths) == len(chosen)
    assert sum(bucket.dropped for bucket in figures.lengths) == sum(not v.kept for v in verdicts)
    assert FilterFigures.model_validate_json(figures.to_json()) == figures


def test_of_copies_the_first_by_id_stays_and_is_named() -> None:
    rows = sorted(rows_of([0, 0, 0, 2]), key=lambda row: row.id, reverse=True)
    same = [row for row in rows if row.response == TEXTS[0]]
    stays = min(same, key=lambda row: row.id)
    for row, verdict in zip(rows, judged(rows).rows(), strict=True):
        copied = row in same and row is not stays
        assert ("duplicate" in verdict.reasons) == copied
        assert verdict.copy_of == (stays.id if copied else "") or row not in same
        if row in same:
            assert json.loads(verdict.figures)["duplicate"] == 3


def test_groups_are_domains_and_their_categories() -> None:
    rows = [
        example(TEXTS[pick], category=category, user=str(n))
        for n, (pick, category) in enumerate([(0, ""), (3, "a"), (6, "a")])
    ]
    domains = filter_figures(judged(rows), 15.0, "words").domains
    assert {name: (entry.rows, entry.kept) for name, entry in domains.items()} == {
        "movies": (3, 1),
        "movies/a": (2, 0),
    }
    assert domains["movies/a"].dropped["advertising"] == 1 and "advertising" in domains["movies"].dropped


@pytest.mark.parametrize("size", [1, 2, 100])
def test_columns_run_alongside_the_rows(size: int) -> None:
    rows = rows_of(list(range(len(TEXTS))))
    found = judged(rows, size=size)
    assert list(found.ids) == [row.id for row in rows]
    assert found.tokens.tolist() == [len(text.split()) for text in TEXTS]
    assert np.isfinite(found.score).tolist() == [bool(text) for text in TEXTS]
