"""Each loss of the joint space against numbers worked out by hand, and what it moves."""

import math

import pytest
import torch

from rectune.rankers.allmrec.joint_space import JointBatch, JointSpace, LossWeights, weighed

ITEMS = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
TEXTS = torch.tensor([[1.0, 2.0], [0.0, 1.0], [3.0, 1.0]])
NAMES = ("recommendation", "matching", "item_reconstruction", "text_reconstruction")
FAR = 30.0  # where GELU changes nothing


def linear_space() -> JointSpace:
    """A space where an item's joint vector is twice its vector, a text's is its vector, an item is decoded as
    it is and a text three times.
    """
    space = JointSpace(2, 2, 2)
    with torch.no_grad():
        for tower, times in ((space.item_tower, 2.0), (space.text_tower, 1.0)):
            into, _, out = tower
            into.weight.copy_(torch.eye(2))
            into.bias.fill_(FAR)
            out.weight.copy_(times * torch.eye(2))
            out.bias.fill_(-times * FAR)
        for decoder, times in ((space.item_decoder, 1.0), (space.text_decoder, 3.0)):
            decoder.weight.copy_(times * torch.eye(2))
            decoder.bias.zero_()
    return space


def batch() -> JointBatch:
    """One user who liked item 0 and gets item 1 as the drawn one; both are to match."""
    return JointBatch(torch.tensor([[1.0, 2.0]]), ITEMS[:1], ITEMS[1:2], ITEMS[:2], TEXTS[:2])


def only(name: str) -> LossWeights:
    return LossWeights(**(dict.fromkeys(NAMES, 0.0) | {name: 1.0}))


def test_each_loss_is_what_the_formula_gives():
    """Joint vectors: of items (2, 0) and (0, 2), of texts (1, 2) and (0, 1); the user scores them 2 and 4."""
    found = linear_space().losses(batch(), LossWeights())
    expected = {
        "recommendation": math.log(1 + math.exp(-2)) + math.log(1 + math.exp(4)),
        "matching": (1 + 4 + 0 + 1) / 4,
        "item_reconstruction": (1 + 0 + 0 + 1) / 4,  # (2, 0) less (1, 0), (0, 2) less (0, 1)
        "text_reconstruction": (4 + 16 + 0 + 4) / 4,  # (3, 6) less (1, 2), (0, 3) less (0, 1)
    }
    assert {name: loss.item() for name, loss in found.items()} == pytest.approx(expected, rel=1e-4)
    total = expected["recommendation"] + 1.5 + 0.5 * 0.5 + 0.2 * 6
    assert weighed(found, LossWeights()).item() == pytest.approx(total, rel=1e-4)


def test_vectors_are_standardised_and_decoded_into_the_units_that_they_came_in():
    space = linear_space()
    items = 10 * ITEMS + 5  # mean 11.67, deviation 4.71 in both directions
    space.standardise(items, TEXTS)
    mean, deviation = 5 + 20 / 3, 10 * math.sqrt(2) / 3
    expected = 2 * (items - mean) / deviation
    torch.testing.assert_close(space.of_items(items), expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(space.decoded(expected / 2), items, rtol=1e-4, atol=1e-4)


def test_a_direction_in_which_nothing_differs_stays_finite():
    space = JointSpace(2, 2, 4)
    space.standardise(torch.ones(3, 2), TEXTS)
    assert space.of_items(torch.ones(3, 2)).isfinite().all()


@pytest.mark.parametrize(
    ("name", "moved"),
    [
        ("recommendation", {"item_tower", "item_decoder"}),
        ("matching", {"item_tower", "text_tower"}),
        ("item_reconstruction", {"item_tower", "item_decoder"}),
        ("text_reconstruction", {"text_tower", "text_decoder"}),
    ],
)
def test_a_loss_moves_its_own_parts_and_one_that_is_off_moves_nothing(name: str, moved: set[str]):
    space = linear_space()
    losses = space.losses(batch(), only(name))
    assert list(losses) == [name]
    weighed(losses, only(name)).backward()
    assert {key.split(".")[0] for key, each in space.named_parameters() if each.grad is not None} == moved


def test_a_batch_without_items_to_match_costs_the_recommendation_alone():
    given = batch()
    empty = JointBatch(given.states, given.positive, given.negative, ITEMS[:0], TEXTS[:0])
    found = linear_space().losses(empty, LossWeights())
    total = weighed(found, LossWeights())
    assert total.item() == pytest.approx(found["recommendation"].item())
