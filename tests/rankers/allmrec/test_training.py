"""Training of the joint space: when it stops, what it keeps, and what no training is for."""

import numpy as np
import pytest
import torch

from rectune.core.errors import UserError
from rectune.rankers.allmrec.examples import Examples, NegativeSampler
from rectune.rankers.allmrec.items import train_joint_items
from rectune.rankers.allmrec.training import JointOptions, JointTrainer, new_space
from rectune.rankers.domain_data import DomainData
from rectune.rankers.sequential.network import SequenceNetwork
from rectune.rankers.sequential.sasrec import SasRec
from rectune.rankers.sequential.sequences import Sequences
from rectune.retrieval.embedding import register
from tests.rankers.allmrec.joint_world import item, world

COUNT = 200


def trainer(epochs: int) -> JointTrainer:
    """Users, items and texts that have nothing to do with each other, of which nothing can be learnt."""
    rng = torch.Generator().manual_seed(0)
    items, texts, states = (torch.randn(COUNT, 4, generator=rng) for _ in range(3))
    users = np.arange(COUNT)
    targets = np.random.default_rng(0).permutation(COUNT)
    sampler = NegativeSampler(Sequences(targets + 1, np.arange(COUNT + 1)), COUNT)
    options = JointOptions(learning_rate=0.03, epochs=epochs)
    space = new_space(items, texts, 0)
    return JointTrainer(space, items, texts, Examples(states, targets, users), sampler, options)


def test_it_stops_two_epochs_after_the_best_and_keeps_that_one():
    long, short = trainer(30), trainer(30)
    record = long.train()
    assert len(record.held_out) == record.best + 2 < 30
    assert record.held_out[record.best - 1] == min(record.held_out)
    again = trainer(record.best)
    again.train()
    kept, wanted = long.space.state_dict(), again.space.state_dict()
    assert all(torch.equal(kept[name], wanted[name]) for name in wanted)
    assert short.train() == record


def test_a_recommender_that_scores_otherwise_than_by_a_product_is_refused():
    class Distance(SequenceNetwork):
        def forward(self, items: torch.Tensor) -> torch.Tensor:
            return self.embed(items)

        def scores(self, states: torch.Tensor) -> torch.Tensor:
            return -torch.cdist(states, self.item_vectors())

    class ByDistance(SasRec):
        name = "by_distance"

        def network(self, table):
            return Distance(table)

    fitted = ByDistance(dim=4, epochs=1).fit(world())
    with pytest.raises(UserError, match="by_distance does not score by a product"):
        train_joint_items(fitted, world())


def test_the_vectors_of_each_text_are_made_once_and_shared_with_other_likes():
    asked: list[str] = []

    def embed(texts) -> np.ndarray:
        asked.extend(texts)
        return np.eye(2, dtype=np.float32)[[len(text) % 2 for text in texts]]

    register("counted", 2, embed)
    data = DomainData("d", [item("w0-1"), item("w1-2")], None, "counted")
    first = data.vectors_of({"w0-1": "a long text", "w1-2": "block 1 2"})
    other = data.with_likes(data.likes).vectors_of({"w1-2": "block 1 2", "w0-1": "a long text"})
    np.testing.assert_array_equal(first, other[::-1])
    np.testing.assert_array_equal(first[1:], data.vectors(["w1-2"]))
    assert sorted(asked) == ["a long text", "block 1 2"]
