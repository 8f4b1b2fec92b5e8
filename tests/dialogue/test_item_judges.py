"""Scores from 1 to 10 and answers of yes or no, of a model whose likelihoods are known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rectune.core.types import Item
from rectune.dialogue.item_judges import (
    ClaimJudge,
    ModelJudge,
    expected_score,
    label_probabilities,
    prompt_claims,
)
from tests.dialogue.scripted_judge import ScriptedJudge, certain, claim, label_logs

SPACE = Item("movies", "s", "Star Road", ("Science Fiction",), "A ship goes astray.")
WAR = Item("movies", "w", "The Trench", ("War", "Science Fiction"), "Two brothers dig.")


def test_the_score_is_the_expected_value_and_what_begins_with_a_one_is_not_counted_twice():
    assert expected_score(label_logs(certain(10))) == pytest.approx(10, abs=1e-6)
    assert expected_score(label_logs(certain(1))) == pytest.approx(1, abs=1e-6)
    half = [0.5, 0, 0, 0, 0, 0, 0, 0, 0, 0.5]
    assert expected_score(label_logs(half)) == pytest.approx(5.5, abs=1e-6)
    assert expected_score(label_logs([0.1] * 10)) == pytest.approx(5.5, abs=1e-6)


def test_labels_of_one_token_each_share_all_the_probability():
    found = label_probabilities([[math.log(0.02)], [math.log(0.06)]])  # the rest is on other words
    np.testing.assert_allclose(found, [0.25, 0.75])


def test_a_fit_is_what_the_claims_add_and_the_neutral_prompt_is_asked_once():
    engine = ScriptedJudge(lambda prompt: certain(5), lambda prompt: 0.8 if "likes" in prompt else 0.6)
    judge = ModelJudge(engine)
    claims = [claim("likes", "Science Fiction")]
    assert judge.fits(claims, [SPACE, WAR]) == pytest.approx([0.2, 0.2])
    before = len(engine.prompts)
    assert judge.with_engine(engine).fits(claims, [SPACE]) == pytest.approx([0.2])
    assert len(engine.prompts) == before + 1
    assert ModelJudge(engine, verifies=False).fits(claims, [SPACE]) is None


def test_code_counts_the_likes_that_an_item_satisfies_and_refuses_what_is_avoided():
    claims = [claim("likes", "Science Fiction"), claim("likes", "ship", "word"), claim("avoids", "War")]
    other = Item("movies", "o", "Bread", ("Cooking",))
    assert ClaimJudge().scores(claims, [SPACE, WAR, other]) == [10.0, 1.0, 1.0]
    assert ClaimJudge().scores([*claims[:1], claim("likes", "Western")], [SPACE]) == [5.5]
    assert ClaimJudge().fits(claims, [SPACE]) is None


def test_a_prompt_shows_eight_claims_and_what_is_avoided_among_them():
    likes = [claim("likes", f"kind {number}") for number in range(9)]
    avoids = [claim("avoids", f"horror {number}") for number in range(6)]
    told = prompt_claims([*likes, claim("likes", "gone", state="removed"), *avoids], "en")
    assert told == [
        *(f"likes kind {number}" for number in range(4)),
        *(f"avoids horror {number}" for number in range(4)),
    ]
    assert prompt_claims([claim("avoids", "공포", text="공포는 보지 않아요")], "ko") == ["공포는 보지 않아요"]


def test_the_profile_is_in_prompts_only_where_it_is_given():
    engine = ScriptedJudge(lambda prompt: certain(5))
    ModelJudge(engine).scores([claim("likes", "War")], [WAR])
    ModelJudge(engine, profile=("is 35 years old",)).scores([claim("likes", "War")], [WAR])
    assert ["35" in prompt for prompt in engine.prompts] == [False, True]
