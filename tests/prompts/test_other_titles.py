"""Original titles find their items, and never another one."""

import pytest

from rectune.core.types import Item
from rectune.prompts.answers import find_items, read_answer
from rectune.prompts.title_index import TitleIndex


def films(*titles: tuple[str, str]) -> TitleIndex:
    """Films by their titles and original titles."""
    return TitleIndex(
        Item(
            "movies",
            f"m{place}",
            title,
            facts=("runtime: 81 minutes", f"original title: {told}") if told else (),
        )
        for place, (title, told) in enumerate(titles)
    )


INDEX = films(
    ("The Paper Orchestra", "L'Orchestre de papier"),
    ("Blue Hour in Busan", "푸른 시간"),
    ("Heat", "Alien"),
    ("Alien (1979)", ""),
    ("The Third Man", "Salt; and Thunder"),
    ("One (2001)", "Shared Name"),
    ("Two", "Shared Name (1999)"),
    ("Solaris", "Solaris!"),
)


@pytest.mark.parametrize(
    ("typed", "place"),
    [
        ("L'Orchestre de papier", 0), ("l orchestre de papier", 0), ("L'Orchestre de papier (1962)", 0),
        ("L'Orchestre du papier", 0), ("The Paper Orchestra", 0), ("푸른 시간", 1), ("Salt; and Thunder", 4),
        ("Alien", 3), ("Solaris", 7), ("Shared Name", None), ("Orchestre", None),
    ],
)  # fmt: skip
def test_typed_titles(typed: str, place: int | None) -> None:
    assert INDEX.alike(typed)[0] == place
    assert [item.item_id for item in INDEX.called(typed)] == ([] if place is None else [f"m{place}"])
    assert not INDEX.has(typed) or place is not None


def test_originals_that_name_other_items_are_counted_and_not_used() -> None:
    assert INDEX.others.titles == ((0, "L'Orchestre de papier"), (1, "푸른 시간"), (4, "Salt; and Thunder"))
    assert (INDEX.others.taken, INDEX.others.shared) == (1, 2)
    assert INDEX.others.describe() == (
        "3 items are also known by their original title or the one in brackets; "
        "not used: 1 that are another item's title, 2 that several share"
    )
    assert films(("Heat", "")).others.describe() == ""


TWO = films(
    ("Parasite (기생충) (2019)", ""),
    ("올드보이 (Oldboy)", ""),
    ("Alien (Director's Cut) (1979)", ""),
    ("Postman, The (Postino, Il) (1994)", ""),
    ("Seven (a.k.a. Se7en) (1995)", ""),
    ("괴물 (The Host) (2006)", ""),
    ("Host, The (2013)", ""),
    ("(500) Days of Summer (2009)", ""),
    ("한 편 (Short)", ""),
    ("두 편 (Short)", ""),
)


@pytest.mark.parametrize(
    ("typed", "place"),
    [
        ("기생충", 0), ("Parasite", 0), ("parasite (2019)", 0), ("Parasite (기생충)", 0),
        ("기생충 (2019)", 0),
        ("Oldboy", 1), ("올드보이", 1), ("Director's Cut", None), ("Il Postino", 3), ("The Postman", 3),
        ("Se7en", 4), ("Seven", 4), ("The Host", 6), ("괴물", 5), ("Days of Summer", None),
        ("Short", None), ("한 편", 8),
    ],
)  # fmt: skip
def test_both_titles_of_one_with_another_in_brackets(typed: str, place: int | None) -> None:
    assert [item.item_id for item in TWO.called(typed)] == ([] if place is None else [f"m{place}"])


def test_titles_in_brackets_that_name_other_items_are_counted() -> None:
    assert (TWO.others.taken, TWO.others.shared) == (1, 2)
    answer = "You liked a host.\nMy recommendation: 기생충"
    assert read_answer(answer, TWO).recommended == 0


def test_answers_are_read_by_original_titles() -> None:
    answer = "You liked music.\nMy recommendation: L'Orchestre de papier"
    assert read_answer(answer, INDEX).recommended == 0
    assert read_answer(answer, INDEX, (0, 1)).recommended == 0
    assert read_answer("My recommendation: 푸른 시간", INDEX, (3,)).recommended == 1
    assert read_answer("My recommendation: Alien", INDEX).recommended == 3
    assert read_answer("My recommendation: Alien", INDEX, (2,)).recommended == 3
    assert read_answer("My recommendation: Shared Name", INDEX).recommended is None
    [mention] = find_items('Then "L\'Orchestre de papier" plays.', INDEX)
    assert mention.index == 0


def test_one_original_of_items_with_one_title_is_theirs_and_the_shown_one_is_meant() -> None:
    twice = films(("Heat", "Hitze"), ("Other", ""), ("HEAT", "Hitze"))
    assert [item.item_id for item in twice.called("Hitze")] == ["m0", "m2"]
    assert read_answer("My recommendation: Hitze", twice, (2, 1)).recommended == 2


def test_titles_stay_as_they_are() -> None:
    assert INDEX.distinct == INDEX.titles
    assert INDEX.bearers("L'Orchestre de papier") == []
