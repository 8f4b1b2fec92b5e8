"""What `make bench-kill` finds where something is wrong, and three kills of a real server."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.kill_clients import Ledger, Write, faults
from bench.kill_serve import DATABASES, KillFigures, damage, made, run
from rectune.serving.store.database import open_database

ONE = Write("ann", (("a-0", "like", 7), ("a-1", "seen", 8)))
TWO = Write("ben", (("b-0", "hide", 9), ("b-1", "like", 10)))
KEPT = [
    ("ann", "a-0", "like", 7, 0.0),
    ("ann", "a-1", "seen", 8, 1.0),
    ("ben", "b-0", "hide", 9, 2.0),
    ("ben", "b-1", "like", 10, 3.0),
]
NONE = {"lost": 0, "doubled": 0, "torn": 0, "unknown": 0}


def ledger() -> Ledger:
    return Ledger(Path("unused"), ("ann", "ben"), [ONE], [TWO])


def test_what_was_not_answered_may_be_kept_whole_or_not_at_all():
    assert faults(KEPT, ledger()) == NONE
    assert faults(KEPT[:2], ledger()) == NONE


@pytest.mark.parametrize(
    ("kept", "found"),
    [
        (KEPT[1:], {"lost": 1}),
        ([*KEPT, KEPT[0]], {"doubled": 1}),
        (KEPT[:3], {"torn": 1}),
        ([*KEPT, ("cho", "c-0", "like", 1, 1.0)], {"unknown": 1}),
        ([("ann", "a-0", "like", 7, 5.0), *KEPT[1:]], {"lost": 1, "unknown": 1}),
    ],
)
def test_planted_faults_are_found(kept: list[tuple[str, str, str, int, float]], found: dict[str, int]):
    assert faults(kept, ledger()) == NONE | found


def test_a_damaged_file_is_found(tmp_path: Path):
    file = tmp_path / "store.sqlite"
    open_database(file).close()
    assert damage(str(file)) == 0
    content = bytearray(file.read_bytes())
    content[4096 * 3 : 4096 * 3 + 64] = b"\xff" * 64
    file.write_bytes(content)
    assert damage(str(file)) > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", DATABASES)
def test_three_kills_lose_and_double_nothing(name: str):
    with made(name) as (place, folder):
        found: KillFigures = run(place, 3, folder)
    assert found.kills == 3 and len(found.starts) == 4
    assert found.acknowledged > 50 and not any(found.faults.values()), found
