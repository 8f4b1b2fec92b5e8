"""What is said of a DPO run, from figures whose meaning is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rectune.align.dpo_metrics import answer_lengths, draw, held_out_outcome, warnings
from rectune.core.figures.training import AnswerLengths


def evaluated(step: int, accuracy: float, chosen: float = -50.0, rejected: float = -60.0) -> dict[str, Any]:
    figures = {"loss": 0.6, "accuracy": accuracy, "margin": 0.1, "pairs": 10, "kl": 0.01 * step}
    figures["right"] = 0.5 if step == 0 else 0.75
    return figures | {"step": step, "chosen_logps": chosen, "rejected_logps": rejected}


def trained(step: int, accuracy: float = 0.5, chosen: float = 0.1, rejected: float = -0.1) -> dict[str, Any]:
    rewards = {"rewards/chosen": chosen, "rewards/rejected": rejected, "rewards/margins": chosen - rejected}
    return {"step": step, "loss": 0.6, "rewards/accuracies": accuracy} | rewards


SOUND = [evaluated(0, 0.5), evaluated(2, 0.7, -49, -62), evaluated(4, 0.8, -48, -64)]
STEPS = [trained(step, 0.5 + step / 10) for step in range(1, 5)]


def test_a_run_that_went_well_is_not_warned_of() -> None:
    found = held_out_outcome(SOUND, 4)
    assert found is not None
    assert found.chosen_logps_change == 2.0 and found.rejected_logps_change == -4.0
    assert found.accuracy_low < 0.8 < found.accuracy_high
    assert (found.right_before, found.right, found.sources) == (0.5, 0.75, {})
    assert warnings(STEPS, SOUND, AnswerLengths(before=50.0, after=55.0, growth=0.1), found) == []


def test_the_figures_are_those_of_the_adapter_that_was_kept() -> None:
    assert [held_out_outcome(SOUND, kept).step for kept in (2, 0, None)] == [2, 4, 4]
    assert held_out_outcome([], 4) is None


def test_both_log_probs_falling_is_said() -> None:
    fell = [SOUND[0], evaluated(4, 0.9, -55, -80)]
    (said,) = warnings(STEPS, fell, None, held_out_outcome(fell, 4))
    assert "chosen -5.00 nats" in said and "rejected -20.00" in said
    (said,) = warnings([trained(step, 0.9, -0.2, -0.9) for step in (1, 2)], [], None, None)
    assert "reward of the chosen -0.200" in said
    assert warnings(STEPS, [], None, None) == []


def test_pairs_of_each_source_have_figures_and_warnings_of_their_own() -> None:
    rows = [
        evaluated(0, 0.5) | {"sources": {"tags": evaluated(0, 0.5), "ranking": evaluated(0, 0.5)}},
        evaluated(4, 0.8, -49, -63)
        | {"sources": {"tags": evaluated(4, 0.9, -48, -61), "ranking": evaluated(4, 0.7, -52, -65)}},
    ]
    found = held_out_outcome(rows, 4)
    assert found.chosen_logps_change == 1.0
    assert found.sources["tags"].chosen_logps_change == 2.0
    assert found.sources["ranking"].accuracy == 0.7
    (said,) = warnings(STEPS, rows, None, found)
    assert said.startswith("held-out answers of ranking became less likely on both sides: chosen -2.00")


def test_answers_that_grow_are_said() -> None:
    rows = [{"step": s, "tokens": t} for s, t in ((0, 40), (0, 60), (8, 80), (8, 70))]
    lengths = answer_lengths(rows)
    assert lengths == AnswerLengths(before=50.0, after=75.0, growth=0.5)
    (said,) = warnings(STEPS, SOUND, lengths, held_out_outcome(SOUND, 4))
    assert "grew by 50%, from 50 to 75 tokens" in said
    assert answer_lengths(rows[:2]) is None


def test_learning_by_heart_is_said() -> None:
    held_out = [SOUND[0], evaluated(2, 0.8, -49, -62), evaluated(4, 0.6, -48, -64)]
    (said,) = warnings(STEPS, held_out, {}, held_out_outcome(held_out, 2))
    assert "held-out accuracy fell from 80% at step 2 to 60%" in said
    falling = [trained(step, 0.9 - step / 10) for step in range(1, 5)]
    assert warnings(falling, held_out, {}, held_out_outcome(held_out, 2)) == []


def test_it_is_drawn_with_and_without_held_out_pairs(tmp_path: Path) -> None:
    for rows in ([], SOUND):
        draw(tmp_path, STEPS, rows)
        for name in ("rewards.png", "dpo.png"):
            assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
            (tmp_path / name).unlink()
