"""Training through a frozen language model: what changes, what does not, and going on after a kill."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from rectune.core.errors import RectuneError, UserError
from rectune.models.training.loss_spike_guard import LossSpikeGuard
from rectune.rankers.allmrec.llm_training import LlmTrainer, LlmTrainingOptions
from rectune.rankers.allmrec.ranker import TitleLoss
from rectune.rankers.allmrec.wishes import TrainWishes
from tests.rankers.allmrec.soft_world import cases, soft_parts, tiny_model


def trainer(count: int = 24, **options) -> LlmTrainer:
    writer, inputs = soft_parts()
    given = cases(count)
    loss = TitleLoss(writer, inputs, given, 4, TrainWishes({}, {}, 0.0, 0), 0)
    how = LlmTrainingOptions(**({"epochs": 3, "learning_rate": 1e-2, "save_seconds": 0.0} | options))
    return LlmTrainer(tiny_model(), inputs.projections, given, loss, how)


def test_the_projections_learn_and_the_language_model_stays_bit_for_bit():
    before = {name: value.clone() for name, value in tiny_model().model.state_dict().items()}
    digest = tiny_model().digest()
    own = trainer(24, epochs=4, patience=4)
    first = {name: value.clone() for name, value in own.module.state_dict().items()}
    record = own.train()
    after = tiny_model().model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert record.digest == digest == tiny_model().digest()
    assert all(value.grad is None for value in tiny_model().model.parameters())
    for part in ("user", "item"):
        name = f"{part}.layers.0.weight"
        assert not torch.equal(first[name], own.module.state_dict()[name])
    assert record.changed > 0.9 and record.steps == 24
    assert set(record.parts) == {"user", "item"} and min(record.parts.values()) > 0.9
    assert min(record.held_out[1:]) == record.held_out[record.best] < record.held_out[0]


def test_a_digest_sees_a_single_bit():
    model = tiny_model()
    value = next(model.model.parameters())
    before, first = model.digest(), value.view(torch.int32).flatten()[:1].clone()
    try:
        value.view(torch.int32).flatten()[0] ^= 1
        assert model.digest() != before
    finally:
        value.view(torch.int32).flatten()[:1] = first
    assert model.digest() == before


@pytest.mark.parametrize("step", [3, 6, 10])  # within the first epoch, at its end, within the second
def test_training_that_was_killed_goes_on_to_the_same_result(tmp_path: Path, step: int):
    whole = trainer()
    expected = whole.train(tmp_path / "whole.pt")

    def kill(done: int) -> None:
        if done == step:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trainer().train(tmp_path / "state.pt", kill)
    again, steps = trainer(), list[int]()
    record = again.train(tmp_path / "state.pt", steps.append)
    assert steps[0] == step + 1
    assert (record.held_out, record.train, record.best) == (expected.held_out, expected.train, expected.best)
    state = again.module.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in whole.module.state_dict().items())
    assert not (tmp_path / "state.pt").exists()


def test_a_checkpoint_of_another_training_or_a_damaged_one_begins_anew(tmp_path: Path):
    def kill(done: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trainer(learning_rate=5e-3).train(tmp_path / "state.pt", kill)
    steps = list[int]()
    trainer(epochs=1).train(tmp_path / "state.pt", steps.append)
    assert steps[0] == 1
    (tmp_path / "state.pt").write_bytes(b"PK")
    trainer(epochs=1).train(tmp_path / "state.pt", steps.append)
    assert steps.count(1) == 2


def test_a_loss_that_spikes_ends_training_before_the_weights_change(tmp_path: Path):
    own = trainer(8, epochs=1)
    own.guard = LossSpikeGuard(2.0, [0.1] * 8, tmp_path / "note.json", "allmrec")
    before = {name: value.clone() for name, value in own.module.state_dict().items()}
    with pytest.raises(UserError, match="times the median") as found:
        own.train()
    assert "allmrec.learning_rate" in found.value.hint
    assert len(json.loads((tmp_path / "note.json").read_text())["examples"]) == own.options.batch_size
    assert all(torch.equal(value, before[name]) for name, value in own.module.state_dict().items())


def test_updates_that_all_round_away_are_an_error():
    with pytest.raises(RectuneError, match="changed nothing"):
        trainer(8, epochs=1, learning_rate=1e-60).train()
