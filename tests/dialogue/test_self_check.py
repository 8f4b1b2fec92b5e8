"""The self-check: planted personas, and what a model that tells them apart or does not is found to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from rectune.core.errors import UserError
from rectune.core.types import Item
from rectune.dialogue.item_judges import ClaimJudge, ModelJudge
from rectune.dialogue.planted_personas import discrimination, planted_personas
from rectune.dialogue.self_check import (
    LEAST,
    PersonaVerdict,
    check_judge,
    judge_for,
    keep_persona_verdict,
    known_persona_verdict,
    sample_personas,
    why_judge,
)
from rectune.recommender.model_check import ModelVerdict, keep_verdict, known_verdict
from tests.dialogue.scripted_judge import ScriptedJudge, certain

KINDS = ("Drama", "War", "Horror", "Music", "Western")
SHELF = [
    Item("movies", f"{kind}{number}", f"Film {kind[0]}{number}", (kind, KINDS[(at + number) % len(KINDS)]))
    for at, kind in enumerate(KINDS)
    for number in range(1, 4)
]


def test_own_items_have_what_a_planted_persona_likes_and_foreign_ones_do_not():
    personas = planted_personas(SHELF, "en", 40, 0)
    assert len(personas) == 40 and {one.claims[0].value for one in personas} == set(KINDS)
    for one in personas:
        likes, avoids = one.claims
        assert (likes.stance, avoids.stance) == ("likes", "avoids")
        assert all(likes.value in item.categories for item in one.own)
        assert not any(avoids.value in item.categories for item in one.own)
        assert not any(likes.value in item.categories for item in one.foreign)
        assert avoids.value in one.foreign[0].categories
        assert len({item.item_id for item in (*one.own, *one.foreign)}) == 4
    assert personas == planted_personas(SHELF, "en", 40, 0) != planted_personas(SHELF, "en", 40, 1)


def test_a_catalogue_without_categories_is_refused():
    with pytest.raises(UserError, match="no persona can be planted"):
        planted_personas([Item("movies", str(n), f"Film {n}") for n in range(9)], "en", 4, 0)


def test_the_area_under_the_curve_is_known_by_construction():
    found = discrimination([([3, 2], [1, 0]), ([1, 0], [3, 2]), ([1, 1], [1, 1]), ([2, 0], [1, 3])])
    assert found.auc == pytest.approx((1 + 0 + 0.5 + 0.25) / 4) and found.persons == 4
    assert found.interval[0] < found.auc < found.interval[1]
    assert discrimination([([2, 2], [1, 1])] * 5).interval == (1.0, 1.0)


def likes_own(prompt: str) -> bool:
    """Whether the item on its line has what the line of the likes names; in either language and prompt."""
    lines = prompt.splitlines()
    marks = ("likes ", "좋아하는 것: ")
    (liked,) = {
        part.partition(mark)[2].rstrip(".")
        for line in lines
        for part in line.replace("A person: ", "").replace("이 사람: ", "").replace("- ", "").split("; ")
        for mark in marks
        if part.startswith(mark)
    }
    return any(liked in line for line in lines if "(" in line and liked in line.split("(", 1)[1])


KNOWS = ScriptedJudge(
    lambda prompt: certain(9 if likes_own(prompt) else 2),
    lambda prompt: (
        0.5 if "nothing is known" in prompt or "없음" in prompt else 0.9 if likes_own(prompt) else 0.1
    ),
)
ALIKE = ScriptedJudge(lambda prompt: certain(5), lambda prompt: 0.1)


def test_a_model_that_tells_them_apart_passes_and_one_that_finds_all_alike_does_not():
    personas = {"en": planted_personas(SHELF, "en", 24, 0)}
    knows, alike = check_judge(KNOWS, personas), check_judge(ALIKE, personas)
    assert {own.auc for own in knows.found["en"].values()} == {1.0}
    assert set(knows.found["en"]) == {"detailed", "short", "verification"}
    assert {asked: own.auc for asked, own in alike.found["en"].items()} == {"detailed": 0.5, "short": 0.5}
    assert knows.passes("en", "short") and not knows.passes("ko", "short") and not alike.passes("en", "short")
    judge = judge_for(knows, KNOWS, "en", "short", profile=("is 35 years old",))
    assert isinstance(judge, ModelJudge) and judge.verifies and judge.profile == ("is 35 years old",)
    assert (judge.prompt, judge.mode) == ("short", "model")
    for verdict, engine, locale in (
        (alike, ALIKE, "en"),
        (None, KNOWS, "en"),
        (knows, None, "en"),
        (knows, KNOWS, "ko"),
    ):
        assert isinstance(judge_for(verdict, engine, locale), ClaimJudge)


def test_what_is_used_is_said():
    personas = {"en": planted_personas(SHELF, "en", 24, 0)}
    assert why_judge(None, "en").startswith("items are judged by the claims alone: `rectune doctor --model`")
    assert why_judge(check_judge(ALIKE, personas), "en").startswith(
        "items are judged by the claims alone: in E"
    )
    told = why_judge(check_judge(KNOWS, personas), "en", "short")
    assert told.startswith(
        "the model judges: in English, by the short prompt, it told own items from foreign"
    )
    assert "24 planted personas" in told and f"{LEAST:.2f}" in told


def test_a_verdict_is_kept_by_the_models_digest_beside_the_one_on_its_reasons(tmp_path: Path):
    verdict = check_judge(KNOWS, {"en": planted_personas(SHELF, "en", 4, 0)})
    reasons, folder = ModelVerdict({"en": 4, "ko": 3}, {"en": 5, "ko": 5}), tmp_path / "model_checks"
    assert known_persona_verdict(tmp_path, "abc") is None
    keep_persona_verdict(tmp_path, "abc", verdict)
    keep_verdict(folder, "abc", reasons)
    assert known_persona_verdict(tmp_path, "abc") == verdict and known_verdict(folder, "abc") == reasons
    keep_persona_verdict(tmp_path, "abc", PersonaVerdict({}))
    assert known_persona_verdict(tmp_path, "abc") == PersonaVerdict({})
    assert known_verdict(folder, "abc") == reasons


def test_the_sample_catalogues_give_enough_personas_in_both_languages():
    personas = sample_personas()
    assert sum(map(len, personas.values())) >= 40
    assert all(len(one.claims) == 2 for some in personas.values() for one in some)
    assert "좋아하는 것" in personas["ko"][0].claims[0].text
