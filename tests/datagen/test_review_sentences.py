"""Which sentence of a review stands for it: length, language, personal data, titles, near-duplicates."""

import pytest

from rectune.datagen.review_sentences import LONGEST, SHORTEST, best_sentence, unlike


def test_the_longest_fitting_sentence_is_taken_and_keeps_its_language() -> None:
    review = "Nice. It boils a litre in two minutes. It is quiet too, I think. " + "x" * (LONGEST + 1) + "."
    assert best_sentence(review, "Kettle") == ("It boils a litre in two minutes.", 0)
    assert best_sentence("좋아요. 물이 아주 빨리 끓어서 매일 아침 씁니다.", "주전자").text == (
        "물이 아주 빨리 끓어서 매일 아침 씁니다."
    )


@pytest.mark.parametrize("letters", [SHORTEST, LONGEST])
def test_the_limits_themselves_fit(letters: int) -> None:
    said = "a" * (letters - 1) + "."
    assert best_sentence(said, "Kettle").text == said
    beyond = said[1:] if letters == SHORTEST else "a" + said
    assert best_sentence(beyond, "Kettle").text == ""


@pytest.mark.parametrize(
    "said",
    [
        "Write to ann.lee@example.com if yours leaks as well.",
        "Call me at 010-1234-5678 if yours leaks as well.",
        "Phone (555) 123-4567 and ask for a new one, as I did.",
        "Pictures are on www.example.com where I show all of it.",
        "See https://example.com/kettle for a longer review of it.",
        "I am @kettle_fan there, where I write about all of them.",
        "문의는 010-9876-5432로 해 주시면 바로 알려 드립니다.",
    ],
)
def test_sentences_with_personal_data_are_left_out_and_counted(said: str) -> None:
    other = "It boils quickly every day."
    assert best_sentence(f"{said} {other}", "Kettle") == (other, 1)
    assert best_sentence(said, "Kettle") == ("", 1)


def test_numbers_and_prices_are_no_personal_data() -> None:
    said = "I paid $19.99 @ the shop in 2019, and 1,500 watts are enough for 4 cups."
    assert best_sentence(said, "Kettle") == (said, 0)


def test_the_title_alone_is_no_opinion() -> None:
    title = "The Long and Winding Road to Nowhere"
    assert best_sentence(f"{title}. {title} so.", title).text == ""
    assert best_sentence(f"{title} bored my whole family.", title).text == f"{title} bored my whole family."


def test_markup_bullets_and_double_quotes_are_taken_out() -> None:
    review = "- Boils <b>very</b> &quot;quickly&quot; each morning<br />Short"
    assert best_sentence(review, "Kettle").text == "Boils very 'quickly' each morning"


def test_the_last_sentence_of_a_review_that_was_cut_is_not_taken() -> None:
    review = "Tiny. " * 832 + "This would be the longest sentence of all, but nobody knows how it ends"
    assert len(review) > 5000 and best_sentence(review, "Kettle").text == ""


def test_what_is_nearly_equal_is_said_once_the_first_way() -> None:
    found = [
        "It boils very quickly and looks nice.",
        "Boils very quickly, and looks so nice!",
        "The lid broke after two weeks of use.",
        "물이 아주 빨리 끓어서 참 좋습니다.",
        "물이 아주 빨리 끓어서 좋습니다!",
    ]
    assert unlike(found, 5) == [found[0], found[2], found[3]]
    assert unlike(found, 1) == found[:1]
