"""Progress outside a terminal: a line now and then, and one at the end."""

import io

import pytest

from rectune.core import progress


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What is printed, in a world where every look at the clock finds it 11 seconds later."""
    now = iter(range(0, 10**6, 11))
    monkeypatch.setattr(progress.time, "monotonic", lambda: float(next(now)))
    stream = io.StringIO()
    monkeypatch.setattr(progress, "_stream", stream)
    return stream


def shown(lines: io.StringIO) -> list[str]:
    return lines.getvalue().splitlines()


def test_work_that_ends_says_so_once(lines: io.StringIO) -> None:
    with progress.progress("rows", 3) as advance:
        for _ in range(3):
            advance(1)
    assert [("left" in line, "done in" in line) for line in shown(lines)] == [
        (True, False),
        (True, False),
        (False, True),
    ]
    assert shown(lines)[-1].startswith("  rows: 3/3 rows, ")


def test_work_of_unknown_length_counts_up(lines: io.StringIO) -> None:
    with progress.progress("lines", 0, "lines") as advance:
        advance(5)
    first, last = shown(lines)
    assert first.startswith("  lines: 5 lines, ") and "5/5 lines" in last


def test_work_that_stops_early_is_not_called_done(lines: io.StringIO) -> None:
    with progress.progress("rows", 9) as advance:
        advance(4)
    assert "4/9" in shown(lines)[-1] and "done" not in lines.getvalue()


def test_only_the_first_of_several_processes_speaks(
    lines: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "1")
    with progress.progress("rows", 1) as advance:
        advance(1)
    assert not shown(lines)
