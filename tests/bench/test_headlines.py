"""The intervals of `bench.headlines`: more histories of the same titles tell nothing of other subjects."""

from __future__ import annotations

import numpy as np
import pytest

from bench.headlines import interval


@pytest.mark.parametrize("histories", [1, 20, 200])
def test_an_interval_is_as_wide_with_many_histories_of_a_subject_as_with_one(histories: int):
    by_subject = np.repeat([0.0, 1.0] * 5, histories)  # ten subjects: five are found, five are not
    low, high = interval(by_subject, 10, 7)
    assert low == pytest.approx(0.2, abs=0.01) and high == pytest.approx(0.8, abs=0.01)
