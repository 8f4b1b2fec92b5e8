"""What the tests of tagging share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from rectune.align.tags import TagStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[TagStore]:
    with TagStore(tmp_path / "tags" / "t.sqlite") as opened:
        yield opened
