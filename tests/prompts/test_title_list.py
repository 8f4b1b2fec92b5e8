"""A history as a list: what is asked names no title, and the answer so far ends where a title follows."""

import pytest

from rectune.prompts.title_list import begun_list, list_messages, next_line


def test_the_answer_so_far_has_a_line_for_each_title_and_ends_on_a_dash():
    assert begun_list(["Heat", "Ran"]) == "- Heat\n- Ran\n-"
    assert begun_list([]) == "-"
    assert begun_list(["Heat"]) + next_line("Ran") == begun_list(["Heat", "Ran"]).removesuffix("\n-")


def test_a_title_is_one_line_and_cannot_begin_another():
    assert begun_list(["Heat\n- Ran"]) == "- Heat - Ran\n-"
    assert next_line("Heat\nRan") == " Heat Ran"


@pytest.mark.parametrize(("domain", "locale", "kind"), [("movies", "en", "Films"), ("books", "ko", "책")])
def test_the_instruction_names_the_kind_of_things(domain: str, locale, kind: str):
    system, instruction = list_messages(domain, locale)
    assert kind in instruction and system
    assert "\n" not in instruction
