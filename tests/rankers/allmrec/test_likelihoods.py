"""Answers behind one shared prompt score as in a whole pass of their own, without any cache."""

from __future__ import annotations

import pytest
import torch

from rectune.core.errors import UserError
from rectune.rankers.allmrec.likelihoods import NOT_COUNTED, answer_logs, answer_losses, label_losses
from tests.rankers.allmrec.soft_world import ITEMS, soft_parts, tiny_model


def whole(prompt: torch.Tensor, answer) -> list[float]:
    """By the plain forward pass over prompt and answer."""
    model = tiny_model()
    row = torch.cat([prompt, model.embed(torch.tensor(answer))])
    logits = model.model(inputs_embeds=row[None], use_cache=False).logits[0]
    logs = torch.log_softmax(logits.double(), -1)[len(prompt) - 1 : -1]
    return logs.gather(1, torch.tensor(answer)[:, None])[:, 0].tolist()


@torch.no_grad()
@pytest.mark.parametrize("long", [0, 300])
def test_one_shared_prompt_gives_what_a_pass_of_its_own_gives(long: int):
    writer, inputs = soft_parts()
    (prompt,) = inputs([writer.choose(ITEMS[:3], ITEMS[3:9])])
    answers = [writer.answer(item) for item in ITEMS[3:9]]
    answers += [answers[0][:1], answers[1][:2]]  # of one token, and the beginning of another one
    answers += [tuple(range(50, 50 + long))] * 2 if long else []  # more than are read together
    for found, ids in zip(answer_logs(tiny_model(), prompt, answers), answers, strict=True):
        assert found == pytest.approx(whole(prompt, ids), abs=1e-4)


def test_the_loss_of_a_batch_is_the_sum_over_its_answers_whatever_their_lengths():
    writer, inputs = soft_parts()
    prompts = inputs([writer.choose(ITEMS[:n], ITEMS[4:6]) for n in (1, 4)])
    answers = [writer.answer("i4")[:3], (*writer.answer("i5"), *writer.answer("i4"))]
    loss, count = answer_losses(tiny_model(), prompts, answers)
    by_hand = [whole(prompt, ids) for prompt, ids in zip(prompts, answers, strict=True)]
    assert count == sum(map(len, answers))
    assert float(loss.detach()) == pytest.approx(-sum(map(sum, by_hand)), abs=1e-3)


def test_labels_anywhere_in_a_row_cost_what_a_pass_of_their_own_costs():
    ids = (7, 5, 9, 4, 6), (3, 8, 2)
    labels = [torch.tensor([NOT_COUNTED, 5, NOT_COUNTED, 4, 6]), torch.tensor([NOT_COUNTED, NOT_COUNTED, 2])]
    rows = [tiny_model().embed(torch.tensor(row)) for row in ids]
    loss, count = label_losses(tiny_model(), rows, labels)
    logs = [whole(row[:1], own[1:]) for row, own in zip(rows, ids, strict=True)]
    assert count == 4
    assert float(loss) == pytest.approx(-(logs[0][0] + logs[0][2] + logs[0][3] + logs[1][1]), abs=1e-4)


def test_what_the_model_has_no_positions_for_is_refused():
    writer, inputs = soft_parts()
    (prompt,) = inputs([writer.choose(ITEMS[:3], ITEMS[3:9])])
    with pytest.raises(UserError, match="4096"):
        answer_logs(tiny_model(), prompt, [tuple(range(4090))])
