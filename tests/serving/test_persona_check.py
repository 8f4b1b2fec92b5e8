"""A check by a model: what fails its verification is replaced, and what it cannot read is judged by code."""

from __future__ import annotations

from collections.abc import Sequence

from rectune.core.errors import UserError
from rectune.dialogue.item_judges import ModelJudge
from rectune.dialogue.knowledge import Persona, UserKnowledge
from rectune.dialogue.persona import PersonaMaker
from rectune.dialogue.traits import CatalogueTraits
from rectune.rankers.base import ScoredItem
from rectune.serving.persona_check import PersonaCheck
from rectune.serving.persona_say import PersonaSay
from tests.dialogue.people import KINDS, of_kind, works
from tests.dialogue.scripted_judge import ScriptedJudge, certain

HORROR, ROMANCE = 0, 5
TRAITS = CatalogueTraits.of(works())
SAY = PersonaSay.of(
    PersonaMaker(TRAITS).infer(Persona(), UserKnowledge(of_kind(HORROR, 8), tastes=["no romance"])), TRAITS
)
RANKED = [ScoredItem(f"w{at}", 1.0 - at / 200) for at in range(80, 180)]


class ShortSighted:
    """A model that reads no prompt."""

    def loglikelihood(
        self, messages: Sequence[tuple[str, str]], continuations: Sequence[str], prefill: str = ""
    ) -> list[list[float]]:
        raise UserError("a prompt does not fit")


def check(judge: ModelJudge, n: int = 4) -> PersonaCheck:
    assert SAY is not None
    return PersonaCheck(SAY, TRAITS.items, n, "en", lambda: judge, reorders=False)


def test_what_fails_the_verification_is_replaced_and_what_is_avoided_is_told() -> None:
    def yes(prompt: str) -> float:
        return 0.5 if "nothing is known" in prompt else 0.2 if "Title 81" in prompt else 0.8

    made = check(ModelJudge(ScriptedJudge(lambda prompt: certain(5), yes)))
    found = [one.item_id for one in made.reordered(RANKED)]
    assert made.mode == "model" and found[:4] == ["w80", "w82", "w83", "w84"]
    assert "w81" not in found and all(int(one[1:]) % KINDS != ROMANCE for one in found)
    assert len(set(found)) == len(found) == len(RANKED) - 10 - 1
    likes, avoids = sorted(made.checks(found[:4]), key=lambda one: one.stance, reverse=True)
    assert likes.item_ids == ("w80",) and not likes.left_out
    assert avoids.item_ids == () and avoids.left_out[:2] == ("w85", "w95")


def test_the_scores_stay_with_the_places() -> None:
    made = check(ModelJudge(ScriptedJudge(lambda prompt: certain(5))))
    assert [one.score for one in made.reordered(RANKED)] == [one.score for one in RANKED[: len(RANKED) - 10]]


def test_a_model_that_cannot_read_the_prompts_leaves_it_to_the_claims() -> None:
    made = check(ModelJudge(ShortSighted()))
    assert [one.item_id for one in made.reordered(RANKED)[:3]] == ["w80", "w81", "w82"]
    assert made.mode == "claims"
