"""Two models judged blindly: pairing, what counts as a win, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from rectune.align.assignment import in_order
from rectune.align.comparison import (
    ANSWERS_FILE,
    PairwiseComparison,
    make_comparison,
    read_comparison,
    win_rate,
    win_rate_line,
)
from rectune.align.prompt_view import make_prompt_views
from rectune.align.session import AnnotationSession
from rectune.align.tagging import TaggingOptions, compare
from rectune.align.tags import TagStore
from rectune.core.errors import UserError
from rectune.core.rows import write_rows
from rectune.core.types import Candidate, Prompt, with_id
from tests.align.examples import PROVENANCE, make_prompt

PROMPTS = [make_prompt(n) for n in range(6)]


def answers(system: str, prompts: list[Prompt] = PROMPTS) -> list[Candidate]:
    """One answer a prompt; to the last both systems say the same."""
    texts = [f"{system} on {p.user}" if p.user != "u5" else "the same" for p in prompts]
    return [with_id(Candidate("", p.id, 0, text, PROVENANCE)) for p, text in zip(prompts, texts, strict=True)]


def comparison() -> PairwiseComparison:
    return make_comparison(PROMPTS, {"sft": answers("sft"), "dpo": answers("dpo")[::-1]})


def at_work(store: TagStore, annotator: str = "kim") -> AnnotationSession:
    made = comparison()
    return AnnotationSession(
        in_order(made.tasks, annotator, 0.0), store, annotator, make_prompt_views(made.tasks, None)
    )


def prefer(session: AnnotationSession, system: str) -> None:
    """Pick the answer of a system, wherever it stands."""
    place = next(n for n, text in enumerate(session.answers) if text.startswith(system))
    session.decide(place, 1 - place)


def test_answers_are_paired_by_prompt_and_equal_ones_need_no_judge() -> None:
    made = comparison()
    assert [task.prompt for task in made.tasks] == PROMPTS[:5]
    assert made.tasks[0].answers == ("sft on u0", "dpo on u0")
    assert made.same == (PROMPTS[5].id,)


def test_which_model_stands_first_differs_and_the_texts_are_all_that_shows(store: TagStore) -> None:
    firsts = set()
    for name in ("kim", "lee", "park"):
        session = at_work(store, name)
        for place in range(5):
            session.go(place)
            firsts.add(session.answers[0].split()[0])
    assert firsts == {"sft", "dpo"}


def test_the_win_rate_counts_ties_half_and_skips_not_at_all(store: TagStore) -> None:
    session = at_work(store)
    prefer(session, "dpo")
    prefer(session, "dpo")
    prefer(session, "sft")
    session.settle("bad")
    assert not session.finished
    session.settle("skip")
    assert session.finished
    found = win_rate(comparison(), store.standing())
    assert found is not None
    assert (found.prompts, found.wins, found.ties, found.losses) == (5, 2, 2, 1)
    assert found.rate == pytest.approx(0.6)
    assert 0 < found.low < 0.6 < found.high < 1
    assert win_rate_line(comparison(), store.standing()).startswith(
        "dpo against sft: 2 won, 2 tied, 1 of them with one and the same answer, 1 lost; win rate 60.0%"
    )


def test_the_mean_of_several_judges_counts_as_one_prompt(store: TagStore) -> None:
    prefer(at_work(store), "dpo")
    prefer(at_work(store, "lee"), "sft")
    found = win_rate(comparison(), store.standing())
    assert found is not None
    assert (found.prompts, found.ties) == (2, 2)


def test_judging_models_leaves_the_tags_alone_and_can_be_undone(store: TagStore) -> None:
    before = store.digest()
    session = at_work(store)
    prefer(session, "dpo")
    assert (store.tags(), store.digest()) == ([], before)
    assert len(store.standing()) == 1
    assert session.undo()
    assert (session.place, store.standing()) == (0, [])
    assert win_rate(PairwiseComparison(("a", "b"), (), ()), []) is None


@pytest.mark.parametrize(
    "rows",
    [
        {"sft": answers("sft")},
        {"sft": answers("sft"), "dpo": answers("dpo")[1:]},
        {"sft": answers("sft"), "dpo": [*answers("dpo"), answers("dpo")[0]]},
        {name: answers(name, [*PROMPTS, make_prompt(9)]) for name in ("sft", "dpo")},
    ],
)
def test_answers_that_do_not_fit_together_are_refused(rows: dict[str, list[Candidate]]) -> None:
    with pytest.raises(UserError):
        make_comparison(PROMPTS, rows)


def test_from_files_in_line_mode_to_the_win_rate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import io

    write_rows(tmp_path / "prompts.parquet", PROMPTS, Prompt)
    with pytest.raises(UserError, match=r"answers\.sft\.parquet"):
        read_comparison(tmp_path / "prompts.parquet", tmp_path, ("sft", "dpo"))
    for name in ("sft", "dpo"):
        write_rows(tmp_path / ANSWERS_FILE.format(system=name), answers(name), Candidate)
    made = read_comparison(tmp_path / "prompts.parquet", tmp_path, ("sft", "dpo"))
    assert made == comparison()
    options = TaggingOptions(tmp_path / "t.sqlite", "kim", plain=True)
    for typed, said in (("1\n3\n2\ne\n", "cannot sway"), ("1\n2\n", "5 of 5 prompts done")):
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        compare(made, None, options)
        assert said in capsys.readouterr().out
    with TagStore(options.store) as store:
        assert "win rate" in win_rate_line(made, store.standing())
