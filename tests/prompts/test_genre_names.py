"""Names of genres in two languages: what a catalogue has comes first, and what is guessed is said."""

import pytest

from rectune.prompts.genre_names import as_said, names_for, other_names, same_genre


@pytest.mark.parametrize(
    ("name", "other"),
    [("공포", "Horror"), ("Horror", "호러"), ("science fiction", "Sci-Fi"), ("SF", "공상과학")],
)
def test_names_are_found_in_both_directions(name: str, other: str):
    assert same_genre(name, other) and same_genre(other, name)
    assert other in other_names(name)


def test_what_the_table_lacks_has_no_other_name():
    assert other_names("곰팡이") == () and not same_genre("Horror", "코미디")


def test_a_name_of_the_catalogue_is_never_taken_for_another():
    found = names_for(["Horror", "Comedy", "호러"])
    assert found["코미디"] == "Comedy"
    assert "호러" not in found and "Horror" not in found
    assert "공포" not in found  # it would be either of two


def test_a_guess_is_said_and_nothing_else_is():
    assert as_said("Horror", "공포는 못 봐") == "공포(Horror)"
    assert as_said("Horror", "no horror please") == "Horror"
    assert as_said("공포", "I love horror films") == "Horror(공포)"
    assert as_said("Horror", "무서운 건 싫어") == "Horror"
    assert as_said("곰팡이", "공포") == "곰팡이"
