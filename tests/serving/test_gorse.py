"""gorse's paths: shapes of its clients, our feedback, users and items; and PyGorse against a real server."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rectune.recommender.recommender import Recommender
from rectune.serving.store import items
from rectune.serving.store.tables import Recommendation
from tests.serving.test_catalogue_kill import running
from tests.serving.world import World, shown, world

TIME = "2026-01-31T12:00:00Z"


def entry(user: str, item: str, type: str = "like", **more: Any) -> dict[str, Any]:
    """Feedback as gorse's clients write it."""
    return {"FeedbackType": type, "UserId": user, "ItemId": item, "Timestamp": TIME, **more}


def put(server: World, *entries: dict[str, Any]) -> dict[str, Any]:
    """Send feedback."""
    answer = server.client.post("/api/feedback", json=list(entries))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def wait_for(server: World, item: str, there: bool) -> None:
    """Until the catalogue that is served has an item, or has it no more."""
    wait_until(lambda: (item in server.service.recommender.items) == there)


def wait_until(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_feedback_counts_at_the_next_recommendation(server: World):
    assert put(server, entry("zoe", "14", "star")) == {"RowAffected": 1}
    ids = server.client.get("/api/recommend/zoe", params={"n": 2}).json()
    assert ids == shown(server.ask(history=["14"], n=2)) and "14" not in ids
    put(server, entry("zoe", ids[0], "read"))
    assert ids[0] not in server.client.get("/api/recommend/zoe").json()


def test_scores_come_with_the_second_version_and_an_empty_category_is_none(server: World):
    put(server, entry("zoe", "14"))
    plain = server.client.get("/api/recommend/zoe").json()
    scored = server.client.get("/api/recommend/zoe/", headers={"X-API-Version": "2"}).json()
    assert [one["Id"] for one in scored] == plain and set(scored[0]) == {"Id", "Score"}
    assert [one["Score"] for one in scored] == sorted((one["Score"] for one in scored), reverse=True)


def test_pages_of_a_ranking_join_to_it_however_often_they_are_asked_for(server: World):
    put(server, entry("zoe", "14"))
    whole = server.client.get("/api/recommend/zoe", params={"n": 5}).json()
    for _ in range(2):
        pages = [
            server.client.get("/api/recommend/zoe", params={"n": 2, "offset": start}).json()
            for start in (0, 2, 4)
        ]
        assert [id for page in pages for id in page] == whole


def test_a_category_is_in_the_path_or_in_the_query(server: World):
    items = server.service.recommender.items
    category = items["14"].categories[0]
    found = server.client.get(f"/api/recommend/zoe/{category}").json()
    assert found and all(category in items[id].categories for id in found)
    assert server.client.get("/api/recommend/zoe", params={"category": category}).json() == found
    several = server.client.get("/api/recommend/zoe?category=a&category=b")
    assert several.status_code == 422


def test_somebody_unknown_gets_what_is_popular_and_is_not_made(server: World):
    popular = shown(server.ask(n=3))
    assert server.client.get("/api/recommend/nobody", params={"n": 3}).json() == popular
    assert server.client.get("/api/user/nobody").status_code == 404


def test_what_is_written_back_does_not_come_again(server: World):
    first = server.client.get("/api/recommend/zoe", params={"n": 2, "write-back-type": "read"}).json()
    rows = server.client.get("/api/user/zoe/feedback/read").json()
    assert {row["ItemId"] for row in rows} == set(first)
    assert not set(first) & set(server.client.get("/api/recommend/zoe").json())
    later = server.client.get("/api/recommend/zoe", params={"write-back-delay": "1h0m0s"})
    assert later.status_code == 400 and "write-back-delay" in later.text


def test_types_are_ours_under_gorses_names_and_others_are_refused(server: World):
    put(server, entry("zoe", "11", "star"), entry("zoe", "12", "read", Value=3))
    assert server.client.get("/api/user/zoe/feedback/star").json() == [
        entry("zoe", "11", "star", Value=0.0, Comment="")
    ]
    own = server.client.get("/api/v1/feedback", params={"user": "zoe"}).json()["entries"]
    assert {(row["item"], row["type"], row["value"]) for row in own} == {
        ("11", "like", None), ("12", "seen", 3.0),
    }  # fmt: skip
    both = server.client.get("/api/user/zoe/feedback").json()
    assert {row["FeedbackType"] for row in both} == {"like", "read"}
    refused = server.client.post("/api/feedback", json=[entry("zoe", "13", "buy"), entry("zoe", "14")])
    assert refused.status_code == 400 and "star, read" in refused.text
    assert len(server.client.get("/api/user/zoe/feedback").json()) == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"Timestamp": "yesterday"},
        {"Comment": "nice"},
        {"Timestamp": "1900-01-01"},
        {"Timestamp": "9000-01-01"},
    ],
)
def test_what_cannot_be_kept_is_refused(server: World, wrong: dict[str, str]):
    answer = server.client.post("/api/feedback", json=[entry("zoe", "11") | wrong])
    assert answer.status_code in (400, 422)
    assert server.client.get("/api/user/zoe/feedback").json() == []


def test_times_are_kept(server: World):
    for text, told in (("2026-01-31 13:00:00+01:00", TIME), ("2026-01-31T12:00:00.250Z", None)):
        put(server, entry("zoe", text[:4] + text[-3:].strip("Z:+"), Timestamp=text))
        newest = server.client.get("/api/user/zoe/feedback").json()
        assert (told or text) in [row["Timestamp"] for row in newest]
    put(server, entry("zoe", "now", Timestamp=""))
    assert server.client.get("/api/user/zoe/feedback").json()[0]["ItemId"] == "now"


def test_everybodys_feedback_comes_in_pages(server: World):
    sent = [entry(user, str(item)) for user in ("ann", "zoe") for item in range(11, 15)]
    put(server, *sent)
    found, cursor = [], ""
    while True:
        page = server.client.get("/api/feedback", params={"n": 3, "cursor": cursor}).json()
        found += page["Feedback"]
        assert len(page["Feedback"]) <= 3
        if not (cursor := page["Cursor"]):
            break
    assert sorted((row["UserId"], row["ItemId"]) for row in found) == sorted(
        (row["UserId"], row["ItemId"]) for row in sent
    )
    assert server.client.get("/api/feedback", params={"cursor": "x"}).status_code == 400
    gone = server.client.delete("/api/feedback/ann/11").json()
    assert gone == {"RowAffected": 1} and server.client.get("/api/feedback/ann/11").json() == []
    assert len(server.client.get("/api/feedback/ann/12").json()) == 1


def test_a_session_and_an_item_have_neighbours(server: World):
    put(server, entry("zoe", "14"))
    alone = shown(server.ask(history=["14"], n=3))
    session = server.client.post(
        "/api/session/recommend?n=3", json=[entry("x", "14"), entry("x", "15", "read")]
    )
    ids = [one["Id"] for one in session.json()]
    assert "14" not in ids and "15" not in ids and len(ids) == 3
    near = server.client.get("/api/item/14/neighbors", params={"n": 3}).json()
    assert [one["Id"] for one in near] == alone
    assert server.client.get("/api/item/none/neighbors").status_code == 404
    assert server.client.get("/api/user/x").status_code == 404


@pytest.mark.parametrize(
    ("sent", "history"),
    [
        ((("15", ""), ("12", ""), ("14", "")), ["15", "12", "14"]),
        ((("12", ""), ("15", "2026-01-31T12:00:00Z"), ("14", "2026-01-30")), ["14", "15", "12"]),
        ((("14", "2026-01-30"), ("12", "2026-01-31"), ("14", "2026-02-01")), ["12", "14"]),
    ],
)
def test_the_likes_of_a_session_are_in_their_order(
    server: World, sent: tuple[tuple[str, str], ...], history: list[str]
):
    """Without times in that of the body, else by them; what has none is of now. The last like counts."""
    body = [entry("x", item) | {"Timestamp": time} for item, time in sent]
    assert server.client.post("/api/session/recommend", json=body).status_code == 200
    with server.database.reading() as session:
        (row,) = session.query(Recommendation)
        assert row.request["history"] == history


def test_users_are_made_changed_listed_and_deleted(server: World):
    made = server.client.post("/api/user", json={"UserId": "zoe", "Labels": ["space"], "Comment": ""})
    assert made.json() == {"RowAffected": 1}
    many = [{"UserId": "yan", "Labels": None}, {"UserId": "zoe", "Labels": ["bread"]}]
    assert server.client.post("/api/users", json=many).json() == {"RowAffected": 2}
    zoe = {"UserId": "zoe", "Labels": ["bread"], "Subscribe": None, "Comment": ""}
    assert server.client.get("/api/user/zoe").json() == zoe
    first = server.client.get("/api/users", params={"n": 1}).json()
    last = server.client.get("/api/users", params={"n": 5, "cursor": first["Cursor"]}).json()
    assert [one["UserId"] for page in (first, last) for one in page["Users"]] == ["yan", "zoe"]
    assert last["Cursor"] == ""
    assert server.client.delete("/api/user/zoe").json() == {"RowAffected": 1}
    assert server.client.delete("/api/user/zoe").status_code == 404
    refused = server.client.post("/api/user", json={"UserId": "zoe", "Subscribe": ["news"]})
    assert refused.status_code == 422 and "not kept" in refused.text


def test_items_are_added_changed_hidden_and_deleted(server: World):
    new = {"ItemId": "99", "Comment": "Rocket Base", "Categories": ["Space"], "Labels": ["red", "red"],
           "IsHidden": False, "Timestamp": TIME}  # fmt: skip
    assert server.client.post("/api/item", json=new).json() == {"RowAffected": 1}
    kept = server.client.get("/api/item/99").json()
    assert kept == {**new, "Labels": ["red"], "Timestamp": "0001-01-01T00:00:00Z"}
    wait_for(server, "99", True)
    change = {"Categories": None, "Comment": "Rocket Base II", "IsHidden": None, "Labels": ["blue"],
              "Timestamp": None}  # fmt: skip
    assert server.client.patch("/api/item/99", json=change).status_code == 200
    kept = server.client.get("/api/item/99").json()
    assert (kept["Comment"], kept["Categories"], kept["Labels"]) == ("Rocket Base II", ["Space"], ["blue"])
    assert server.client.patch("/api/item/99", json={"IsHidden": True}).status_code == 200
    assert "99" not in server.client.get("/api/recommend/zoe", params={"n": 50}).json()
    assert server.client.get("/api/item/99").status_code == 404
    assert server.client.patch("/api/item/99", json={"IsHidden": False}).status_code == 200
    assert server.client.get("/api/item/99").json()["Comment"] == "Rocket Base II"
    wait_for(server, "99", True)
    assert server.client.delete("/api/item/99").json() == {"RowAffected": 1}
    assert server.client.get("/api/item/99").status_code == 404
    wait_for(server, "99", False)
    assert server.client.patch("/api/item/99", json={"IsHidden": False}).status_code == 404
    assert server.client.post("/api/item", json={"ItemId": "98"}).status_code == 400


def test_what_gorse_has_no_word_for_stays_as_it_was(recommender: Recommender, tmp_path: Path):
    """Description, year, other facts and picture, of the store and of the start, however often it is sent."""
    own = {"item_id": "99", "title": "Rocket", "categories": ["Space"], "description": "A base.",
           "year": 1999, "facts": ["maker: Acme", "label: red"], "image": "99.png"}  # fmt: skip
    with world(recommender, tmp_path, images={"11": "11.png"}) as server:
        assert server.client.post("/api/v1/items", json={"items": [own]}).status_code == 202
        sent = [
            {"ItemId": id, "Comment": "New", "Categories": ["Sky"], "Labels": ["blue"]} for id in ("11", "99")
        ]
        for _ in range(2):
            assert server.client.post("/api/items", json=sent).status_code == 200
        with server.database.reading() as session:
            rows = items.get_many(session, ["11", "99"])
        assert (rows["99"].title, rows["99"].categories, rows["99"].description) == (
            "New",
            ["Sky"],
            "A base.",
        )
        assert (rows["99"].year, rows["99"].facts) == (1999, ["maker: Acme", "label: blue"])
        assert (rows["11"].year, rows["11"].facts) == (1969, ["maker: Acme", "label: blue"])
        assert (rows["11"].image, rows["99"].image) == ("11.png", "99.png")


def test_an_item_that_is_changed_or_comes_back_keeps_its_picture(recommender: Recommender, tmp_path: Path):
    with world(recommender, tmp_path, images={"11": "11.png", "12": "12.png"}) as server:
        assert server.client.patch("/api/item/11", json={"Labels": ["red"]}).status_code == 200
        assert server.client.delete("/api/item/12").status_code == 200
        assert server.client.patch("/api/item/12", json={"IsHidden": False}).status_code == 200
        wait_until(lambda: server.service.catalogue.current.version == 3)
        assert server.service.catalogue.current.images == {"11": "11.png", "12": "12.png"}


def test_the_last_item_cannot_be_hidden(server: World):
    ids = list(server.service.recommender.items)
    hidden = [{"ItemId": id, "Comment": id, "IsHidden": True} for id in ids]
    answer = server.client.post("/api/items", json=hidden)
    assert answer.status_code == 409
    assert len(server.client.get("/api/items", params={"n": 50}).json()["Items"]) == len(ids)


def test_items_of_the_start_and_of_the_store_are_listed_together(server: World):
    start = sorted(server.service.recommender.items)
    new = [{"ItemId": id, "Comment": f"Rocket {id}"} for id in ("10", "125", "9")]
    assert server.client.post("/api/items", json=new).json() == {"RowAffected": 3}
    assert server.client.delete("/api/item/13").status_code == 200
    for size in (1, 2, 3, 50):
        found, cursor = [], ""
        while True:
            page = server.client.get("/api/items", params={"n": size, "cursor": cursor}).json()
            found += [one["ItemId"] for one in page["Items"]]
            if not (cursor := page["Cursor"]):
                break
        assert found == sorted({*start, "10", "125", "9"} - {"13"})
    wait_for(server, "9", True)
    hits = server.client.get("/api/items", params={"q": "rocket", "n": 2}).json()
    assert len(hits["Items"]) == 2 and all("Rocket" in one["Comment"] for one in hits["Items"])


@pytest.mark.slow
def test_pygorse_works_with_a_started_server(tmp_path: Path):
    from gorse import Gorse, GorseException

    with running(tmp_path) as (_, http):
        client = Gorse(str(http.base_url).rstrip("/"), "any", timeout=60)
        assert client.insert_user({"UserId": "zoe", "Labels": ["space"]}) == {"RowAffected": 1}
        assert client.insert_users([{"UserId": "yan"}]) == {"RowAffected": 1}
        assert client.get_user("zoe")["Labels"] == ["space"]
        assert [one["UserId"] for one in client.get_users(10)[0]] == ["yan", "zoe"]
        toys = client.search_items("toy story", 1)[0]["ItemId"]
        items, cursor = client.get_items(5)
        assert len(items) == 5 and client.get_items(5, cursor)[0][0]["ItemId"] > items[-1]["ItemId"]
        assert client.insert_feedback("star", "zoe", toys, TIME) == {"RowAffected": 1}
        assert client.insert_feedbacks([entry("yan", toys, "read")]) == {"RowAffected": 1}
        assert client.list_feedbacks("star", "zoe")[0]["ItemId"] == toys
        assert len(client.get_feedbacks(10)[0]) == 2
        found = client.get_recommend("zoe", n=3)
        assert len(found) == 3 and toys not in [one.id for one in found]
        assert [one.id for one in client.get_recommend("zoe", n=2, offset=1)] == [one.id for one in found[1:]]
        near = client.get_recommend("zoe", "Comedy", n=1, write_back_type="read")
        assert near[0].id not in [one.id for one in client.get_recommend("zoe", n=50)]
        assert len(client.session_recommend([entry("x", toys)], 2)) == 2
        assert len(client.get_neighbors(toys, 2)) == 2
        client.insert_item({"ItemId": "n1", "Comment": "Harbour Lights", "Categories": ["Drama"]})
        client.update_item("n1", labels=["sea"])
        assert client.get_item("n1")["Labels"] == ["sea"]
        assert client.delete_item("n1") == client.delete_feedback("zoe", toys) == {"RowAffected": 1}
        assert client.delete_user("zoe") == {"RowAffected": 1}
        for gone in (lambda: client.get_user("zoe"), lambda: client.get_item("n1")):
            with pytest.raises(GorseException) as refused:
                gone()
            assert refused.value.status_code == 404
