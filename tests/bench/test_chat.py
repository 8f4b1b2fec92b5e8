"""bench.chat: people whose sentences a model writes, conversations that are kept, and what is reported."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.chat import report
from bench.chat_person import WrittenPerson, asker
from bench.chat_talk import Talk, keep_talk, kept_talk
from rectune.core.types import Item
from rectune.dialogue.chat_catalogue import ChatCatalogue
from rectune.dialogue.simulation import PLANT_AT, SimulatedUser
from rectune.inference.requests import GenerationRequest
from rectune.prompts.title_index import TitleIndex
from tests.inference.openai_stand_in import MODEL, StandIn, completion

ITEMS = [
    Item("movies", f"{kind}{at}", f"{kind} Number {at}", (kind,), f"About {at}.")
    for kind in ("Western", "Comedy", "Horror")
    for at in range(6)
]
CATALOGUE = ChatCatalogue({one.item_id: one for one in ITEMS}, TitleIndex(ITEMS), {})
LAST = 30


class Author:
    """Writes one text, and keeps what it was asked."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.asked: list[GenerationRequest] = []

    def __call__(self, request: GenerationRequest) -> str:
        self.asked.append(request)
        return self.text


def person(text: str, hostile: bool = False) -> tuple[WrittenPerson, Author]:
    author = Author(text)
    return WrittenPerson(SimulatedUser(CATALOGUE, "en", 5, hostile), author), author


def test_what_the_model_writes_is_said_and_the_target_is_described_without_its_title():
    someone, author = person(' "Something quieter, please." ')
    assert someone.says(2, LAST, ()) == "Something quieter, please."
    assert (someone.written, someone.replaced) == (1, 0)
    told = author.asked[0].messages[0][1]
    target = someone.user.target
    assert target.title not in told and target.description in told
    assert someone.user.like in told and someone.user.avoid in told


@pytest.mark.parametrize("what", ["title", "avoided", "empty", "long"])
def test_the_rules_speak_where_the_model_may_not(what: str):
    user = person("")[0].user
    texts = {
        "title": f"I want {user.target.title}", "avoided": f"no {user.avoid}", "empty": "", "long": "a" * 301
    }  # fmt: skip
    someone, _ = person(texts[what])
    assert someone.says(2, LAST, ()) == SimulatedUser(CATALOGUE, "en", 5).says(2, LAST, ())
    assert (someone.written, someone.replaced) == (0, 1)


def test_the_message_that_plants_must_say_all_of_it():
    user = person("")[0].user
    whole = f"{user.like} is what I love, {user.avoid} I cannot stand, call me {user.secret}"
    assert person(whole)[0].says(PLANT_AT, LAST, ()) == whole
    assert person(f"I love {user.like}")[0].says(PLANT_AT, LAST, ()) != f"I love {user.like}"


def test_hostile_messages_go_out_as_they_are():
    someone, author = person("I am nice", hostile=True)
    said = [someone.says(number, LAST, ()) for number in range(4, LAST - 10)]
    assert len(author.asked) < len(said) and any(one != "I am nice" for one in said)


def test_a_conversation_is_kept_as_it_was(tmp_path: Path):
    talk = Talk("en", 3, True, turns=2, invented=["1: x"], chance=[0.5, 1.0], asks=["tell", "why"])
    assert kept_talk(tmp_path / "one.json") is None
    keep_talk(talk, tmp_path / "one.json")
    assert kept_talk(tmp_path / "one.json") == talk


def test_the_report_parts_friendly_from_hostile_people_and_names_what_was_wrong():
    talks = [
        Talk(
            "en", seed, hostile, turns=10, hit=hit, chance=[0.25] * 10, seconds=[0.1] * 10, tokens=[9] * 10,
            remembered=True, used=not hostile, garbled=["4: {{"] if hostile else [], asks=["tell"] * 10,
        )
        for seed, hostile, hit in ((0, False, 4), (1, False, 0), (3, True, 9))
    ]  # fmt: skip
    told = report(talks, 10)
    assert "| all, 3 | friendly, 2 | hostile, 1 |" in told
    assert "| garbled sentences | 1 | 0 | 1 |" in told and "garbled: 3, turn 4" in told
    (row,) = (line for line in told.splitlines() if "looked for shown by turn 5" in line)
    assert "0.333 [" in row and "0.500 [" in row and "0.000 [" in row
    assert "| 0.250 | 0.250 | 0.250 |" in told and "refused |" in told


def test_a_model_behind_a_server_is_asked():
    with StandIn(lambda seen: completion("something quieter")) as server:
        someone = WrittenPerson(SimulatedUser(CATALOGUE, "en", 5), asker(server.address, MODEL))
        assert someone.says(2, LAST, ()) == "something quieter"
        assert [one.body["messages"][0]["role"] for one in server.asked] == ["system"]
