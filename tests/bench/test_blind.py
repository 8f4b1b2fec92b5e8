"""bench.blind: both orders of every pair, verdicts that are refused, and what a fair reader gives."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.blind import (
    Shown,
    Verdict,
    check_lines,
    check_passes,
    pass_texts,
    read_verdicts,
    summary,
    to_read,
    two_passes,
)
from rectune.align.comparison import PairwiseComparison, make_comparison
from rectune.core.catalogue import Catalogue
from rectune.core.errors import UserError
from rectune.core.types import Candidate, Item, with_id
from tests.align.examples import PROVENANCE, make_prompt

ITEMS = [
    Item("films", "f1", "Harbour Lights", categories=("Drama",), description="A drama about a harbour town."),
    Item("films", "f2", "The Long Road", categories=("Western",), description="A western about a long ride."),
]

CATALOGUE = Catalogue({(one.domain, one.item_id): one for one in ITEMS})


def comparison() -> PairwiseComparison:
    """To the last prompt both say the same; only the answers of dpo name an item."""
    plain = {"domain": "films", "history_domain": "films", "history": ("f2",)}
    asked = [make_prompt(n, **plain) for n in range(4)]
    good = "This drama is about a harbour town.\nMy recommendation: Harbour Lights"

    def of(system: str) -> list[Candidate]:
        texts = [good if system == "dpo" else f"Something good, number {n}." for n in range(3)] + ["Same."]
        return [with_id(Candidate("", p.id, 0, t, PROVENANCE)) for p, t in zip(asked, texts, strict=True)]

    return make_comparison(asked, {"sft": of("sft"), "dpo": of("dpo")})


def prefers(system: str, shown: list[Shown]) -> list[Verdict]:
    return ["a" if one.task.systems[one.first] == system else "b" for one in shown]


def all_of(made: PairwiseComparison, seed: int = 7) -> list[Shown]:
    return [one for some in two_passes(made, seed) for one in some]


def test_each_pass_has_every_pair_once_in_the_other_order_of_the_other_pass() -> None:
    made, orders = comparison(), set()
    for seed in range(20):
        one, other = ({one.task.prompt.id: one.first for one in some} for some in two_passes(made, seed))
        assert len(one) == 3 and {prompt: 1 - first for prompt, first in one.items()} == other
        orders.add((tuple(one), tuple(other), tuple(one.values())))
    first, second, systems = (set(some) for some in zip(*orders, strict=True))
    assert len(first) == len(second) == 6 and len(systems) == 8  # every order and every turn comes
    assert any(one != other for one, other, _ in orders)  # the second is not the first again


def test_verdicts_on_other_comparisons_are_refused(tmp_path: Path) -> None:
    made = comparison()
    one, other = (pass_texts(to_read(all_of(made, seed), CATALOGUE)[0]) for seed in (7, 8))
    assert [text.count("\n") for text in one.values()] == [3, 3]
    assert json.loads(one["pass-2.jsonl"].splitlines()[0])["number"] == 4
    with pytest.raises(UserError, match=r"pass-1\.jsonl: is not there"):
        check_passes(tmp_path, one)
    for name, text in one.items():
        (tmp_path / name).write_text(text)
    check_passes(tmp_path, one)
    with pytest.raises(UserError, match="holds other comparisons"):
        check_passes(tmp_path, other)


def test_every_pair_is_shown_once_in_each_order_and_without_names() -> None:
    shown = all_of(comparison())
    assert len(shown) == 6 == len({(one.task.prompt.id, one.first) for one in shown})
    rows, key = to_read(shown, CATALOGUE)
    assert not any("sft" in str(row) or "dpo" in str(row) for row in rows)
    assert all(row["a" if key[str(row["number"])][0] == "dpo" else "b"].endswith("Lights") for row in rows)


def test_a_fair_reader_finds_the_better_model_and_one_who_takes_the_first_finds_nothing() -> None:
    made = comparison()
    shown = all_of(made)
    fair = summary(made, shown, prefers("dpo", shown))
    assert "3 won, 1 tied, 1 of them with one and the same answer, 0 lost" in fair[0]
    assert "prompts: 0.875" in fair[1] and "p = 0.250" in fair[1]
    assert fair[2].split(": ")[1].startswith("0.000")
    first = summary(made, shown, ["a"] * 6)
    assert "0 won, 4 tied" in first[0] and "p = 1.000" in first[1]
    assert [line.split(": ")[1][:5] for line in first[2:]] == ["1.000", "1.000"]
    assert "0 won, 1 tied" in summary(made, shown, prefers("sft", shown))[0]


def test_only_answers_that_name_an_item_with_reasons_from_its_facts_pass() -> None:
    sft, dpo = check_lines(comparison(), CATALOGUE)
    assert sft.startswith("sft: pass 0.000") and "names no item, or one of the history 3" in sft
    assert dpo.startswith("dpo: pass 1.000")


@pytest.mark.parametrize("text", ["1 a\n2 c", "1 a", "1 a\n1 b\n2 a", "1 a\n2 b\n3 a", "one a\n2 b"])
def test_verdicts_that_are_not_one_a_comparison_are_refused(text: str) -> None:
    with pytest.raises(UserError):
        read_verdicts(text, 2)
    assert read_verdicts("2 tie\n\n1 a\n", 2) == ["a", "tie"]
