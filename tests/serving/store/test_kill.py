"""A writing process is killed: what it acknowledged is there once, the rest can be sent again."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import func, select

from rectune.serving.store import feedback, users
from rectune.serving.store.database import open_database
from rectune.serving.store.feedback import FeedbackEntry, Written
from rectune.serving.store.tables import Feedback

ROOT = Path(__file__).parents[3]
THREADS = 4
WRITER = f"""
import sys
from threading import Lock, Thread
from rectune.serving.store import feedback
from rectune.serving.store.database import open_database
from rectune.serving.store.feedback import FeedbackEntry

place, user, said = sys.argv[1], int(sys.argv[2]), Lock()
database = open_database(place)

def write(thread):
    number = 0
    while True:
        ids = [f"{{thread}}-{{number}}-{{part}}" for part in "ab"]
        entries = [FeedbackEntry(user, id, "like", time=number) for id in ids]
        with database.writing() as session:
            feedback.put_many(session, entries)
        with said:
            print(thread, number, flush=True)
        number += 1

for thread in range({THREADS}):
    Thread(target=write, args=(thread,)).start()
"""


@pytest.mark.slow
def test_acknowledged_feedback_outlives_a_killed_process(place: str) -> None:
    with open_database(place) as database, database.writing() as session:
        ann = users.create(session, "ann").id
    acknowledged: set[tuple[int, int]] = set()
    for round in range(5):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, place, str(ann)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(20 + 7 * round)]
        process.send_signal(signal.SIGKILL)
        lines += [line for line in process.stdout if line.endswith("\n")]
        process.wait()
        acknowledged |= {(int(thread), int(number)) for thread, number in map(str.split, lines)}
        with open_database(place) as database:
            check(database_place=place, user=ann, acknowledged=acknowledged)
            wanted = [
                FeedbackEntry(ann, f"{thread}-{number}-{part}", "like", time=number)
                for thread, number in sorted(acknowledged)
                for part in "ab"
            ]
            with database.writing() as session:  # the client sends everything again
                assert feedback.put_many(session, wanted) == Written(unchanged=len(wanted))
    assert len(acknowledged) > 20


def check(*, database_place: str, user: int, acknowledged: set[tuple[int, int]]) -> None:
    with open_database(database_place) as database, database.reading() as session:
        counts = (
            select(Feedback.item_id, func.count()).where(Feedback.user_id == user).group_by(Feedback.item_id)
        )
        found = {row[0]: row[1] for row in session.execute(counts)}
    assert set(found.values()) == {1}
    assert {f"{thread}-{number}-{part}" for thread, number in acknowledged for part in "ab"} <= set(found)
    halves = {id[:-2] for id in found}
    assert len(found) == 2 * len(halves), "a transaction is there whole or not at all"
