"""Figures in words: times, bytes, shares, intervals, and a dash where there is none."""

import pytest

from rectune.core.figures.record import MeanInterval, ShareInterval
from rectune.core.text.figures import figure, mean_in_words, memory, percent, share, share_in_words, with_ends
from rectune.core.text.plain import duration
from tests.core.filled import record


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (3.21, "3.2 s"),
        (45, "45 s"),
        (59.97, "1 min"),
        (75, "1 min 15 s"),
        (600, "10 min"),
        (7200, "2 h"),
        (7325, "2 h 2 min"),
        (90_000, "25 h"),
    ],
)
def test_times(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_bytes() -> None:
    assert (memory(0), memory(300 * 2**20), memory(8 * 2**30)) == ("not measured", "300 MiB", "8.00 GiB")


def test_shares_and_intervals() -> None:
    assert (percent(251, 1000), percent(None), percent(3, 0)) == ("25.1 %", "–", "–")
    assert share(0.25, 4) == "0.250 [0.046, 0.699]" and share(0.25, 0) == "–" == share(None, 4)
    shares = [record(ShareInterval, share=known, low=0.2, high=0.8) for known in (0.5, None)]
    assert [share_in_words(one) for one in shares] == ["0.500 [0.200, 0.800]", "–"]
    means = [record(MeanInterval, mean=-0.5, low=low, high=0.25) for low in (-1.0, None)]
    assert [mean_in_words(one, signed=True) for one in means] == ["-0.500 [-1.000, +0.250]", "-0.500"]
    assert with_ends(-0.5, (-1, 0.25), signed=True) == "-0.500 [-1.000, +0.250]"
    assert with_ends(0.5, None) == "0.500" and figure(None) == "–" == with_ends(None, (0.0, 1.0))
