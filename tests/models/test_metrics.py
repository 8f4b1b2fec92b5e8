"""metrics.jsonl after kills and resumes, and what is summed up from it."""

from pathlib import Path

from rectune.models import metrics


def row(step: int) -> metrics.Row:
    return {"step": step, "loss": 1.0 / step, "tokens": 100, "seconds": 2.0}


def test_a_resume_leaves_no_step_twice(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    for step in (1, 2, 3, 4):
        metrics.append(path, row(step))
    metrics.trim(path, 2)
    for step in (3, 4):
        metrics.append(path, row(step))
    assert [line["step"] for line in metrics.read(path)] == [1, 2, 3, 4]


def test_a_line_cut_by_a_kill_is_left_out_and_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    metrics.append(path, row(1))
    with path.open("a") as stream:
        stream.write('{"step": 2, "lo')
    metrics.trim(path, 2)
    metrics.append(path, row(2))
    assert [line["step"] for line in metrics.read(path)] == [1, 2]


def test_trimming_a_file_that_is_not_there_makes_an_empty_one(tmp_path: Path) -> None:
    metrics.trim(tmp_path / "metrics.jsonl", 0)
    assert metrics.read(tmp_path / "metrics.jsonl") == []


def test_the_summary_adds_up_tokens_and_seconds() -> None:
    summary = metrics.summary([row(1), row(2), row(4)])
    assert summary.steps == 4
    assert (summary.first_loss, summary.last_loss) == (1.0, 0.25)
    assert (summary.tokens_seen, summary.tokens_per_second) == (300, 50.0)


def test_a_curve_is_drawn_from_the_rows_that_have_it(tmp_path: Path) -> None:
    metrics.draw(tmp_path / "loss.png", [row(1), {"step": 2}, row(3)], ["loss"], "loss")
    assert (tmp_path / "loss.png").read_bytes().startswith(b"\x89PNG")


def test_held_out_losses_have_rows_of_their_own_and_are_summed_up_apart() -> None:
    rows = [row(1), {"step": 1, "eval_loss": 3.0}, row(2), {"step": 2, "eval_loss": 2.5}]
    summary = metrics.summary(rows)
    assert (summary.steps, summary.last_loss, summary.tokens_seen) == (2, 0.5, 200)
    assert (summary.first_eval_loss, summary.last_eval_loss) == (3.0, 2.5)
    assert metrics.summary([row(1)]).first_eval_loss is None


def test_loss_held_out_loss_and_learning_rate_are_drawn(tmp_path: Path) -> None:
    rows = [row(step) | {"learning_rate": 1e-4 * step} for step in (1, 2, 3)]
    metrics.draw_training(tmp_path / "plain.png", rows)
    metrics.draw_training(tmp_path / "loss.png", [*rows, {"step": 3, "eval_loss": 0.5}])
    assert (tmp_path / "loss.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "loss.png").read_bytes() != (tmp_path / "plain.png").read_bytes()
