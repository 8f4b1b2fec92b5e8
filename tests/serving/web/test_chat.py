"""The page of conversations over HTTP: with and without scripts, marks, memory, other people's words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import polars as pl
import pytest
from starlette.responses import Response

from rectune.recommender.recommender import Recommender
from tests.recommender.shelf import FILMS, by_words
from tests.serving.test_chats import by_model
from tests.serving.test_streams_and_queue import until
from tests.serving.web.person import HTMX, Person, messages, person
from tests.serving.web.visitors import text_of
from tests.serving.world import Author, World, world

PAGE = re.compile(r"/chat/([0-9a-f]{32})#last")


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Recommender:
    return by_words(tmp_path_factory.mktemp("words"))


@pytest.fixture
def server(words: Recommender, tmp_path: Path) -> Iterator[World]:
    with world(words, tmp_path, search_url="https://x.example/?q={title}") as made:
        yield made


def say(person: Person, text: str, chat: str = "") -> str:
    """Say something as a browser without scripts; gives the id of the conversation."""
    sent = person.post("/chat/message", text=text, chat=chat)
    found = PAGE.fullmatch(sent.headers.get("location", ""))
    assert sent.status_code == 303 and found, sent.text
    return found[1]


def seen(person: Person, path: str = "/chat") -> str:
    """What they read on the page."""
    page = person.get(path)
    assert page.status_code == 200
    return text_of(page.text)


def cards(html: str) -> list[str]:
    return re.findall(r'<h3 id="title-\d+-\d+">(.*?)</h3>', html)


def test_who_has_no_session_goes_to_the_entrance(server: World):
    for method, path in (
        ("GET", "/chat"), ("GET", "/chat/x"), ("POST", "/chat/message"), ("POST", "/chat/new"),
        ("POST", "/chat/forget"),
    ):  # fmt: skip
        sent = server.client.request(method, path, data={"text": "a"}, follow_redirects=False)
        assert sent.status_code == 303 and sent.headers["location"] == "/welcome"


def test_without_scripts_a_message_leads_to_its_answer(server: World):
    ann = person(server)
    assert "Nothing yet." in seen(ann) and 'href="/chat" aria-current="page"' in ann.get("/chat").text
    chat = say(ann, "I love space but I can't stand war")
    page = ann.get("/chat")
    assert set(cards(page.text)) == {"Moon Landing", "Rocket Pilots"}
    assert 'id="last"' in page.text and "https://x.example/?q=" in page.text
    read = seen(ann)
    assert "Noted: you like Space." in read and "“" not in read
    assert re.search(r"I love space you like · [\d-]+ [\d:]+ Forget", read)
    assert say(ann, "why?", chat) == chat
    assert "You: why?" in seen(ann, f"/chat/{chat}")


def test_with_scripts_the_parts_come_in_their_order(server: World):
    ann = person(server)
    sent = ann.post("/chat/message", HTMX, text="I love space", chat="")
    assert sent.headers["content-type"].startswith("text/event-stream")
    parts = [part for part in messages(sent.text) if part]
    assert 'id="turn-now"' in parts[0] and "I love space" in parts[0] and 'id="words"' in parts[0]
    kinds = [re.findall(r'hx-target="#([a-z-]+?)(?:-\d+)?"', part)[-1] for part in parts[1:]]
    order = list(dict.fromkeys(kinds))
    assert order[0] == "progress" and order.index("found-now") < order.index("why-now")
    last = parts[-1]
    assert 'hx-target="#turn-now" hx-swap="outerMorph"' in last and re.search(r'id="turn-\d+"', last)
    assert 'hx-target="#facts"' in last and "I love space" in last.partition('hx-target="#facts"')[2]
    chat = re.findall(r'name="chat" value="([0-9a-f]{32})"', last)[0]
    whole = last[last.index('<div class="turn"') : last.index("</hx-partial>")]
    assert text_of("<main>" + whole).removeprefix("> ") in seen(ann, f"/chat/{chat}")


def test_marks_count_at_once_and_are_taken_back(server: World):
    ann = person(server)
    chat = say(ann, "recommend a space film")
    page = ann.get("/chat").text
    item, at = re.findall(
        r'name="item" value="(\d+)">\s*<input type="hidden" name="at" value="([\d-]+)"', page
    )[0]
    sent = ann.post("/chat/mark", item=item, at=at, chat=chat, mark="seen")
    assert sent.status_code == 303 and sent.headers["location"] == f"/chat/{chat}#card-{at}"
    entries = server.client.get(f"/api/v1/feedback?user={ann.id}").json()["entries"]
    assert [(one["item"], one["type"]) for one in entries] == [(item, "seen")]
    part = ann.post("/chat/mark", HTMX, item=item, at=at, chat=chat, mark="like").text
    assert part.count('aria-pressed="true"') == 2 and "<html" not in part
    chat = say(ann, "a space film please", chat)
    shown = ann.get(f"/chat/{chat}").text.partition('id="last"')[2]
    assert f'name="item" value="{item}"' not in shown
    ann.post("/chat/mark", item=item, at=at, chat=chat, take_back="seen")
    assert len(server.client.get(f"/api/v1/feedback?user={ann.id}").json()["entries"]) == 1
    for form in ({"mark": "hide"}, {}, {"mark": "like", "take_back": "like"}):
        assert ann.post("/chat/mark", item=item, at=at, chat=chat, **form).status_code in (400, 422)


def test_one_message_is_deleted_with_its_answer_and_what_was_remembered_of_it(server: World):
    ann = person(server)
    chat = say(ann, "I love zebrafish")
    chat = say(ann, "I love space", chat)
    first, second = re.findall(r'name="message" value="(\d+)"', ann.get("/chat").text)
    sent = ann.post("/chat/delete-message", chat=chat, message=first)
    assert sent.status_code == 303 and sent.headers["location"] == f"/chat/{chat}#last"
    read = seen(ann)
    assert "zebrafish" not in read and "You: I love space" in read
    kept = server.client.get(f"/api/v1/chats/{chat}").json()["messages"]
    assert [one["id"] for one in kept] == [int(second)]
    facts = server.client.get(f"/api/v1/users/{ann.id}/memory").json()["facts"]
    assert [one["quote"] for one in facts] == ["I love space"]
    again = ann.post("/chat/delete-message", HTMX, chat=chat, message=first)  # it is gone already
    assert again.status_code == 200 and again.headers["hx-redirect"] == f"/chat/{chat}#last"
    ann.post("/chat/delete-message", chat=chat, message=second)
    assert "Recommend something" in seen(ann) and "Nothing yet." in seen(ann)


def test_nobody_deletes_a_message_of_another_or_of_another_conversation(server: World):
    ann, bob = person(server), person(server)
    mine, other = say(ann, "I love space"), say(bob, "I love war")
    message = re.findall(r'name="message" value="(\d+)"', ann.get("/chat").text)[0]
    assert bob.post("/chat/delete-message", chat=mine, message=message).status_code == 404
    bob.post("/chat/delete-message", chat=other, message=message)
    assert "You: I love space" in seen(ann) and "You: I love war" in seen(bob)
    assert ann.post("/chat/delete-message", chat=mine, message="x").status_code == 422


def test_what_is_remembered_can_be_forgotten_one_by_one_and_whole(server: World):
    ann = person(server)
    chat = say(ann, "I love zebrafish")
    chat = say(ann, "I love space", chat)
    fact = re.findall(r'name="fact" value="(\d+)"', ann.get("/chat").text)[0]
    sent = ann.post("/chat/forget", fact=fact, chat=chat)
    assert sent.status_code == 303 and sent.headers["location"] == f"/chat/{chat}#memory"
    read = seen(ann)
    assert "zebrafish" not in read and "[…]" in read and "I love space" in read
    ann.post("/chat/forget", chat=chat)
    assert "I love space" not in seen(ann) and "Nothing yet." in seen(ann)


def test_conversations_begin_anew_are_listed_and_deleted(server: World):
    ann = person(server)
    first = say(ann, "I love space")
    for _ in range(2):  # an empty one is taken again
        assert ann.post("/chat/new").headers["location"] == "/chat"
    page = ann.get("/chat").text
    assert "I love space" in page.partition('class="earlier"')[2] and cards(page) == []
    (second,) = set(re.findall(r'name="chat" value="([0-9a-f]{32})"', page))
    assert second != first and say(ann, "hello", second) == second
    assert len(server.client.get(f"/api/v1/chats?user={ann.id}").json()["chats"]) == 2
    assert ann.post("/chat/delete", chat=first).status_code == 303
    assert "I love space" not in seen(ann) and ann.get(f"/chat/{first}").status_code == 404


def test_older_messages_are_a_page_away(server: World):
    ann, chat = person(server), ""
    for at in range(32):
        chat = say(ann, f"thanks number{at}x", chat)
    assert "number1x" not in seen(ann) and "number2x" in seen(ann)
    address = re.findall(rf'href="(/chat/{chat}\?before=\d+)"', ann.get("/chat").text)[0]
    older = seen(ann, address)
    assert "number0x" in older and "number1x" in older and "number2x" not in older


def test_a_conversation_of_another_is_not_there(server: World):
    ann, bob = person(server), person(server)
    chat = say(ann, "I love zebrafish")
    fact = re.findall(r'name="fact" value="(\d+)"', ann.get("/chat").text)[0]
    refused = [
        bob.get(f"/chat/{chat}"), bob.post("/chat/message", text="why?", chat=chat),
        bob.post("/chat/message", HTMX, text="why?", chat=chat), bob.post("/chat/delete", chat=chat),
        bob.post("/chat/mark", item="11", at="1-1", chat=chat, mark="like"),
        bob.post("/chat/forget", fact="0", chat=chat),
    ]  # fmt: skip
    assert [one.status_code for one in refused] == [404] * len(refused)
    bob.post("/chat/forget", fact=fact)
    assert "I love zebrafish" in seen(ann) and "zebrafish" not in seen(bob)


def test_two_people_at_once_never_see_each_others_words(server: World):
    people = {word: person(server) for word in ("zqannzq", "zqbobzq")}
    start, seen_by = Barrier(2), dict[str, str]()

    def talk(word: str) -> None:
        who, chat, got = people[word], "", ""
        cookie = {"Cookie": f"rectune_session={who.token}", "Accept-Language": "en"}
        start.wait(20)
        for text in ("I love {}", "no {}men tonight", "about {}land", "what do you know about me?"):
            sent: Response = server.client.post(
                "/chat/message", data={"text": text.replace("{}", word), "chat": chat}, headers=cookie | HTMX
            )  # type: ignore[assignment]
            got += sent.text  # type: ignore[attr-defined]
            chat = re.findall(r'name="chat" value="([0-9a-f]{32})"', got)[-1]
        seen_by[word] = got

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(talk, people)) == [None, None]
    for word, who in people.items():
        got = seen_by[word] + who.get("/chat").text
        (other,) = set(people) - {word}
        assert got.count(word) > 8 and other not in got


def test_words_of_anybody_are_words(tmp_path: Path):
    evil = '<img src=x onerror=alert(1)></p><hx-partial hx-target="body">'
    films = FILMS.with_columns(title=pl.Series([evil, *FILMS["title"][1:]]))
    with world(by_words(tmp_path / "words", films), tmp_path) as server:
        ann = person(server)
        sent = ann.post("/chat/message", HTMX, text=f"I love space and {evil}", chat="")
        for text in (sent.text, ann.get("/chat").text):
            assert "<img src=x" not in text and '<hx-partial hx-target="body' not in text
            assert "&lt;img src=x" in text


def test_an_empty_or_too_long_message_is_refused(server: World):
    ann = person(server)
    for text in ("", "   ", "a" * 1001):
        assert ann.post("/chat/message", text=text, chat="").status_code in (400, 422)
        part = ann.post("/chat/message", HTMX, text=text, chat="")
        assert part.status_code in (400, 422) and part.headers["HX-Retarget"] == "#problem"
    assert server.client.get(f"/api/v1/chats?user={ann.id}").json()["chats"] == []


def test_a_full_queue_gives_the_message_back(wordy: Recommender, tmp_path: Path):
    author = Author(by_model, slots=1)
    with world(wordy, tmp_path, author, max_waiting=1) as server, ThreadPoolExecutor(2) as pool:
        author.gate.clear()
        body = {"history": ["Moon Landing"], "n": 1}
        open_ones = [pool.submit(server.client.post, "/api/v1/recommend", json=body)]
        until(lambda: len(author.open) == 1)
        open_ones.append(pool.submit(server.client.post, "/api/v1/recommend", json=body))
        until(lambda: len(author.waiting) == 1)
        ann = person(server)
        last = messages(ann.post("/chat/message", HTMX, text="I love space", chat="").text)[-1]
        assert 'hx-target="#turn-now" hx-swap="delete"' in last and re.search(r'data-wait="\d+"', last)
        assert 'value="I love space"' in last
        author.gate.set()
        assert [one.result(30).status_code for one in open_ones] == [200, 200]
        assert server.client.get(f"/api/v1/chats?user={ann.id}").json()["chats"] == []


def test_a_model_that_fails_is_said(wordy: Recommender, tmp_path: Path):
    author = Author(by_model)
    with world(wordy, tmp_path, author) as server:
        author.fails = True
        last = messages(person(server).post("/chat/message", HTMX, text="I love space", chat="").text)[-1]
        assert "The language model has stopped, so plain sentences answer." in last and "Noted:" in last


def test_the_page_speaks_the_language_of_its_reader(server: World):
    ann = person(server, locale="ko")
    chat = say(ann, "Space 좋아해요")
    assert say(ann, "Moon War", chat) == chat
    read = seen(ann)
    assert "기억하고 있는 것" in read and "좋아하는 것 ·" in read and "기억할게요" in read
