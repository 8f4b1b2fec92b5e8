"""The health check finds what was planted in a preference set, and says nothing of a sound one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from rectune.align.decisions import Decision
from rectune.align.health import PreferenceHealth, examine
from rectune.align.health_page import markdown, write_health
from rectune.align.preferences import Tagged
from rectune.align.tasks import make_task
from rectune.core.errors import UserError
from rectune.core.figures.preferences import HealthReport, Places
from rectune.core.figures.read_records import read_figures
from rectune.core.figures.record import MeanInterval
from rectune.core.types import Item, Preference, Prompt, with_id
from rectune.prompts.title_index import TitleIndex
from tests.align.examples import FILMS, make_prompt

TITLES = {"movies": TitleIndex([Item("movies", item, title) for item, title in FILMS.items()])}
WORDS = ("slow", "quiet", "tense", "warm", "dark", "bright", "long")


def text(number: int, length: int, ending: str = "My recommendation: Heat") -> str:
    """A text of so many different words before its ending; texts of different numbers differ."""
    return " ".join(f"{WORDS[n % 7]}{number + n}" for n in range(length)) + f". {ending}"


def pair(number: int, chosen: str, rejected: str) -> Preference:
    return with_id(Preference("", make_prompt(number), chosen, rejected, "kim"))


def health(
    pairs: Sequence[Preference], prompts: Sequence[Prompt] = (), tags: Sequence[Tagged] = ()
) -> PreferenceHealth:
    return examine(tags, pairs, prompts, TITLES)


def sound(count: int = 40) -> list[Preference]:
    """Lengths that differ at random in both directions."""
    return [
        pair(n, text(n, 20 + n * 7 % 5), text(n + 500, 20 + (n * 11 + 3) % 5, "My recommendation: Ronin"))
        for n in range(count)
    ]


def test_a_sound_set_has_no_warning_and_is_not_refused() -> None:
    found = health(sound())
    assert (found.warnings, found.refused) == ((), ())
    found.check()
    assert found.sides["names_item"].chosen == found.sides["names_item"].rejected == 1.0
    assert found.sides["words"].gap.low < 0 < found.sides["words"].gap.high


def test_a_planted_length_gap_is_measured_and_warned_of() -> None:
    found = health([pair(n, text(n, 40 + n % 3), text(n + 500, 20 + n % 3)) for n in range(40)])
    gap = found.sides["words"].gap
    assert gap.mean == pytest.approx(20) and gap.low > 19 and gap.high < 21
    assert found.chosen_longer.share == 1.0 and found.chosen_longer.low > 0.9
    assert any("chosen answers are longer" in warning for warning in found.warnings)


def test_chosen_answers_that_name_nothing_or_repeat_themselves_are_warned_of() -> None:
    rambling = "again and again " * 8
    found = health([pair(n, f"{rambling} {n}", text(n, 26)) for n in range(40)])
    assert found.sides["names_item"].chosen == 0.0
    assert found.sides["repetition"].chosen > 0.5 > found.sides["repetition"].rejected
    said = " ".join(found.warnings)
    assert "recommends a real item" in said and "came before" in said and "response score" in said


def test_pairs_of_one_prompt_count_as_one_value() -> None:
    one = [pair(0, text(n, 30), text(n + 500, 20)) for n in range(7)]
    assert (
        health(one).sides["words"].gap.low != health(one).sides["words"].gap.low
    )  # not a number: one prompt
    assert health(one).prompts == 1
    assert "1 prompts are few" in health(one).warnings[0]


@pytest.mark.parametrize("split", ["train", "test"])
def test_prompts_and_users_of_training_and_test_are_refused(split: str) -> None:
    pairs = sound()
    same_text = health(pairs, [make_prompt(3, split=split, user="another")])
    assert same_text.counts.document()[f"prompts_in_{'sft' if split == 'train' else split}"] == 1
    same_user = health(pairs, [make_prompt(99, split=split, user="u3")])
    assert same_user.counts.document()[f"users_in_{'sft' if split == 'train' else split}"] == 1
    for found in (same_text, same_user):
        with pytest.raises(UserError, match="1 pairs"):
            found.check()
    health(pairs, [make_prompt(3)]).check()  # the preference split itself is no leak


def test_equal_texts_are_refused_and_copies_counted() -> None:
    with pytest.raises(UserError, match="1 pairs have one text"):
        health([*sound(), pair(80, "The same.", "The same. ")]).check()
    found = health([*sound(), *sound()[:4]])
    assert found.counts.duplicate_pairs == 4
    assert any("4 of 44 pairs say" in warning for warning in found.warnings)


def test_picks_that_hang_on_the_place_are_warned_of() -> None:
    tags = []
    for number in range(40):
        task = make_task(make_prompt(number), tuple(text(number + k, 9) for k in range(4)))
        worst = task.hashes[1 + number % 3]
        tags.append((task, Decision("tag", task.key, task.hashes, task.hashes[0], worst, "kim", 1.0, 1.0)))
    found = health(sound(), tags=tags)
    assert found.places.best.counts == (40, 0, 0, 0) and found.places.best.p < 0.001
    assert any("the best was picked unevenly" in warning for warning in found.warnings)
    assert health(sound(), tags=tags[:9]).places == Places(tags=9, best=None, worst=None)


def test_it_is_kept_as_json_markdown_and_picture(tmp_path: Path) -> None:
    found = health([pair(0, text(0, 40), text(1, 20))])
    write_health(tmp_path, found)
    kept = read_figures(HealthReport, tmp_path)
    assert kept.sides.words.gap == MeanInterval(mean=20.0, low=None, high=None)
    assert kept == found.report() and kept.sides == found.figures().sides
    assert (tmp_path / "health.png").read_bytes().startswith(b"\x89PNG")
    page = markdown(found)
    assert (tmp_path / "health.md").read_text() == page
    assert "| words an answer | 43.00 | 23.00 | +20.00 |" in page


def test_pairs_made_for_ranking_are_measured_apart_and_may_be_of_users_in_training() -> None:
    implied = [
        replace(pair(n, text(n, 40), text(n + 500, 20)), source="ranking", annotator="interactions")
        for n in range(60, 100)
    ]
    trained = make_prompt(500, split="train", user="u60")
    found = health([*sound(), *implied], [trained])
    found.check()
    assert (found.pairs, found.sources) == (40, {"tags": 40, "ranking": 40})
    assert found.sides == health(sound()).sides and found.ranking_sides["words"].gap.mean == 20
    assert found.warnings[0].startswith("made for ranking: chosen answers are longer")
    assert all(warning.startswith("made for ranking: ") for warning in found.warnings)
    page = markdown(found)
    assert "Beside them 40 pairs made for ranking" in page and "+20.00" in page
    with pytest.raises(UserError, match="1 pairs are of users whom the test has too"):
        health([*sound(), *implied], [make_prompt(501, split="test", user="u60")]).check()
