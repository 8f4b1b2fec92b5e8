"""150 Korean headlines labelled by hand, fifteen on each of ten subjects: an unseen domain to retrieve in.

The labels are ours; a headline stands there by the hash of its line, since the headlines are not.
"""

from __future__ import annotations

import collections
import hashlib
import json
from pathlib import Path

import pytest

LABELS: dict[str, str] = json.loads(
    Path(__file__).with_name("korean_subjects.json").read_text(encoding="utf-8")
)
HEADLINES = Path(__file__).parents[3] / "shared/data/korean_news"


def test_each_of_ten_subjects_has_fifteen_headlines() -> None:
    counts = collections.Counter(LABELS.values())
    assert len(counts) == 10
    assert set(counts.values()) == {15}


@pytest.mark.skipif(not HEADLINES.is_dir(), reason="the headlines are not here")
def test_every_label_finds_its_headline() -> None:
    lines = {
        line.strip()
        for file in HEADLINES.glob("*.txt")
        for line in file.read_text(encoding="utf-8").splitlines()
    }
    hashes = {hashlib.blake2b(line.encode(), digest_size=8).hexdigest() for line in lines}
    assert LABELS.keys() <= hashes
