"""A sample of a file's rows is spread evenly over it, and is the whole of a short one."""

import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rectune.core.errors import UserError
from rectune.core.rows import sample_rows, write_rows
from rectune.core.types import Ranking


def ranking(number: int) -> Ranking:
    return Ranking(str(number), "system", (), (), ())


@given(rows=st.integers(0, 10_000), count=st.integers(1, 60))
def test_a_sample_is_spread_evenly(tmp_path_factory: pytest.TempPathFactory, rows: int, count: int) -> None:
    file = tmp_path_factory.mktemp("rows") / "rows.parquet"
    write_rows(file, [ranking(number) for number in range(rows)], Ranking)
    numbers = [int(row.prompt_id) for row in sample_rows(file, Ranking, count)]
    assert len(numbers) == min(rows, count)
    gaps = {after - before for before, after in itertools.pairwise(numbers)}
    assert len(gaps) <= 1 and numbers[:1] == [0][:rows]


def test_a_file_of_other_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError):
        sample_rows(tmp_path / "absent.parquet", Ranking, 3)
