"""Reading items out of answers: our two forms, and what models write instead."""

import string

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from rectune.core.types import Locale
from rectune.prompts.answers import ParsedAnswer, closing, ranking, read_answer, reasons
from rectune.prompts.title_index import TitleIndex
from rectune.prompts.title_matching import FOLLOWED, MARKED, SHORT, SPOKEN, SURE, WHOLE
from rectune.prompts.titles import key_of, unescape

TITLES = [
    "Alien (1979)",
    "Aliens",
    "It",
    "기생충",
    "Star Wars",
    "Star Wars: Episode V",
    "Spider-Man: Homecoming",
    "Up",
    "Heat (1995)",
    "Heat (1986)",
    "2001: A Space Odyssey",
    "살인의 추억",
    "Tom & Jerry",
    "The Good, the Bad and the Ugly",
    "300",
    "밤",
]
SHOWN = (2, 0, 7, 8, 3)  # It, Alien, Up, Heat (1995), 기생충
LIST = "You like dread and space.\n\n"

# What stands where, and how sure: answers to a direct prompt.
DIRECT: list[tuple[str, list[str], list[float]]] = [
    ("You like dread. My recommendation: Aliens", ["Aliens"], [WHOLE]),
    ("You like dread.\nMy recommendation: Alien (1979)", ["Alien (1979)"], [WHOLE]),
    ("my recommendation: ALIENS.", ["Aliens"], [WHOLE]),
    ("**My recommendation:** **Aliens**", ["Aliens"], [WHOLE]),
    ('My recommendation: "Aliens"', ["Aliens"], [WHOLE]),
    ("My recommendation: Alien", ["Alien (1979)"], [SHORT]),
    ("My recommendation: Alien 1979", ["Alien (1979)"], [WHOLE]),
    ("My recommendation: Aliens (1986)", ["Aliens"], [FOLLOWED]),
    ("My recommendation: Aliens, because it is loud", ["Aliens"], [FOLLOWED]),
    ("My recommendation: Aliens – louder than the first", ["Aliens"], [FOLLOWED]),
    ("My recommendation: *Aliens*: louder than the first", ["Aliens"], [MARKED]),
    ("My recommendation: Star Wars because it is loud", ["Star Wars"], [SHORT]),
    ("My recommendation: Star Wars: The Clone Wars", ["Star Wars"], [SHORT]),
    ("My recommendation: star wars episode v", ["Star Wars: Episode V"], [WHOLE]),
    ("My recommendation: Spider–Man Homecoming", ["Spider-Man: Homecoming"], [WHOLE]),
    ("My recommendation: Ｕｐ", ["Up"], [WHOLE]),
    ("My recommendation: It", ["It"], [WHOLE]),
    ("My recommendation: Tom &amp; Jerry", ["Tom & Jerry"], [WHOLE]),
    ("My recommendation: Alien (1979)\nMy recommendation: Up", ["Up"], [WHOLE]),
    ("My recommendation:\nUp\n\nIt is warm.", ["Up"], [WHOLE]),
    ("My recommendation: The Good, the Bad and the Ugly", ["The Good, the Bad and the Ugly"], [WHOLE]),
    ("이유는 이렇습니다. 추천: 기생충", ["기생충"], [WHOLE]),
    ("추천： 기생충입니다.", ["기생충"], [WHOLE]),
    ("추천: '살인의 추억'입니다.", ["살인의 추억"], [WHOLE]),
    ("추천: <기생충> (2019)", ["기생충"], [FOLLOWED]),
    ("추천: Alien (1979)을 권합니다", ["Alien (1979)"], [SHORT]),
    ("추천: Alien (1979)입니다", ["Alien (1979)"], [WHOLE]),
    ("최종 추천: 살인의 추억 - 긴장감이 좋습니다", ["살인의 추억"], [FOLLOWED]),
    ("추천 영화: 기생충", ["기생충"], [WHOLE]),
    ("Final answer: Up", ["Up"], [WHOLE]),
    ("I recommend: **Up**", ["Up"], [WHOLE]),
    ("### Recommendation:\n**Up**", ["Up"], [WHOLE]),
    ("1. You like dread.\n2. You like space.\nMy recommendation: Aliens", ["Aliens"], [WHOLE]),
    ("1. Aliens: you saw it.\n2. Up: you saw it.\nMy recommendation: It", ["It"], [WHOLE]),
]
# Answers whose form is none of ours: what the last sentence names.
PROSE: list[tuple[str, str | None]] = [
    ("You like Alien. So try Aliens.", "Aliens"),
    ("You like Aliens. So try something new.", None),
    ("You like Aliens. It's also a good choice because", None),
    ("You like Aliens. Nothing beats It", "It"),
    ('I would go for "Up".', "Up"),
    ("그래서 '기생충'을 권합니다.", "기생충"),
    ("그래서 살인의 추억을 권해 드립니다.", "살인의 추억"),
    ("밤에 보기 좋은 영화입니다.", None),
    ("An alien story about a ship.", None),
    ("I would watch Alien 3.", None),
    ("I would watch Heat.", None),
    ("I would watch Heat (1995).", "Heat (1995)"),
    ("I would watch Star Wars Rebels.", None),
    ("There were 300 of them.", None),
    ("Her film is up to you, is it not?", None),
    ("", None),
    ("비추천: Up", None),
    ("Not recommended: Up", None),
    ("1. Aliens: you saw it.\n2. 300: you saw it.\nSo I recommend Up.", "Up"),
    ("I recommend Up. It has the warmth of Aliens.", "Up"),
    ("추천드리는 영화는 '기생충'입니다. 이 영화는 Aliens처럼 긴장감이 있습니다.", "기생충"),
    ("**Up**", "Up"),
]
# Nothing is recommended, though a title stands somewhere before.
NOTHING = [
    "My recommendation: Aliens and more",
    "My recommendation: Solaris",
    "You like Up. My recommendation: Solaris",
    "You like Aliens, so My recommendation: Solaris",
    "My recommendation: Alien (1986)",
    "My recommendation: Alien 3",
    "My recommendation: Heat",
    "My recommendation: It is a fine evening",
    "My recommendation: Alienation",
    "My recommendation:",
    "My ranking:",
    "추천: 기생충학 입문",
]
FOUR = ["Aliens", "Up", "It", "기생충"]
# Rankings of the same four, as they are written.
RANKINGS = [
    "My ranking:\n1. Aliens\n2. Up\n3. It\n4. 기생충",
    "순위:\n1. Aliens\n2. Up\n3. It\n4. 기생충",
    "**My ranking:**\n\n1. **Aliens**\n2. **Up**\n3. **It**\n4. **기생충**",
    "Here is my final ranking:\n1) Aliens\n2) Up\n3) It\n4) 기생충\n\nI hope you enjoy them!",
    "### Ranking (best first):\n[1] Aliens\n[2] Up\n[3] It\n[4] 기생충",
    "My ranking:\n- Aliens\n- Up\n- It\n- 기생충",
    "My ranking:\nAliens\nUp\nIt\n기생충",
    "My ranking: 1. Aliens 2. Up 3. It 4. 기생충",
    "My ranking: 1) Aliens, 2) Up, 3) It, 4) 기생충",
    "My ranking: Aliens, Up, It and 기생충",
    "My ranking: Aliens > Up > It > 기생충",
    "Aliens > Up > It > 기생충",
    "1. Aliens - because of the dread\n2. Up – warm\n3. It: clowns\n4. 기생충 (봉준호)",
    "1. **Aliens**: louder than Heat (1995).\n   - horror\n2. **Up**: warm.\n3. **It**: clowns.\n"
    "4. **기생충**: 계단.",
    '1. "Aliens"\nA loud film.\n\n2. "Up"\nWarm, like Heat (1995).\n\n3. "It"\n\n'
    '4. "기생충"\nStairs and Heat (1995).',
    "1위: Aliens\n2위: Up\n3위: It\n4위: 기생충",
    "추천 순위:\n1위 - Aliens\n2위 - Up\n3위 - It\n4위 - 기생충입니다.",
    "① Aliens\n② Up\n③ It\n④ 기생충",
    "1️⃣ Aliens\n2️⃣ Up\n3️⃣ It\n4️⃣ 기생충",
    "1.Aliens\n2.Up\n3.It\n4.기생충",
    "１． Aliens\n２． Up\n３． It\n４． 기생충",
    "| 1 | Aliens | loud |\n| 2 | Up | warm |\n| 3 | It | clowns |\n| 4 | 기생충 | stairs |",
    "3. Aliens\n1. Up\n4. It\n2. 기생충",
    "1. Aliens\n1. Up\n1. It\n1. 기생충",
    "- You like dread and Heat (1995).\n- You like 300.\n\nMy ranking:\n1. Aliens\n2. Up\n3. It\n4. 기생충",
    "You saw:\n1. 300\n2. Star Wars\n\nNow see:\n1. Aliens\n2. Up\n3. It\n4. 기생충",
    "My ranking:\n1. Aliens\n2. Up\n3. It\n4. 기생충\nMy recommendation: Aliens",
    "My ranking:\n1. Up\n2. Aliens\n3. It\n4. 기생충\nMy recommendation: Aliens",
    "I recommend the following films:\n1. Aliens\n2. Up\n3. It\n4. 기생충",
    'My ranking:\n1. My first choice is "Aliens".\n2. Then I would see Up.\n3. It\n'
    "4. 그다음은 '기생충'입니다.",
    "My ranking:\n1. Aliens\n2. Aliens\n3. Up\n4. It\n5. Up\n6. 기생충",
]
# Rankings by the numbers of the prompt's candidates.
NUMBERS = [
    ("My ranking: 3, 1, 5", [7, 2, 3]),
    ("3 > 1 > 5", [7, 2, 3]),
    ("[3] > [1] > [5]", [7, 2, 3]),
    ("순위: 3번, 1번, 5번", [7, 2, 3]),
    ("My ranking:\n1. 3\n2. 1\n3. 5", [7, 2, 3]),
    ("1. 3\n2. 1\n3. 5", [7, 2, 3]),
    ("1. Candidate 3\n2. Candidate 1\n3. Candidate [5]", [7, 2, 3]),
    ("My ranking:\n3. Up\n1. It\n5. 기생충", [7, 2, 3]),
    ("My recommendation: 3", [7]),
    ("My recommendation: 3. Up", [7]),
    ("추천: 3번", [7]),
    ("My ranking: 3, 1, 9", []),
    ("My recommendation: 300", [14]),
]


def titles_of(reading: ParsedAnswer) -> list[str]:
    return [TITLES[item] for item in reading.items]


@pytest.mark.parametrize(("answer", "wanted", "certainty"), DIRECT)
def test_a_direct_answer_names_one_item(answer: str, wanted: list[str], certainty: list[float]) -> None:
    reading = read_answer(answer, TITLES)
    assert (titles_of(reading), list(reading.certainty)) == (wanted, certainty)
    assert reading.form == "direct" and reading.recommended == (reading.items[0] if wanted else None)


@pytest.mark.parametrize(("answer", "wanted"), PROSE)
def test_without_a_form_the_last_sentence_counts(answer: str, wanted: str | None) -> None:
    reading = read_answer(answer, TITLES)
    assert titles_of(reading) == ([wanted] if wanted else []) and reading.form == "none"
    assert all(certainty >= SURE for certainty in reading.certainty)


@pytest.mark.parametrize("answer", NOTHING)
def test_an_answer_may_recommend_none_of_the_titles(answer: str) -> None:
    reading = read_answer(answer, TITLES)
    assert reading.items == () and reading.recommended is None and reading.form != "none"


@pytest.mark.parametrize("lead", ["", LIST])
@pytest.mark.parametrize("answer", RANKINGS)
def test_a_ranking_is_read_in_its_order(answer: str, lead: str) -> None:
    reading = read_answer(lead + answer, TITLES)
    assert (titles_of(reading), reading.form) == (FOUR, "listwise")
    assert reading.recommended == reading.items[0] and min(reading.certainty) >= SHORT


@pytest.mark.parametrize(("answer", "wanted"), NUMBERS)
def test_numbers_stand_for_the_candidates_that_were_shown(answer: str, wanted: list[int]) -> None:
    reading = read_answer(answer, TITLES, SHOWN)
    assert list(reading.items) == wanted
    assert not set(reading.items) & set(SHOWN) or "300" not in answer


def test_numbers_mean_nothing_where_no_candidates_were_shown() -> None:
    assert read_answer("My ranking: 3, 1, 5", TITLES).items == ()
    assert read_answer("3 > 1 > 5", TITLES) == ParsedAnswer()


def test_a_short_form_is_read_where_it_fits_one_title_only() -> None:
    assert read_answer("My ranking:\n1. Heat\n2. Alien", TITLES).items == (0,)
    assert read_answer("My ranking:\n1. Heat\n2. Alien", TITLES, SHOWN).items == (8, 0)
    assert read_answer("My ranking:\n1. Heat\n2. Alien", TITLES, (8, 9)).items == (0,)
    # Both that were shown may be meant, and rather than one of the same name that was not.
    assert read_answer("My ranking:\n1. Heat", [*TITLES, "Heat"], (8, 9)).items == ()


def test_what_stands_first_and_is_no_title_is_told_and_nothing_is_recommended() -> None:
    reading = read_answer("My ranking:\n1. **Solaris**\n2. Up", TITLES)
    assert (reading.items, reading.recommended, reading.words) == ((7,), None, "Solaris")
    assert read_answer("추천: 솔라리스.", TITLES).words == "솔라리스."


def test_an_item_that_was_shown_is_meant_rather_than_another_of_the_same_title() -> None:
    titles = ["Dune", "Dune", "dune", "Dune (1984)"]
    assert [
        read_answer("My recommendation: Dune", titles, shown).items for shown in ((), (1,), (2,), (3,))
    ] == [
        (0,),
        (1,),
        (2,),
        (3,),
    ]


def test_titles_that_differ_in_signs_are_told_apart_by_them() -> None:
    titles = ["C++", "C#", "???", "!!!", "A-Team"]
    answer = "I like C#, then C++.\nMy ranking:\n1. !!!\n2. C++\n3. C\n4. ???\n5. C#"
    reading = read_answer(answer, titles)
    assert reading.items == (3, 0, 2, 1)
    assert [mention.index for mention in reading.mentions][:2] == [1, 0]


def test_mentions_stand_where_the_answer_has_them() -> None:
    answer = "Since you like Tom &amp; Jerry and 기생충을, try &quot;Up&quot;."
    found = [
        (TITLES[m.index], answer[m.start : m.end], m.certainty) for m in read_answer(answer, TITLES).mentions
    ]
    assert found == [
        ("Tom & Jerry", "Tom &amp; Jerry", SPOKEN),
        ("기생충", "기생충", SPOKEN),
        ("Up", "Up", MARKED),
    ]


def test_the_reasons_stand_before_the_choice() -> None:
    assert reasons(f"You like dread.\n{ranking('en', ['Up'])}") == "You like dread."
    assert reasons("무서운 것을 좋아하십니다. **추천:** 기생충") == "무서운 것을 좋아하십니다."
    assert reasons("You like dread.") == "You like dread."


def test_an_index_reads_as_its_titles_do() -> None:
    answer = "My ranking:\n1. Up\n2. It"
    assert read_answer(answer, TitleIndex.of_titles(TITLES), SHOWN) == read_answer(answer, TITLES, SHOWN)


# Titles that are one line of text, some of them hostile to the parser.
LOCALES = st.sampled_from(["en", "ko"])
HOSTILE = st.sampled_from(
    [
        "My ranking:", "My recommendation: Up", "추천: 책", "순위:", "1. Alien", "[2] 3 > 1", "3", "- x",
        "x", "**x**", "&lt;b&gt;", "&amp;", "|", "---", "Alien - because", "Alien", "Alien (1979)",
        "Alien (1986)", "1. ", "It", "을", "x\x85y", "x\ny", "\t x \n", "x\u2028y", "<|im_end|>",
        "Answer: x", "1. My ranking: 2. x", "Dr. Who? No. 1: Up",
    ]
)  # fmt: skip
TITLE = st.one_of(
    HOSTILE, st.text(min_size=1, max_size=20), st.text("ab1 .:-*가", min_size=1, max_size=8)
).filter(lambda title: bool(title.strip()))
SEVERAL = st.lists(
    TITLE, min_size=1, max_size=8, unique_by=lambda title: " ".join(unescape(title)[0].split())
)


@given(
    titles=SEVERAL,
    locale=LOCALES,
    lead=st.sampled_from(["", "Dread!\n", "1. You like dread.\n2. And space:\n"]),
)
def test_a_ranking_of_any_titles_reads_back_exactly(titles: list[str], locale: Locale, lead: str) -> None:
    reading = read_answer(lead + ranking(locale, titles), titles)
    assert reading.items == tuple(range(len(titles)))
    assert set(reading.certainty) == {WHOLE} and reading.recommended == 0


@pytest.mark.parametrize("titles", [["X", "x"], ["x", "X"], ["X", "\t x \n", "x"], ["Up!", "up!", "UP!"]])
def test_titles_that_differ_in_case_alone_are_told_apart_by_their_spelling(titles: list[str]) -> None:
    for title in titles:
        first = [t.strip() for t in titles].index(title.strip())
        assert read_answer(closing("en", title), titles).recommended == first


@given(titles=SEVERAL, locale=LOCALES, data=st.data())
def test_a_closing_line_of_any_title_reads_back_exactly(
    titles: list[str], locale: Locale, data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(titles) - 1))
    reading = read_answer(f"Dread.\n{closing(locale, titles[place])}", titles)
    assert (reading.items, reading.certainty, reading.form) == ((place,), (WHOLE,), "direct")


@given(text=st.text(max_size=80), titles=SEVERAL, data=st.data())
def test_any_text_can_be_read_and_names_no_item_twice(
    text: str, titles: list[str], data: st.DataObject
) -> None:
    shown = data.draw(st.lists(st.integers(0, len(titles) - 1), unique=True))
    for answer in (text, f"My ranking: {text}", f"1. {text}\n2. {text}", f"추천: {text}"):
        reading = read_answer(answer, titles, shown)
        assert len(set(reading.items)) == len(reading.items) == len(reading.certainty)
        assert all(0 < certainty <= 1 for certainty in reading.certainty)
        assert all(0 <= m.start < m.end <= len(answer) for m in reading.mentions)


WORDS = st.lists(st.text(string.ascii_lowercase, min_size=3, max_size=9), max_size=20).map(" ".join)


@given(lead=WORDS, answer=st.sampled_from([*RANKINGS, *(row[0] for row in DIRECT)]))
def test_unrelated_text_before_changes_nothing(lead: str, answer: str) -> None:
    assume(not {"alien", "aliens"} & set(lead.split()))
    before, after = read_answer(answer, TITLES), read_answer(f"{lead}.\n\n{answer}", TITLES)
    assert (before.items, before.certainty, before.form) == (after.items, after.certainty, after.form)


@given(
    title=st.text(string.ascii_letters + "가나다", min_size=1, max_size=8),
    before=st.text(string.ascii_letters, max_size=3),
    after=st.text(string.ascii_letters, max_size=3),
    form=st.sampled_from(
        ["My recommendation: {}", "My ranking:\n1. {}", "1. {} - good\n2. x", "So I suggest {}.", '"{}"']
    ),
)
def test_part_of_a_word_is_never_a_title(title: str, before: str, after: str, form: str) -> None:
    assume((before or after) and key_of(before + title + after) != key_of(title))
    assume(f" {key_of(title)} " not in f" {key_of(form)} ")
    reading = read_answer(form.format(before + title + after), [title])
    assert reading.items == () and reading.mentions == ()
