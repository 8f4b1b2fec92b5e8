"""What is in the generation cache stays; an answer's key holds exactly what can change it."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
from dataclasses import replace
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pytest

from rectune.core.errors import UserError
from rectune.core.settings import SamplingConfig
from rectune.inference.generation_cache import GenerationCache, request_key
from rectune.inference.requests import GenerationRequest, GenerationResult

REQUEST = GenerationRequest(
    "a", (("system", "s"), ("user", "영화")), SamplingConfig(), 7, ("\n", "."), "It is"
)


def answer(text: str = "text") -> GenerationResult:
    return GenerationResult("", text, "stop", 12, 3)


def test_what_was_put_is_there_for_the_next_process(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "generations.sqlite"
    with GenerationCache(path) as generation_cache:
        generation_cache.put(b"one", answer("첫 번째\n\x00🎬"))
        generation_cache.put(b"two", GenerationResult("x", "", "length", 1, 2, left_out=3))
    with GenerationCache(path) as generation_cache:
        assert generation_cache.get_many([b"one", b"two", b"three", b"one"]) == {
            b"one": answer("첫 번째\n\x00🎬"),
            b"two": GenerationResult("", "", "length", 1, 2, left_out=3),
        }


def test_errors_are_not_finished_and_the_first_answer_stands(tmp_path: Path) -> None:
    with GenerationCache(tmp_path / "generations.sqlite") as generation_cache:
        generation_cache.put(b"key", GenerationResult("", "", "error", 9, 0, "too long"))
        assert generation_cache.get_many([b"key"]) == {}
        generation_cache.put(b"key", answer("first"))
        generation_cache.put(b"key", answer("second"))
        assert generation_cache.get_many([b"key"])[b"key"].text == "first"


def test_what_is_put_is_committed_at_once(tmp_path: Path) -> None:
    with (
        GenerationCache(tmp_path / "generations.sqlite") as one,
        GenerationCache(tmp_path / "generations.sqlite") as other,
    ):
        for number in range(5):
            one.put(b"%d" % number, answer())
            assert other.get_many([b"%d" % number])
            other.put(b"%d too" % number, answer())
            assert one.get_many([b"%d too" % number])


@pytest.mark.parametrize(
    "change",
    [
        {"messages": (("system", "s"), ("user", "영화!"))},
        {"messages": (("user", "s"), ("user", "영화"))},
        {"messages": (("system", "s"), ("user", "영"), ("user", "화"))},
        {"sampling": SamplingConfig(max_tokens=97)},
        {"sampling": SamplingConfig(temperature=0.71)},
        {"sampling": SamplingConfig(repeat_penalty=1.1)},
        {"seed": 8},
        {"stop": ("\n",)},
        {"stop": ()},
        {"prefill": ""},
        {"grammar": 'root ::= "yes"'},
        {"history": ("영화",)},
        {"history": ("영", "화")},
        {"separator": " / "},
    ],
)
def test_whatever_changes_an_answer_changes_the_key(change: dict[str, Any]) -> None:
    assert request_key("model", replace(REQUEST, **change)) != request_key("model", REQUEST)


def test_what_changes_no_answer_leaves_the_key() -> None:
    same = replace(REQUEST, id="b", sampling=SamplingConfig(seed=99), stop=(".", "\n", "."))
    assert request_key("model", same) == request_key("model", REQUEST)
    assert request_key("other model", REQUEST) != request_key("model", REQUEST)


@pytest.mark.parametrize(
    ("digest", "request_", "key"),
    [
        ("model", REQUEST, "9a9c668bdcb181d7754d1b01f63f1662181da2bf"),
        (
            "0f" * 16,
            GenerationRequest(
                "b",
                (
                    ("system", 's\udc80 "q" \\ \x00\u2028'),
                    ("user", "x"),
                    ("assistant", "y"),
                    ("user", "영화\n"),
                ),
                SamplingConfig(temperature=0.0, top_k=3),
                2**31 - 1,
            ),
            "599fcb8f532b17bb044343c58fcab9572b181f5c",
        ),
        ("m", GenerationRequest("c", (), SamplingConfig(), 0), "ecb131271937aab0e13bfaf85655a5774aca5065"),
        (
            "m",
            GenerationRequest("c", (("user", "one"),), SamplingConfig(), 0),
            "9bec665710abecd02ba41c93c5632075d82d831b",
        ),
    ],
)
def test_keys_are_those_of_the_first_version(digest: str, request_: GenerationRequest, key: str) -> None:
    # Computed before requests had grammar, history and separator, and before common heads were hashed once.
    assert request_key(digest, request_).hex() == key


def first_version(path: Path, count: int) -> None:
    """A generation cache as version 1 wrote it."""
    base = sqlite3.connect(path)
    base.executescript("""
        PRAGMA journal_mode=WAL;
        CREATE TABLE answers (
            key BLOB PRIMARY KEY, text TEXT NOT NULL, finish TEXT NOT NULL,
            prompt_tokens INTEGER NOT NULL, tokens INTEGER NOT NULL
        ) WITHOUT ROWID;
        CREATE TABLE digests (
            path TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, digest TEXT NOT NULL
        ) WITHOUT ROWID;
        PRAGMA user_version=1;
    """)
    rows = ((b"%d" % number, str(number), number) for number in range(count))
    with base:
        base.executemany("INSERT INTO answers VALUES (?, ?, 'length', ?, 3)", rows)
    base.close()


def test_a_cache_of_the_first_version_keeps_all_answers(tmp_path: Path) -> None:
    path = tmp_path / "generations.sqlite"
    first_version(path, 30)
    for _ in range(2):  # when it is brought up to date, and afterwards
        with GenerationCache(path) as generation_cache:
            found = generation_cache.get_many([b"%d" % number for number in range(31)])
            assert found == {b"%d" % n: GenerationResult("", str(n), "length", n, 3) for n in range(30)}
            generation_cache.put(b"new", GenerationResult("", "text", "stop", 1, 2, left_out=4))
            assert generation_cache.get_many([b"new"])[b"new"].left_out == 4


def test_processes_that_find_an_old_cache_together_do_it_no_harm(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    for turn in range(5):
        path, barrier = tmp_path / f"{turn}.sqlite", context.Barrier(4)
        first_version(path, 300)
        workers = [context.Process(target=open_at_once, args=(path, barrier)) for _ in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert [worker.exitcode for worker in workers] == [0] * 4
        with GenerationCache(path) as generation_cache:
            assert len(generation_cache.get_many([b"%d" % number for number in range(300)])) == 300


def open_at_once(path: Path, barrier: Barrier) -> None:
    barrier.wait()
    with GenerationCache(path) as generation_cache:
        generation_cache.put(b"mine %d" % os.getpid(), answer())


def test_what_is_no_generation_cache_is_a_clear_error_and_stays_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "generations.sqlite"
    path.write_text("notes of mine, long enough to be taken for a database header by nobody at all\n" * 20)
    before = path.read_bytes()
    with pytest.raises(UserError, match="cannot be used") as caught:
        GenerationCache(path)
    assert str(path) in str(caught.value)
    assert path.read_bytes() == before
    later = tmp_path / "later.sqlite"
    base = sqlite3.connect(later)
    base.execute("PRAGMA user_version=99")
    base.close()
    with pytest.raises(UserError, match="version 99"):
        GenerationCache(later)


def write(path: Path, name: int, count: int) -> None:
    with GenerationCache(path) as generation_cache:
        for number in range(count):
            generation_cache.put(b"%d %d" % (name, number), answer(str(number)))
            generation_cache.put(b"common %d" % number, answer(str(number)))


def test_two_processes_share_a_cache_from_its_first_moment(tmp_path: Path) -> None:
    path, count = tmp_path / "generations.sqlite", 50
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=write, args=(path, name, count)) for name in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0]
    keys = [b"%d %d" % (name, number) for name in range(2) for number in range(count)]
    with GenerationCache(path) as generation_cache:
        found = generation_cache.get_many(keys + [b"common %d" % number for number in range(count)])
    assert len(found) == 3 * count


@pytest.mark.slow
def test_a_hundred_thousand_finished_requests_are_found_at_once(tmp_path: Path) -> None:
    path = tmp_path / "generations.sqlite"
    keys = [request_key("model", replace(REQUEST, seed=seed)) for seed in range(100_000)]
    GenerationCache(path).close()
    base = sqlite3.connect(path)
    columns = "key, text, finish, prompt_tokens, tokens"
    rows = ((key, "word " * 60) for key in keys)
    base.executemany(f"INSERT INTO answers ({columns}) VALUES (?, ?, 'stop', 1, 1)", rows)
    base.commit()
    base.close()
    with GenerationCache(path) as generation_cache:
        assert len(generation_cache.get_many(keys)) == len(keys)
