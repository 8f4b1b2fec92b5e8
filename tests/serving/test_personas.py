"""What is recommended follows the persona at once, and says so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import Any

import pytest

from rectune.recommender.recommender import Recommender
from rectune.serving.personas import Personas
from rectune.serving.tastes import taste_of
from tests.dialogue.people import CATEGORIES, KINDS, of_kind, works
from tests.recommender.shelf import by_words
from tests.serving.world import World, shown, world

HORROR, ROMANCE = 0, 5


@pytest.fixture
def server(library: Recommender, tmp_path: Path) -> Iterator[World]:
    """A server of them."""
    with world(library, tmp_path) as made:
        yield made


def kinds(answer: dict[str, Any]) -> list[int]:
    return [int(item[1:]) % KINDS for item in shown(answer)]


def persona_of(server: World, user: str) -> Any:
    """The persona of a user, as the service has it."""
    service = server.service
    taste = taste_of(server.database, service.recommender, user)
    return service.personas.of(service.catalogue.current, taste)


def changed(server: World, user: str, change: Any) -> None:
    service = server.service
    taste = taste_of(server.database, service.recommender, user)
    service.personas.change(service.catalogue.current, taste, change)


def test_a_persona_is_inferred_anew_when_something_is_known_and_kept_with_a_version(server: World) -> None:
    ann = server.user("ann")
    first = persona_of(server, ann)
    assert first.version == 1 and not first.claims
    server.say(ann, "like", *of_kind(HORROR, 8))
    second = persona_of(server, ann)
    assert [one.value for one in second.claims] == ["Horror"] and second.version == 2
    assert persona_of(server, ann) == second
    exported = server.client.get(f"/api/v1/users/{ann}/export").json()
    assert exported["personas"][0]["version"] == 2
    assert [row["version"] for row in exported["persona_versions"]] == [1]
    server.client.delete(f"/api/v1/users/{ann}")
    again = server.user("ann")
    assert not persona_of(server, again).claims


def test_removing_a_claim_changes_the_first_five(server: World) -> None:
    likes = [item for pair in zip(of_kind(HORROR, 8), of_kind(ROMANCE, 8), strict=True) for item in pair]
    ann, bob = server.user("ann"), server.user("bob")
    for user in (ann, bob):
        server.say(user, "like", *likes)
    before = persona_of(server, ann)
    (romance,) = [one for one in before.claims if one.value == "Romance"]
    changed(server, ann, lambda maker, persona, known: maker.remove(persona, romance.id, known))
    removed, kept = (server.ask(user=user, n=5, explain=0) for user in (ann, bob))
    assert kinds(removed).count(ROMANCE) < kinds(kept).count(ROMANCE)
    assert removed["persona"] == before.version + 1 and kept["persona"] == before.version


@pytest.mark.parametrize("asked", [{}, {"query": "haunted house"}, {"prompt": "short"}])
def test_saying_that_one_avoids_something_takes_it_away(server: World, asked: dict[str, Any]) -> None:
    ann = server.user("ann")
    server.say(ann, "like", *of_kind(HORROR, 8))
    assert HORROR in kinds(server.ask(user=ann, n=10, explain=0, **asked))
    changed(server, ann, lambda maker, persona, known: maker.add(persona, "no horror", known))
    for n in (10, 50):
        answer = server.ask(user=ann, n=n, explain=0, **asked)
        assert len(answer["items"]) == n and HORROR not in kinds(answer)
        assert answer["persona"] is not None


def test_tastes_alone_are_enough(server: World) -> None:
    eve = server.user("eve", tastes=["horror, no romance"])
    answer = server.ask(user=eve, n=8)
    assert answer["strategy"] == "tastes" and set(kinds(answer)) == {HORROR} and answer["persona"] == 1
    changed(server, eve, lambda maker, persona, known: maker.add(persona, "Western", known))
    assert 1 in kinds(server.ask(user=eve, n=8))
    only = server.user("only", tastes=["no romance"])
    rest = server.ask(user=only, n=50)
    assert rest["strategy"] == "catalogue_order" and ROMANCE not in kinds(rest)


def test_nobody_has_no_persona(server: World) -> None:
    answer = server.ask(history=["Title 0"], n=3, prompt="short")
    assert (answer["persona"], answer["judged_by"], answer["checks"]) == (None, None, [])
    assert any("nothing to check" in note for note in answer["notes"])
    query = server.ask(user=server.user("new"), query="dragon", n=3)
    assert query["persona"] is None, "it claims nothing"


def test_an_answer_says_how_it_was_checked(server: World) -> None:
    ann = server.user("ann", tastes=["no romance"])
    server.say(ann, "like", *of_kind(HORROR, 8))
    answer = server.ask(user=ann, n=6, explain=0, prompt="detailed", query="haunted wedding")
    assert answer["judged_by"] == "claims" and "rectune doctor" in answer["why_judge"]
    by_stance = {one["stance"]: one for one in answer["checks"]}
    assert set(by_stance) == {"likes", "avoids"}
    likes = by_stance["likes"]
    assert likes["item_ids"] == [one for one in shown(answer) if int(one[1:]) % KINDS == HORROR]
    assert likes["item_ids"] and likes["question"]
    avoids = by_stance["avoids"]
    assert avoids["item_ids"] == [] and {int(one[1:]) % KINDS for one in avoids["left_out"]} == {ROMANCE}
    unchecked = server.ask(user=ann, n=6, explain=0, query="haunted wedding")
    assert unchecked["checks"] == [] and unchecked["judged_by"] is None
    again = server.client.post(f"/api/v1/recommend/{answer['id']}/again", json={"user": ann}).json()
    assert again["judged_by"] == "claims"


def test_without_a_weight_a_check_keeps_the_order(server: World) -> None:
    ann = server.user("ann")
    server.say(ann, "like", *of_kind(HORROR, 8))
    asked = {"user": ann, "n": 10, "explain": 0}
    plain = server.ask(**asked)
    bob = server.user("bob")
    server.say(bob, "like", *of_kind(HORROR, 8))
    assert shown(server.ask(**asked | {"user": bob}, prompt="short")) == shown(plain)


def test_a_change_meanwhile_is_not_lost(server: World) -> None:
    ann = server.user("ann")
    server.say(ann, "like", *of_kind(HORROR, 8))
    persona_of(server, ann)
    tries: list[int] = []

    def slow(maker: Any, persona: Any, known: Any) -> Any:
        tries.append(persona.version)
        if len(tries) == 1:
            other = Personas(server.database, Lock())
            taste = taste_of(server.database, server.service.recommender, ann)
            current = server.service.catalogue.current
            other.change(current, taste, lambda maker, persona, known: maker.add(persona, "War", known))
        return maker.add(persona, "Western", known)

    changed(server, ann, slow)
    assert {"War", "Western", "Horror"} <= {one.value for one in persona_of(server, ann).active}
    assert tries == [1, 2]


def test_the_language_of_a_persona_is_the_users(tmp_path: Path) -> None:
    with world(by_words(tmp_path / "ko", works("ko")), tmp_path) as server:
        ann = server.user("ann", locale="ko", tastes=["공포", "로맨스는 싫어"])
        found = persona_of(server, ann)
        assert {one.value for one in found.active} == {CATEGORIES["ko"][HORROR], CATEGORIES["ko"][ROMANCE]}
        assert all(any("가" <= letter <= "힣" for letter in one.text) for one in found.active)
        answer = server.ask(user=ann, n=5, prompt="detailed")
        assert set(kinds(answer)) == {HORROR} and "?" in answer["checks"][0]["question"]
