"""Prompts for tagging are unseen, each once, and balanced where there is a choice."""

from __future__ import annotations

import random
from collections import Counter

from rectune.align.select_prompts import balanced, select_prompts
from rectune.core.types import Prompt
from tests.align.examples import make_prompt


def prompts(counts: dict[tuple[str, str, str], int]) -> list[Prompt]:
    made = []
    for (domain, form, locale), count in counts.items():
        made += [make_prompt(len(made) + n, domain=domain, form=form, locale=locale) for n in range(count)]
    return made


def test_users_and_texts_of_training_and_test_are_left_out_and_counted() -> None:
    fresh = make_prompt(0)
    rows = [
        fresh,
        make_prompt(1, user="u7"),
        make_prompt(7, split="train"),
        make_prompt(2),
        make_prompt(2, split="test", user="other"),
        make_prompt(0, user="another"),
    ]
    found = select_prompts(rows, 0)
    assert found.prompts == [fresh]
    assert found.left_out == {
        "its user is in training or test": 1,
        "its text is in training or test": 1,
        "another prompt says the same": 1,
    }


def test_of_more_prompts_than_wanted_domains_kinds_and_locales_come_equally_often() -> None:
    made = prompts(
        {
            ("news", "direct", "en"): 50,
            ("news", "direct", "ko"): 50,
            ("news", "listwise", "en"): 20,
            ("books", "direct", "en"): 30,
            ("books", "listwise", "ko"): 10,
            ("games", "direct", "en"): 3,
        }
    )
    found = select_prompts(made, 43)
    assert (len(found.prompts), found.spare) == (43, len(made) - 43)
    assert found.balance().domain == {"books": 20, "games": 3, "news": 20}  # all that games has
    kinds = Counter((p.domain, p.form) for p in found.prompts)
    assert {kinds["news", "direct"], kinds["news", "listwise"], kinds["books", "direct"]} == {10}
    assert Counter(p.locale for p in found.prompts if (p.domain, p.form) == ("news", "direct")) == {
        "en": 5,
        "ko": 5,
    }
    assert found.prompts == [p for p in made if p in found.prompts]  # the order of the file


def test_the_choice_follows_from_the_prompts_and_not_from_their_order() -> None:
    made = prompts({("news", "direct", "en"): 20, ("books", "direct", "en"): 20})
    shuffled = random.Random(1).sample(made, len(made))
    assert {p.id for p in balanced(made, 9)} == {p.id for p in balanced(shuffled, 9)}


def test_all_are_taken_where_no_fewer_are_wanted() -> None:
    made = prompts({("news", "direct", "en"): 3})
    assert (
        select_prompts(made, 0).prompts
        == select_prompts(made, 3).prompts
        == select_prompts(made, 9).prompts
        == made
    )
