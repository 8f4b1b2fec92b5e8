"""150 Korean headlines labelled by hand, fifteen on each of ten subjects: an unseen domain to retrieve in.

The labels are ours; a headline stands there by the hash of its line, since the headlines are not.
"""

from __future__ import annotations

import collections
import hashlib
import json
from pathlib import Path

import pytest

from bench.headlines import Headlines, precision

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


def test_precision_counts_labelled_headlines_alone_and_the_share_of_all_counts_every_one() -> None:
    subjects = {f"a{n}": "a" for n in range(15)} | {f"b{n}": "b" for n in range(15)}
    history = [f"a{n}" for n in range(5)]
    others = [f"a{n}" for n in range(5, 15)]
    unlabelled = [f"x{n}" for n in range(5)]
    assert precision([*others, "b1"], history, subjects) == (1.0, 1.0)
    assert precision([*unlabelled, *others], history, subjects) == (1.0, 0.5)
    assert precision([f"b{n}" for n in range(15)], history, subjects) == (0.0, 0.0)
    assert precision([*others[:5], *[f"b{n}" for n in range(5)], *unlabelled], history, subjects) == (
        0.5,
        0.5,
    )


def test_histories_are_of_one_subject_and_the_same_for_one_seed() -> None:
    headlines = Headlines({key: key for key in LABELS}, LABELS)
    histories = headlines.histories(2, 7)
    assert histories == headlines.histories(2, 7) != headlines.histories(2, 8)
    assert len(histories) == 20 and all(len(set(history)) == 5 for history in histories)
    assert all(len({LABELS[key] for key in history}) == 1 for history in histories)
