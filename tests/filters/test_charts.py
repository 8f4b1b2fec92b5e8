"""Pictures come out for few rows, for many, and for none."""

from pathlib import Path

import numpy as np
import pytest

from rectune.core.figures.data import FilterFigures, LengthBucket
from rectune.filters import charts, report
from tests.core.filled import record


@pytest.mark.parametrize("count", [0, 1, 50, charts._POINTS + 500])
def test_score_against_length(tmp_path: Path, count: int) -> None:
    tokens = np.arange(1, count + 1)
    score = np.log(tokens) * 1.3
    score[: count // 10] = np.nan
    charts.score_by_length(tokens, score, np.arange(count) % 3 == 0, 15.0, tmp_path / "a" / "x.png")
    assert (tmp_path / "a" / "x.png").read_bytes().startswith(b"\x89PNG")


def test_drop_rate_and_overlap(tmp_path: Path) -> None:
    first = record(LengthBucket, end=20)
    charts.drop_rate([first, record(LengthBucket, start=400, rows=3, dropped=2)], tmp_path / "d.png")
    charts.drop_rate([], tmp_path / "none.png")
    charts.overlap({"empty": {"empty": 20_000}}, tmp_path / "o.png")
    assert all((tmp_path / name).stat().st_size for name in ("d.png", "none.png", "o.png"))
    assert [charts.bucket_name(one) for one in (first, record(LengthBucket))] == ["0–19", "0+"]


def test_a_summary_names_every_rule_that_dropped_something_most_first() -> None:
    dropped = {"dropped": {"empty": 1, "too long": 5}, "dropped_by_one_rule_alone": {"too long": 5}}
    said = report.summary(record(FilterFigures, rows_in=9, rows_out=3, **dropped)).splitlines()
    assert (
        "3 of 9" in said[0]
        and said[1].split()[:3] == ["too", "long", "5"]
        and said[2].split()[:2] == ["empty", "1"]
    )
    assert "0 by this rule alone" in said[2]
