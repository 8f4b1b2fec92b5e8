"""Which reasons of a model may go out, by known answers."""

from dataclasses import replace
from itertools import chain

import pytest

from bench.support import Titles, best_share, read_planted, share_of
from rectune.core.settings import FilterConfig
from rectune.core.types import Item, Locale
from rectune.recommender.explanation_request import ExplanationRequest
from rectune.recommender.explanations import plain_sentence
from rectune.recommender.reason_checks import fault

ALIEN = Item("movies", "1", "Alien (1979)", ("Horror", "Science Fiction"))
MATRIX = Item("movies", "2", "Matrix, The (1999)", ("Action", "Science Fiction"))
PULP = Item(
    "movies", "3", "Pulp Fiction", ("Crime", "Drama"), "Two gunmen and a boxer meet in the diners of a city.",
    1994, ("director: Quentin Tarantino",),
)  # fmt: skip
HEAT = Item("movies", "4", "Heat", ("Crime",))
KOREAN = Item("movies", "5", "등대", ("드라마",), "등대지기의 딸이 문 닫은 등대로 돌아와 불을 켠다.")
GROUNDING = Titles([ALIEN, MATRIX, PULP, HEAT, KOREAN])


def said(text: str, item: Item = PULP, query: str = "", locale: Locale = "en") -> str:
    """What is wrong with these reasons, for people who liked Alien and The Matrix, or asked for something."""
    request = ExplanationRequest(item, () if query else (ALIEN, MATRIX), query, locale)
    return fault(f"{request.opening} {text}", request, GROUNDING)


@pytest.mark.parametrize(
    "text",
    [
        "may like this crime drama of 1994, in which two gunmen meet a boxer.",
        "might enjoy Pulp Fiction: a boxer and two gunmen meet in the city's diners.",
        "may enjoy this crime drama: two gunmen meet a boxer in the city.",
        "may enjoy Quentin Tarantino's crime drama after Alien and The Matrix.",
        "like science fiction. This is a drama about crime, with gunmen and boxers.",
    ],
)
def test_what_the_facts_say_goes_out_in_other_words_too(text: str):
    assert said(text) == ""


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", "says nothing"),
        ("will like it, really, and so it is.", "says what stands nowhere"),
        ("may like it: your preference for this film was to be a comedy.", "says what stands nowhere"),
        ("may like this crime drama about a wizard on a spaceship near Jupiter.", "says what stands nowhere"),
        ("should watch Alien, with its boxer and gunmen in the city.", "recommends an item of the history"),
        ("like crime. Alien is the best choice for boxers and gunmen.", "recommends an item of the history"),
        ("may like Heat more than this crime drama about gunmen.", "names another item"),
        ("may like it (Crime, Drama), with gunmen and a boxer.", "copies the prompt"),
        ("may like gunmen and boxers, director: Quentin Tarantino.", "copies the prompt"),
        ("may like it (Crime): gunmen and boxers in a drama.", "copies the prompt"),
        ("may like gunmen, drama: boxers.", "copies the prompt"),
        ("chose a crime drama with gunmen and a boxer.", "says of the person what stands nowhere"),
        ("may like gunmen. You have been moved by a boxer.", "says of the person what stands nowhere"),
        ("gunmen boxer diners city crime drama gunmen boxer diners crime city drama", "word salad"),
        ("이 범죄 드라마에는 총잡이 둘과 권투 선수가 나옵니다. 마음에 드실 것입니다.", "wrong language"),
        ("may like the two gunmen and the boxer, the two gunmen and the boxer, the two gunmen and the boxer.",
         "repeats itself"),
    ],
)  # fmt: skip
def test_everything_else_is_refused_by_its_name(text: str, wrong: str):
    assert said(text) == wrong


def test_korean_reasons_are_compared_by_morphemes():
    good = "등대지기의 딸이 등대로 돌아오는 이 드라마가 마음에 드실 것입니다."
    bad = "우주선을 탄 마법사가 은하 제국과 싸우는 모험이 즐거우실 것입니다."
    assert said(good, KOREAN, "잔잔한 드라마", "ko") == ""
    assert said(bad, KOREAN, "잔잔한 드라마", "ko") == "says what stands nowhere"
    assert said(good, PULP, "잔잔한 드라마", "ko") == "cannot be compared with the facts"


def test_korean_reasons_are_not_judged_by_pairs_of_letters(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(__import__("sys").modules, "kiwipiepy", None)
    good = "등대지기의 딸이 등대로 돌아오는 이 드라마가 마음에 드실 것입니다."
    assert said(good, KOREAN, "잔잔한 드라마", "ko") == "cannot be checked without kiwipiepy"


@pytest.mark.parametrize("locale", ["en", "ko"])
def test_reasons_by_template_are_supported(locale: Locale):
    most = getattr(FilterConfig().rules.unsupported, locale)
    for one in chain(*read_planted(locale)):
        plain = plain_sentence(one.request)
        assert share_of(replace(one, text=plain)) <= most, plain


@pytest.mark.parametrize("locale", ["en", "ko"])
def test_the_default_share_is_the_one_that_the_planted_reasons_set(locale: Locale):
    setting, held_out = read_planted(locale)
    for half in (setting, held_out):
        assert sum(not one.kind for one in half) == sum(bool(one.kind) for one in half) == 50
    share, _, _ = best_share([share_of(one) for one in setting], [not one.kind for one in setting])
    assert share == getattr(FilterConfig().rules.unsupported, locale)
