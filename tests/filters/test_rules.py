"""Every rule on rows whose verdict is known by construction, in both languages, and what must pass."""

import math

import numpy as np
import pytest

from rectune.core.rows import batch_of
from rectune.core.settings import FilterConfig, FilterRulesConfig
from rectune.core.text.personal_data import luhn
from rectune.core.types import Example, Item
from rectune.filters.apply_rules import apply_rules, measure
from rectune.filters.rules import ROW_RULES, SET_RULES
from rectune.filters.score import response_score
from rectune.prompts.title_index import TitleIndexes
from tests.filters.examples import BODY, CLOSING, Words, example, good, judged, reasons


def only(name: str, **values: object) -> FilterConfig:
    """Settings with one rule on."""
    names = [rule.name for rule in (*ROW_RULES, *SET_RULES)]
    rules = {other: {"on": other == name} for other in names} | {name: {"on": True, **values}}
    return FilterConfig(rules=FilterRulesConfig.model_validate(rules))


@pytest.mark.parametrize("locale", ["en", "ko"])
def test_a_good_answer_passes_every_rule(locale: str) -> None:
    assert reasons(good(locale=locale)) == ()


@pytest.mark.parametrize("text", ["", " \n\t"])
def test_an_empty_answer_is_empty_and_has_no_score(text: str) -> None:
    found = judged([example(text)])
    assert found.reasons(0) == ("empty", "target not named")
    assert math.isnan(found.score[0]) and next(found.rows()).score is None


def test_the_threshold_itself_is_dropped() -> None:
    row, score = good(), response_score(good().response.split())
    assert reasons(row, only("score").model_copy(update={"threshold": score})) == ("repetitive",)
    above = float(np.nextafter(score, 100))
    assert reasons(row, only("score").model_copy(update={"threshold": above})) == ()


def test_lengths_are_counted_in_tokens_and_bounds_belong_to_what_is_kept() -> None:
    row = good()
    tokens = len(row.response.split())
    assert reasons(row, only("too_short", tokens=tokens)) == ()
    assert reasons(row, only("too_short", tokens=tokens + 1)) == ("too short",)
    assert reasons(row, only("too_long", tokens=tokens)) == ()
    assert reasons(row, only("too_long", tokens=tokens - 1)) == ("too long",)


@pytest.mark.parametrize(
    ("instruction", "answer", "share"),
    [
        ("a b c d e", "a b c d e", 1.0),
        ("a b c d e", "a b c d x", 0.5),
        ("a b c d e", "v w x y z", 0.0),
        ("어떤 영화를 보고 싶으신가요 알려 주세요", "어떤 영화를 보고 싶으신가요 알려 주세요", 1.0),
        ("Casablanca; Heat; Paris", "Casablanca. Heat. Casablanca. Heat", 0.0),  # titles must be named
        ("a b c d", "a b c", 0.0),  # shorter than a run
    ],
)
def test_prompt_copy_is_the_share_of_the_answers_ngrams_in_the_prompt(
    instruction: str, answer: str, share: float
) -> None:
    found = judged([example(answer, instruction=instruction)], only("prompt_copy", words=4, share=0.6))
    assert found.figures["prompt_copy"][0] == share
    assert found.reasons(0) == (("echoes the prompt",) if share == 1.0 else ())


def test_the_query_may_be_quoted() -> None:
    query = "a slow film for a long rainy evening"
    row = example(f"You asked for {query}", instruction=f"Search request: {query}", query=query, history=())
    assert judged([row], only("prompt_copy")).figures["prompt_copy"][0] == 0.0


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("a b c d e", 0.0),
        ("a b c a b c", 0.25),
        ("정말 좋은 영화 정말 좋은 영화 정말 좋은 영화", 4 / 7),
        ("Paris, Texas and Paris, Texas and Paris, Texas", 0.0),
    ],
)
def test_repetition_is_the_share_of_runs_that_came_before(text: str, share: float) -> None:
    row = example(text, history=("3",))
    found = judged([row], only("ngram_repetition", words=3, share=0.3))
    assert found.figures["ngram_repetition"][0] == pytest.approx(share)
    assert found.reasons(0) == (("repeats itself",) if share > 0.3 else ())


@pytest.mark.parametrize(
    ("closing", "wanted"),
    [
        ("My recommendation: Heat", ()),
        ("My recommendation: Casablanca", ("target not named", "another item named")),
        ("My recommendation: Paris, Texas", ("target not named", "another item named")),  # not in the prompt
        ("My recommendation: Heat Wave of Nobody", ("target not named",)),
        ("My recommendation: Casablanca Express", ("target not named", "another item named")),
        ("I have nothing to say.", ("target not named",)),
    ],
)
def test_the_answer_must_end_on_the_target(closing: str, wanted: tuple[str, ...]) -> None:
    assert reasons(example(f"{BODY['en']}\n{closing}")) == wanted


@pytest.mark.parametrize(
    ("ranking", "wanted"),
    [
        ("1. Heat\n2. Casablanca\n3. Paris, Texas", ()),
        ("1. Casablanca\n2. Heat\n3. Paris, Texas", ("target not named", "another item named")),
    ],
)
def test_a_ranking_must_begin_with_the_target(ranking: str, wanted: tuple[str, ...]) -> None:
    text = f"{BODY['en']}\nMy ranking:\n{ranking}"
    assert reasons(example(text, form="listwise", history=(), candidates=("2", "1", "3"))) == wanted


@pytest.mark.parametrize(
    ("locale", "text", "share"),
    [
        ("en", "a quiet film", 1.0),
        ("en", "조용한 영화", 0.0),
        ("en", "caf\u00e9 na\u00efve", 1.0),
        ("ko", "조용한 영화", 1.0),
        ("ko", "a quiet film", 0.0),
        ("ko", "조용한 SF", 0.6),
        ("ko", "기생충과 Casablanca", 1.0),
        ("en", "\u0442\u0438\u0445\u0438\u0439 film", 0.4444),
        ("en", "1984 ... !", None),
    ],
)
def test_letters_outside_titles_are_of_the_locales_script(
    locale: str, text: str, share: float | None
) -> None:
    row = example(text, locale=locale, history=("2", "9"))
    found = judged([row], only("language", en=0.9, ko=0.5))
    if share is None:
        assert math.isnan(found.figures["language"][0]) and found.reasons(0) == ()
    else:
        assert found.figures["language"][0] == pytest.approx(share, abs=1e-3)
        assert bool(found.reasons(0)) == (share < {"en": 0.9, "ko": 0.5}[locale])


@pytest.mark.parametrize(
    ("locale", "text", "salad"),
    [
        (
            "en",
            "You wanted a quiet film, and this one takes its time with two people who hardly speak.",
            False,
        ),
        ("en", "It’s slow, warm and funny; you’ll like how its makers trust you.", False),
        (
            "en",
            "Quiet doorway Junction clarification Elements lambda Newton complete stream matrix Country",
            True,
        ),
        (
            "en",
            "Ecological Green Sand Dawn Government Eyes mostly Environmental Float guardians and root",
            True,
        ),
        ("ko", "조용한 영화를 찾으셨으니 이 작품이 잘 맞습니다. 말이 적은 두 사람의 이야기입니다.", False),
        ("ko", "좋아하시는 추리물처럼 끝까지 범인을 알 수 없어서 마지막까지 긴장하게 돼요.", False),
        ("ko", "사과 자동차 바다 커피 행성 연필 정부 구름 창문 기차 우유 산맥", True),
    ],
)
def test_sentences_are_told_from_word_salad(locale: str, text: str, salad: bool) -> None:
    found = judged([example(text, locale=locale)], only("stop_words", en=0.33, ko=0.4))
    assert bool(found.reasons(0)) == salad and found.figures["stop_words"][0] >= 0


@pytest.mark.parametrize("locale", ["en", "ko"])
def test_a_few_words_are_too_few_to_tell_salad_by(locale: str) -> None:
    found = judged([example("Heat 1995 Newton matrix", locale=locale)], only("stop_words", en=1.0, ko=1.0))
    assert math.isnan(found.figures["stop_words"][0]) and found.reasons(0) == ()


@pytest.mark.parametrize(
    "piece",
    [
        "\ufffd",
        "\ue000",
        "\x00",
        "\x1b[31m",
        "\x9f",
        "\ufffe",
        "it\u00e2\u20ac\u2122s fine",
        "안녕하세요".encode().decode("latin-1"),
        "안녕하세요".encode("cp949").decode("latin-1"),
    ],
)
def test_broken_text_is_found(piece: str) -> None:
    assert "broken text" in reasons(good(f"It is {piece} here."))


@pytest.mark.parametrize(
    "piece", ["It’s a café — “nice” … naïve", "\ttab", "「기생충」 ※ ★ · ♥", "🎬👩‍👩‍👧", "½ °C £5 ™"]
)
def test_sound_text_is_not_broken(piece: str) -> None:
    assert reasons(good(piece), only("broken_text")) == ()


def test_a_lone_surrogate_is_broken_text() -> None:
    from rectune.filters.rules.text_quality import BrokenText

    assert BrokenText(FilterConfig()).hits("a \ud83d b") > 0


@pytest.mark.parametrize(
    "piece",
    [
        "{{ title }}",
        "{% for x in y %}",
        "<|im_start|>assistant",
        "<|im_end|>",
        "[INST] hello [/INST]",
        "<<SYS>>",
        "</s>",
        "<think>",
        "\n### Instruction: go",
        "\n### 지시:",
        "\nUser: and then?",
        "\nAssistant: well",
        "\n**Assistant**: well",
        "\n사용자: 그리고요?",
        "\n어시스턴트： 네",
        "[item]",
        "[Movie]",
        "[title 1]",
        "[your name]",
        "[제목]",
        "<title>",
        "As an AI language model, I cannot watch films.",
        "I'm an AI.",
        "저는 인공지능 언어 모델이라 영화를 볼 수 없습니다.",
        "AI 모델로서 말씀드리면",
        "[insert film here]",
        "[Your Name]",
        "[영화 1]",
        "</think>",
        "[/INST]",
        "대규모 언어모델로서",
        "As a large language model,",
        "{%- if x %}",
        "\n### Response",
        "\nSystem : go",
    ],
)
def test_leftovers_are_found(piece: str) -> None:
    assert reasons(good(piece), only("markers")) == ("template leftovers",)


@pytest.mark.parametrize(
    "piece",
    [
        "The user: everybody who likes jazz.",
        "It has [a certain charm] and {wit}.",
        "An AI runs the ship, as in 2001.",
        "3 < 5 and #1 on the list.",
        "A system: simple as that.",
        "사용자의 취향: 조용한 영화",
        "인공지능이 나오는 영화입니다.",
    ],
)
def test_ordinary_sentences_are_no_leftovers(piece: str) -> None:
    assert reasons(good(piece), only("markers")) == ()


@pytest.mark.parametrize(
    "piece",
    [
        "Click here for more.",
        "Buy now!",
        "Order it now.",
        "Now 30% off.",
        "Save 20 % today",
        "Free shipping on all of them.",
        "Use the promo code FILM.",
        "A limited-time offer.",
        "$10 off",
        "지금 바로 구매하세요.",
        "무료배송입니다.",
        "30% 할인 중입니다.",
        "할인코드를 쓰세요.",
        "여기를 클릭하세요.",
        "오늘만 특가",
        "카톡 문의 주세요.",
        "Shop now.",
        "Sign up today",
        "sign up for free",
        "Add it to your cart.",
        "While supplies last.",
        "Money-back guarantee",
        "A special offer",
        "Visit our website.",
        "Sponsored by nobody.",
        "Click the link below",
        "Order yours today",
        "쿠폰 증정",
        "한정 수량입니다.",
        "최저가 보장",
        "품절 임박",
        "장바구니에 담으세요.",
        "홈페이지를 방문하세요.",
        "구독과 좋아요",
        "버튼을 눌러 주세요.",
        "구매하기",
    ],
)
def test_selling_is_found(piece: str) -> None:
    assert reasons(good(piece), only("advertising")) == ("advertising",)


@pytest.mark.parametrize(
    "piece",
    [
        "You can buy nowhere what this film gives.",
        "People will order dinner now and then.",
        "It clicks here and there.",
        "The price of fame is high.",
        "90% of the film is silence.",
        "She gets 20 letters.",
        "지금 보기에 좋은 영화입니다.",
        "할인점에서 일하는 사람의 이야기입니다.",
        "주문을 외우는 마법사가 나옵니다.",
    ],
)
def test_ordinary_sentences_sell_nothing(piece: str) -> None:
    assert reasons(good(piece), only("advertising")) == ()


@pytest.mark.parametrize(
    "piece",
    [
        "Write to jane.doe@example.com please.",
        "kim@한국.kr or kim@naver.com",
        "See https://example.com/x for more.",
        "www.example.co.kr",
        "example.com/film",
        "bit.ly/3abc",
        "t.me/films",
        "open.kakao.com/o/x",
        "연락은www.example.com으로",
        "ftp://x.org",
        "전화 010-1234-5678",
        "01012345678로 연락 주세요.",
        "02-123-4567",
        "031-123-4567",
        "(02) 1234-5678",
        "+82 10-1234-5678",
        "대표전화 1588-1234",
        "call +1 212 555 0199",
        "+44 20 7946 0958",
        "(212) 555-0199",
        "212-555-0199",
        "My card is 4111 1111 1111 1111.",
        "5555555555554444",
        "3782 822463 10005",
        "900101-1234568",
        "9001011234568",
    ],
)
def test_contact_and_personal_data_are_found(piece: str) -> None:
    assert reasons(good(piece), only("personal_data")) == ("contact or personal data",)


@pytest.mark.parametrize(
    "piece",
    [
        "From 1939-1945 and 1588-1598, and in 2001.",
        "It made 1,234,567,890 dollars, or 100000000000 won.",
        "ISBN 978-0-14-118776-1, 9780141187761 and 0-306-40615-2.",
        "Catch-22, 1984, Ocean's 11, Apollo 13, 2001-2002.",
        "At 10:30 on 2024-05-17, 12.5.2024 or 05/17/2024.",
        "4111 1111 1111 1112 is no card, nor is 0000 0000 0000 0000.",
        "Version 1.2.3.4 and 192.168.0.1",
        "A score of 100-200-300 to 3-4-5.",
        "It runs @ 24 frames. Dr.com is no site; e.g. nothing.",
        "1994년 5월 17일, 12,345,678,900원",
        "9001011234567",
    ],
)
def test_numbers_are_no_personal_data(piece: str) -> None:
    assert reasons(good(piece), only("personal_data")) == ()


@pytest.mark.parametrize("target", ["4", "5", "6", "7", "8", "10", "11"])
@pytest.mark.parametrize("locale", ["en", "ko"])
def test_no_title_is_a_reason(target: str, locale: str) -> None:
    assert reasons(good(target=target, locale=locale)) == ()


def test_the_check_of_card_numbers() -> None:
    assert luhn("4111 1111 1111 1111") and not luhn("4111 1111 1111 1112") and not luhn("0000000000000000")


def test_all_reasons_are_kept_and_every_rule_speaks_of_every_row() -> None:
    rows = [good(), example("Buy now! " * 60), example("")]
    found = judged(rows)
    assert found.reasons(0) == ()
    assert {"repetitive", "repeats itself", "advertising", "target not named"} <= set(found.reasons(1))
    names = {rule.name for rule in (*ROW_RULES, *SET_RULES)}
    assert set(found.figures) == names and all(len(column) == 3 for column in found.figures.values())


def test_no_rows_give_no_verdicts() -> None:
    empty = apply_rules([], FilterConfig())
    assert list(empty.rows()) == [] and empty.kept.tolist() == []


HOSTILE = [
    "1 " * 50_000,
    "0" * 100_000,
    "a" * 100_000,
    "a@" * 50_000,
    "(" * 100_000,
    "{" * 99_999,
    "+1-" * 33_000,
    "\n" * 100_000,
    "www." * 25_000,
    "010-" * 25_000,
    "4111 " * 20_000,
    "[your " * 20_000,
    "<|" * 50_000,
    "지금" * 50_000,
    "\ufffd" * 100_000,
]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text[:6]))
def test_hostile_text_is_judged_in_linear_time(text: str) -> None:
    row: Example = example(text)
    assert "target not named" in reasons(row)


FILM = Item("movies", "1", "Heat", ("Crime",), "A detective hunts a robber through Los Angeles.", 1995)
SEEN = Item("movies", "2", "Casablanca", ("Romance", "War"))
SHELF = TitleIndexes([FILM, SEEN, Item("movies", "3", "등대", ("드라마",), "등대지기가 불을 켠다.")])


@pytest.mark.parametrize(
    ("text", "locale", "target", "share"),
    [
        (
            "Since you liked Casablanca, a romance, try this crime film: a detective hunts a robber.",
            "en",
            "1",
            0,
        ),
        ("A detective hunts a robber, and a wizard befriends a dragon.", "en", "1", 0.5),
        ("You will like this one.", "en", "1", 1),
        ("이 드라마에서는 등대지기가 불을 켭니다.", "ko", "3", 0),
        ("이 드라마에서는 마법사가 우주선을 탑니다.", "ko", "3", 1),
        ("형사가 강도를 쫓는 범죄 영화입니다.", "ko", "1", None),  # its facts are English
    ],
)
def test_what_stands_neither_in_facts_nor_history_is_dropped(
    text: str, locale: str, target: str, share: float | None
) -> None:
    row = example(
        f"{text}\n{CLOSING[locale]} {SHELF['movies'].item(target).title}", locale=locale, target=target
    )
    batch = measure(batch_of([row], Example), SHELF, Words())
    found = apply_rules([batch], only("unsupported"))
    figure = found.figures["unsupported"][0]
    assert math.isnan(figure) if share is None else figure == pytest.approx(share)
    assert found.reasons(0) == (("says what stands nowhere",) if share else ())


def test_a_query_supports_what_it_says_but_quoting_it_says_nothing() -> None:
    query = "gloomy robbers in the rain"
    asked = {"query": query, "history": ()}
    texts = ["In the gloomy rain a detective hunts a robber.", f'You asked for "{query}".']
    rows = [example(text, **asked) for text in texts]
    found = apply_rules([measure(batch_of(rows, Example), SHELF, Words())], only("unsupported"))
    assert found.figures["unsupported"].tolist() == [0, 1]
