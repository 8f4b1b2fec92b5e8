"""Log-likelihoods on disk: nothing is computed twice, and no engine is opened for what is known."""

from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from rectune.rankers.score_cache import ScoreCache

ASKED = (("user", "x"),)


class Engine:
    def __init__(self) -> None:
        self.opened, self.seen = 0, []

    @contextmanager
    def open(self):
        self.opened += 1
        yield self

    def loglikelihood(self, messages, continuations: Sequence[str], prefill: str = "") -> list[list[float]]:
        if "bad" in continuations:
            raise RuntimeError("killed")
        self.seen += [(prefill, text) for text in continuations]
        return [[-0.25 * len(text)] * 2 for text in continuations]


def test_each_continuation_is_computed_once_also_by_the_next_process(tmp_path: Path):
    engine = Engine()
    with ScoreCache(tmp_path / "s.sqlite", "m", engine.open) as scorer:
        assert scorer.loglikelihood(ASKED, ["a", "bb", "a"]) == [[-0.25] * 2, [-0.5] * 2, [-0.25] * 2]
        assert scorer.loglikelihood(ASKED, ["bb", "c"]) == [[-0.5] * 2, [-0.25] * 2]
    again = Engine()
    with ScoreCache(tmp_path / "s.sqlite", "m", again.open) as scorer:
        assert scorer.loglikelihood(ASKED, ["c", "a"]) == [[-0.25] * 2, [-0.25] * 2]
    assert [text for _, text in engine.seen] == ["a", "bb", "c"] and engine.opened == 1
    assert again.opened == 0


def test_another_model_prompt_or_opening_is_another_question(tmp_path: Path):
    engine = Engine()
    for model, asked, prefill in (
        ("m", ASKED, ""),
        ("n", ASKED, ""),
        ("m", (("user", "y"),), ""),
        ("m", ASKED, "p"),
    ):
        with ScoreCache(tmp_path / "s.sqlite", model, engine.open) as scorer:
            scorer.loglikelihood(asked, ["a"], prefill)
    assert len(engine.seen) == 4


def test_a_call_that_fails_leaves_what_was_there(tmp_path: Path):
    engine = Engine()
    with ScoreCache(tmp_path / "s.sqlite", "m", engine.open) as scorer:
        scorer.loglikelihood(ASKED, ["a"])
        with pytest.raises(RuntimeError, match="killed"):
            scorer.loglikelihood(ASKED, ["b", "bad"])
    with ScoreCache(tmp_path / "s.sqlite", "m", engine.open) as scorer:
        scorer.loglikelihood(ASKED, ["a", "b"])
    assert [text for _, text in engine.seen] == ["a", "b"]
