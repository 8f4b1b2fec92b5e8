"""A model is asked ten questions; what it passes decides whether its reasons or plain sentences go out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from rectune.core.settings import RetrievalConfig
from rectune.core.types import Locale, content_id
from rectune.inference.requests import GenerationRequest, GenerationResult
from rectune.recommender.model_check import ModelVerdict, ask_model, keep_verdict, known_verdict, questions

SAMPLING = RetrievalConfig().sampling


# Behind the opening that every answer is given.
SOUND = (
    " may like Spirited Away, another animation by Hayao Miyazaki. A girl works in a bath house for spirits.",
    " may like The Left Hand of Darkness, by Ursula K. Le Guin too. An envoy visits a planet of ice.",
    " Stardew Valley fits, since you take over a farm, grow crops and come to know the people.",
    " may like Kind of Blue, quiet jazz by Miles Davis from 1959, which a sextet plays on few chords.",
    " this enamelled cast iron pot fits, a heavy pot with a lid for stews, soups and bread.",
    " 센과 치히로의 행방불명도 좋아하실 거예요. 미야자키 하야오 감독의 애니메이션이고, 소녀가 일해요.",
    " 소년이 온다도 좋아하실 거예요. 한강 저자의 한국소설로, 광주에서 죽은 소년과 남은 사람들의 이야기예요.",
    " 스타듀 밸리를 추천해요. 농장을 물려받아 작물을 기르고 마을 사람들과 친해지는 게임이에요.",
    " Kind of Blue도 좋아하실 거예요. 마일스 데이비스의 재즈로, 여섯 사람이 조용히 연주한 곡들이에요.",
    " 무쇠 법랑 냄비를 추천해요. 국과 찜을 끓이고 빵도 구울 수 있는 무거운 냄비예요.",
)


class Scripted:
    """Answers some languages soundly, and the others with nonsense."""

    def __init__(self, *sound_in: Locale) -> None:
        self.sound_in = sound_in

    def __call__(self, requests: Sequence[GenerationRequest]) -> list[GenerationResult]:
        return [
            GenerationResult(
                request.id,
                told if asked.locale in self.sound_in else " purple engines of Zebulon sing",
                "stop",
                prompt_tokens=100,
                tokens=20,
            )
            for request, asked, told in zip(requests, questions(), SOUND, strict=True)
        ]


def test_there_are_five_questions_in_each_language_each_by_a_history_or_a_query() -> None:
    asked = questions()
    assert [one.locale for one in asked] == ["en"] * 5 + ["ko"] * 5
    assert all(bool(one.liked) != bool(one.query) and one.item.description for one in asked)
    assert len({content_id(one.item.title, one.locale) for one in asked}) == 10


@pytest.mark.parametrize("sound_in", [(), ("en",), ("en", "ko")])
def test_a_model_is_trusted_with_the_languages_in_which_it_keeps_to_the_facts(
    sound_in: tuple[Locale, ...],
) -> None:
    verdict, answered = ask_model(Scripted(*sound_in), SAMPLING)
    assert verdict.languages == frozenset(sound_in), [(one.text, one.fault) for _, one in answered]
    assert verdict.untrusted == frozenset({"en", "ko"}) - verdict.languages


def test_a_verdict_is_kept_by_the_models_digest(tmp_path: Path) -> None:
    verdict = ModelVerdict({"en": 4, "ko": 3}, {"en": 5, "ko": 5})
    assert known_verdict(tmp_path, "abc") is None
    keep_verdict(tmp_path / "new", "abc", verdict)
    assert known_verdict(tmp_path / "new", "abc") == verdict
    told = "reasons are plain sentences in Korean: the model answered 3 of 5 Korean questions"
    assert verdict.describe().startswith(told)
    (tmp_path / "new" / "abc.json").write_text("{broken")
    assert known_verdict(tmp_path / "new", "abc") is None
