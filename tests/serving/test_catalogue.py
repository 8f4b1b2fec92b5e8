"""Items come, change and go while the server runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rectune.core.errors import UserError
from rectune.core.types import Item
from rectune.recommender import build
from rectune.recommender.recommender import Recommender
from rectune.retrieval.embedding import Vectors, register
from rectune.serving import catalogue_changes
from rectune.serving.answers import Conflict, RecommendQuestion
from rectune.serving.catalogue import LiveCatalogue
from rectune.serving.catalogue_worker import CatalogueWorker
from rectune.serving.recommending import RecommendService
from rectune.serving.store import api_keys, items, jobs
from rectune.serving.store.database import Database, open_database
from rectune.serving.store.items import ItemEntry
from tests.recommender.shelf import RETRIEVAL, by_words
from tests.serving.world import World, shown, world

WAIT = 60.0  # seconds
EMBEDDED = list[str]()  # texts that were embedded
REFUSED = "cannot be embedded"


def _counted(texts: Sequence[str]) -> Vectors:
    """Letters, as vectors."""
    EMBEDDED.extend(texts)
    if any(REFUSED in text for text in texts):
        raise UserError("the embedder refuses a text")
    rows = np.zeros((len(texts), 128), np.float32)
    for row, text in zip(rows, texts, strict=True):
        for letter in text.casefold():
            row[ord(letter) % 128] += 1
    rows += 1e-3
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


register("counted letters", 128, _counted)


def shelf(folder: Path, ranker: str) -> Recommender:
    """A dozen items; `hybrid` and the index ask the embedder that counts."""
    made = [Item("movies", f"a{at}", f"Film {chr(97 + at) * 3}", ("Space",)) for at in range(12)]
    settings = RETRIEVAL.model_copy(update={"embedder": "counted letters"})
    return Recommender.of(build.from_items(made, ranker=ranker, retrieval=settings, folder=folder))


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """A store."""
    with open_database(tmp_path / "own.db") as opened:
        yield opened


def done(server: World, answer: Any) -> dict[str, Any]:
    """The job of a change, when it is done."""
    assert answer.status_code == 202, answer.text
    return waited(server, answer.json()["id"])


def waited(server: World, id: int) -> dict[str, Any]:
    """A job that has ended."""
    until = time.monotonic() + WAIT
    while time.monotonic() < until:
        job: dict[str, Any] = server.client.get(f"/api/v1/jobs/{id}").json()
        if job["state"] in ("done", "failed"):
            return job
        time.sleep(0.02)
    raise AssertionError(job)


def put(server: World, *given: dict[str, Any]) -> Any:
    """Send items."""
    return server.client.post("/api/v1/items", json={"items": list(given)})


def version(server: World) -> int:
    """Of the catalogue that is served."""
    number: int = server.client.get("/api/health/ready").json()["catalogue"]
    return number


def titles(server: World, query: str = "") -> list[str]:
    """What the picker finds."""
    found = server.client.get("/api/v1/items", params={"query": query, "limit": 50}).json()["items"]
    return [one["title"] for one in found]


BASE = {
    "item_id": "new",
    "title": "Moon Base",
    "categories": ["Space"],
    "year": 2031,
    "facts": ["maker: Acme"],
}


@pytest.mark.parametrize("ranker", ["bm25", "hybrid"])
def test_a_new_item_is_recommended_searched_and_found(tmp_path: Path, ranker: str):
    with world(shelf(tmp_path, ranker), tmp_path) as server:
        assert version(server) == 0
        job = done(server, put(server, BASE))
        assert (job["state"], job["progress"], job["total"], job["error"]) == ("done", 3, 3, "")
        assert version(server) == job["version"] == 1
        assert titles(server, "moon") == ["Moon Base"]
        got = server.client.get("/api/v1/items/new").json()
        assert {name: got[name] for name in BASE} == BASE
        assert shown(server.ask(query="moon base", n=1)) == ["new"]
        assert "new" in shown(server.ask(history=["Film aaa"], n=12))
        assert shown(server.ask(n=20, where={"maker": "Acme"})) == ["new"]


def test_items_are_replaced_deleted_and_come_back(tmp_path: Path):
    with world(shelf(tmp_path, "bm25"), tmp_path) as server:
        before = titles(server)
        done(server, put(server, {"item_id": "a3", "title": "Harbour"}))
        assert sorted(titles(server)) == sorted([*(set(before) - {"Film ddd"}), "Harbour"])
        done(server, put(server, BASE))
        for item in ("a3", "new"):
            done(server, server.client.delete(f"/api/v1/items/{item}"))
            assert server.client.get(f"/api/v1/items/{item}").status_code == 404
            assert server.client.delete(f"/api/v1/items/{item}").status_code == 404
        assert sorted(titles(server)) == sorted(set(before) - {"Film ddd"})
        assert len(shown(server.ask(n=50))) == 11
        done(server, put(server, {"item_id": "a3", "title": "Harbour"}))
        assert "Harbour" in titles(server)


def test_fitted_rankers_rank_new_items_by_content_and_forget_deleted_ones(server: World):
    done(server, put(server, {"item_id": "17", "title": "Rocket Base", "categories": ["Space"]}))
    done(server, server.client.delete("/api/v1/items/13"))
    answer = server.ask(history=["Moon Landing"], n=6)
    assert set(shown(answer)) == {"12", "14", "15", "16", "17"}
    assert shown(answer)[0] == "12"  # what people liked together with it, as before
    assert shown(server.ask(query="rocket", n=1)) == ["17"]
    assert "13" not in shown(server.ask(n=10)) and server.ask(user="ann", n=3)["items"]


def test_a_deleted_item_is_hidden_before_the_catalogue_is_made_anew(tmp_path: Path, database: Database):
    service = RecommendService(shelf(tmp_path, "bm25"), database)
    questions = [RecommendQuestion(n=50), RecommendQuestion(query="film bbb"),
                 RecommendQuestion(history=("a0",), n=50)]  # fmt: skip
    assert all("a1" in [one.item_id for one in service.recommend(asked).items] for asked in questions)
    catalogue_changes.delete(database, service.catalogue, "a1")
    assert service.catalogue.current.version == 0
    for asked in questions:
        assert "a1" not in [one.item_id for one in service.recommend(asked).items]
    catalogue_changes.upsert(database, service.catalogue, [ItemEntry("a1", "Film bbb")])
    assert all("a1" in [one.item_id for one in service.recommend(asked).items] for asked in questions)


@pytest.mark.parametrize(
    "bad, named",
    [
        ({"item_id": "b"}, "items.1.title"),
        ({"item_id": "b", "title": "  "}, "items.1.title"),
        ({"item_id": "b", "title": "x" * 501}, "items.1.title"),
        ({"item_id": " b", "title": "x"}, "items.1.item_id"),
        ({"item_id": "b", "title": "x", "year": "soon"}, "items.1.year"),
        ({"item_id": "b", "title": "x", "facts": ["cheap"]}, "items.1.facts.0"),
        ({"item_id": "b", "title": "x", "description": "\0"}, "items.1.description"),
        ({"item_id": "b", "title": "x", "colour": "red"}, "items.1.colour"),
        ({"item_id": "new", "title": "x"}, "items 0, 1: item_id"),
    ],
)
def test_a_bad_item_refuses_the_request_and_nothing_is_kept(server: World, bad: dict[str, Any], named: str):
    answer = put(server, BASE, bad)
    assert answer.status_code == 422 and named in answer.json()["error"]["message"]
    with server.database.reading() as session:
        assert items.version(session) == 0 and not jobs.is_waiting(session, catalogue_changes.KIND)
    assert put(server).status_code == 422


def test_the_last_item_stays(tmp_path: Path, database: Database):
    live = LiveCatalogue(shelf(tmp_path, "bm25"))
    for at in range(11):
        catalogue_changes.delete(database, live, f"a{at}")
    with pytest.raises(Conflict):
        catalogue_changes.delete(database, live, "a11")
    catalogue_changes.upsert(database, live, [ItemEntry("b", "Another")])
    catalogue_changes.delete(database, live, "a11")
    CatalogueWorker(live, database, tmp_path).catch_up()
    assert list(live.current.items) == ["b"]


@pytest.mark.parametrize("ranker", ["bm25", "hybrid"])
def test_an_item_is_in_no_answer_after_its_deletion_was_acknowledged(tmp_path: Path, ranker: str):
    gone, wrong, over = set[str](), list[Any](), threading.Event()
    with world(shelf(tmp_path, ranker), tmp_path) as server:

        def ask() -> None:
            while not over.is_set():
                known = set(gone)
                if known & set(shown(server.ask(history=["a11"], n=50))):
                    wrong.append(known)

        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            for at in range(8):
                answer = server.client.delete(f"/api/v1/items/a{at}")
                gone.add(f"a{at}")
                done(server, answer)
        finally:
            over.set()
            for thread in threads:
                thread.join()
    assert not wrong and len(gone) == 8


class Swaps(LiveCatalogue):
    """Counts how often another catalogue was served."""

    count = 0

    def swap(self, recommender: Recommender, version: int, *images: Any) -> None:
        self.count += 1
        super().swap(recommender, version, *images)


def ended(database: Database, ids: Sequence[int]) -> None:
    """Wait until these jobs are done."""
    until = time.monotonic() + WAIT
    while time.monotonic() < until:
        with database.reading() as session:
            found = [jobs.find(session, id) for id in ids]
        if all(job and job.state == "done" for job in found):
            return
        time.sleep(0.02)
    raise AssertionError(found)


def test_jobs_that_wait_are_one_and_those_of_a_dead_process_go_on(tmp_path: Path, database: Database):
    live = Swaps(shelf(tmp_path, "bm25"))
    ids = [catalogue_changes.upsert(database, live, [ItemEntry(str(at), f"Film {at}")]).id for at in range(5)]
    with database.writing() as session:
        taken = jobs.take_next(session)  # by a process that has ended since
        assert taken and taken.id == ids[0]
    worker = CatalogueWorker(live, database, tmp_path)
    worker.start()
    try:
        ended(database, ids)
    finally:
        worker.stop(WAIT)
    assert live.count == 1 and live.current.version == 5 and len(live.current.items) == 17


def test_the_next_start_serves_the_same_catalogue(tmp_path: Path, database: Database):
    recommender = shelf(tmp_path, "hybrid")
    live = LiveCatalogue(recommender)
    catalogue_changes.upsert(database, live, [ItemEntry("b", "Moon Base"), ItemEntry("a2", "Changed")])
    catalogue_changes.delete(database, live, "a5")
    CatalogueWorker(live, database, tmp_path).catch_up()
    again = LiveCatalogue(recommender)
    CatalogueWorker(again, database, tmp_path).catch_up()
    assert again.current.items == live.current.items and again.current.version == live.current.version == 2
    ask = {"query": "moon base film", "k": 13}
    first, second = (one.current.recommender.recommend(**ask) for one in (live, again))
    assert [(one.item_id, one.score) for one in first] == [(one.item_id, one.score) for one in second]


def test_only_what_is_new_is_embedded(tmp_path: Path, database: Database):
    live = LiveCatalogue(shelf(tmp_path, "hybrid"))
    worker = CatalogueWorker(live, database, tmp_path)
    catalogue_changes.upsert(database, live, [ItemEntry("b", "Moon Base")])
    worker.catch_up()
    EMBEDDED.clear()
    catalogue_changes.upsert(database, live, [ItemEntry("c", "Moon Harbour")])
    worker.catch_up()
    assert any("Moon Harbour" in text for text in EMBEDDED)
    texts = [text for text in EMBEDDED if any(f"Film {letter * 3}" in text for letter in "bcdefghijkl")]
    assert not texts


def test_what_cannot_be_served_fails_its_job_and_the_old_catalogue_stays(tmp_path: Path):
    with world(shelf(tmp_path, "hybrid"), tmp_path) as server:
        job = done(server, put(server, {"item_id": "bad", "title": REFUSED}))
        assert job["state"] == "failed" and "refuses a text" in job["error"]
        assert version(server) == 0 and len(shown(server.ask(n=50))) == 12
        assert shown(server.ask(query="film ccc", n=1)) == ["a2"]
        done(server, server.client.delete("/api/v1/items/bad"))
        assert version(server) == 2 and len(titles(server)) == 12


@pytest.mark.parametrize("ranker", ["bm25", "hybrid"])
def test_who_asks_while_the_catalogue_changes_gets_one_version_or_the_other(tmp_path: Path, ranker: str):
    rounds = 5
    sets = [{f"a{at}" for at in range(12)}]
    for number in range(rounds):
        sets.append(sets[-1] - {f"a{number}"} | {f"n{number}"})
    # A deletion and an addition are two requests: what lies between them may be served as well.
    sets += [some | {f"n{at}"} for at, some in enumerate(sets[:rounds])]
    questions: list[dict[str, Any]] = [{"n": 50}, {"query": "film"}, {"history": ["a11"], "n": 50}]
    wrong: list[Any] = []
    over = threading.Event()
    with world(shelf(tmp_path, ranker), tmp_path) as server:

        def ask(question: dict[str, Any]) -> None:
            while not over.is_set():
                answer = server.client.post("/api/v1/recommend", json=question)
                ids = {one["item_id"] for one in answer.json().get("items", [])}
                if answer.status_code != 200 or not ids or not any(ids <= one for one in sets):
                    wrong.append((answer.status_code, ids))

        threads = [threading.Thread(target=ask, args=(one,)) for one in questions]
        for thread in threads:
            thread.start()
        try:
            for number in range(rounds):
                put(server, {"item_id": f"n{number}", "title": f"Film {number}"})
                done(server, server.client.delete(f"/api/v1/items/a{number}"))
        finally:
            over.set()
            for thread in threads:
                thread.join()
        assert not wrong
        assert set(shown(server.ask(n=50))) == sets[rounds]


def test_bodies_of_items_may_be_longer_and_jobs_belong_to_items(server: World):
    long = [{"item_id": str(at), "title": "x", "description": "y" * 20_000} for at in range(10)]
    assert done(server, put(server, *long))["items"] == 10
    assert put(server, *long * 6).status_code == 413
    assert server.client.get("/api/v1/jobs/999").status_code == 404
    with server.database.writing() as session:
        other = jobs.add(session, "other", {}).id
        key = api_keys.create(session, "one", ["items"])
        lacking = api_keys.create(session, "two", ["recommend"])
    headers = [{"X-API-Key": one} for one in (key, lacking)]
    assert server.client.get(f"/api/v1/jobs/{other}", headers=headers[0]).status_code == 404
    assert server.client.get("/api/v1/jobs/1", headers=headers[0]).status_code == 200
    assert server.client.get("/api/v1/jobs/1", headers=headers[1]).status_code == 403


def test_words_by_bm25_need_no_index(tmp_path: Path, database: Database):
    live = LiveCatalogue(by_words(tmp_path))
    catalogue_changes.upsert(database, live, [ItemEntry("b", "Moon Base")])
    CatalogueWorker(live, database, tmp_path).catch_up()
    assert live.current.recommender.recommend(query="base", k=1)[0].item_id == "b"
    assert not (tmp_path / "catalogues" / "changed").exists()
