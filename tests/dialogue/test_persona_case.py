"""One persona, ten films, five wanted, by both prompts in both languages."""

from __future__ import annotations

import pytest

from rectune.core.types import Locale
from rectune.dialogue.item_judges import ClaimJudge, ModelJudge
from rectune.dialogue.matching import avoided_in
from rectune.dialogue.reranking import rerank, why_it_suits
from rectune.prompts.rerank_prompts import RerankPrompt
from rectune.prompts.template_reasons import template_reason
from tests.dialogue.persona_case import WANTED, PersonaCase, developer
from tests.dialogue.scripted_judge import ScriptedJudge, certain

WRONG = ScriptedJudge(lambda prompt: certain(10 if "Free Solo" in prompt or "프리 솔로" in prompt else 3))


def check(case: PersonaCase, judge) -> None:
    found = rerank(case.claims, case.candidates, WANTED, judge, 0.5, case.locale)
    listed = {one.item.item_id for one in case.candidates}
    assert len({one.item.item_id for one in found.picks}) == WANTED
    for one in found.picks:
        assert one.item.item_id in listed and one.score is not None and 1 <= one.score <= 10
        assert template_reason(one.item, (), "", case.locale, people=why_it_suits(one, case.locale))
        assert not avoided_in(one.item, case.claims)
    assert len(found.checks) == len(case.claims)
    documentary, slow = found.checks[3:]
    assert (documentary.item_ids, documentary.left_out) == ((), ("f1",))
    assert (slow.item_ids, slow.left_out) == ((), ("f4",))


@pytest.mark.parametrize("locale", ["en", "ko"])
@pytest.mark.parametrize("prompt", ["detailed", "short"])
def test_five_distinct_films_each_with_a_score_and_a_reason_and_none_against_a_dislike(
    locale: Locale, prompt: RerankPrompt
):
    check(developer(locale), ModelJudge(WRONG, prompt, locale))


@pytest.mark.parametrize("locale", ["en", "ko"])
def test_the_claims_alone_choose_the_films_that_satisfy_most_of_them(locale: Locale):
    case = developer(locale)
    check(case, ClaimJudge())
    found = rerank(case.claims, case.candidates, WANTED, ClaimJudge(), 1.0, locale)
    # Source Code and Predestination have all three, The Usual Suspects and Shutter Island two.
    assert [one.item.item_id for one in found.picks] == ["f5", "f8", "f2", "f10", "f7"]
    assert [one.score for one in found.picks] == [10, 10, 7, 7, 4]


@pytest.mark.slow
@pytest.mark.parametrize("prompt", ["detailed", "short"])
def test_the_embedded_model_gives_a_whole_answer(prompt: RerankPrompt):
    from rectune.core.settings import EngineConfig
    from rectune.inference.llamacpp import LlamaEngine
    from rectune.models.reference import gguf_file

    with LlamaEngine(gguf_file("embedded"), EngineConfig(context=1536, max_num_seqs=4)) as engine:
        case = developer("en")
        check(case, ModelJudge(engine, prompt, "en", profile=case.profile))
