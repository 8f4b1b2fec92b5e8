"""Progress outside a terminal: a line now and then, and one at the end."""

import pytest

from rectune.core import progress


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A world where every look at the clock finds it 11 seconds later."""
    now = iter(range(0, 10**6, 11))
    monkeypatch.setattr("time.monotonic", lambda: float(next(now)))


Shown = pytest.CaptureFixture[str]


def test_work_that_ends_says_so_once(capsys: Shown) -> None:
    with progress.progress("rows", 3) as advance:
        for _ in range(3):
            advance(1)
    shown = capsys.readouterr().err.splitlines()
    assert [("left" in line, "done in" in line) for line in shown] == [
        (True, False),
        (True, False),
        (False, True),
    ]
    assert shown[-1].startswith("  rows: 3/3 rows, ")


def test_work_of_unknown_length_counts_up(capsys: Shown) -> None:
    with progress.progress("lines", 0, "lines") as advance:
        advance(5)
    first, last = capsys.readouterr().err.splitlines()
    assert first.startswith("  lines: 5 lines, ") and "5/5 lines" in last


def test_work_that_stops_early_is_not_called_done(capsys: Shown) -> None:
    with progress.progress("rows", 9) as advance:
        advance(4)
    said = capsys.readouterr().err
    assert "4/9" in said.splitlines()[-1] and "done" not in said


def test_only_the_first_of_several_processes_speaks(capsys: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    with progress.progress("rows", 1) as advance:
        advance(1)
    assert not capsys.readouterr().err
