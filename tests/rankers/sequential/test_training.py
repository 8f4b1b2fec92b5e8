"""The trainer: losses against their definitions, batches, when it stops, and going on where it was killed."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from rectune.rankers.sequential.item_table import ItemTable
from rectune.rankers.sequential.losses import (
    binary_cross_entropy,
    cross_entropy,
    drawing_shares,
    sampled_cross_entropy,
)
from rectune.rankers.sequential.network import SequenceNetwork, TransformerNetwork
from rectune.rankers.sequential.sequences import (
    MASK,
    HeldOut,
    Sequences,
    batches,
    hold_out,
    masked,
    sequences_of,
    shifted,
)
from rectune.rankers.sequential.training import Trainer, TrainingOptions, TrainingRecord
from rectune.rankers.sequential.validation import Validation
from tests.rankers.sequential.sequence_world import RING, ring

ROW_OF = np.arange(1, RING + 1)


def of_lengths(*lengths: int, ordered: bool = True) -> Sequences:
    """Histories of these lengths; every item is another one."""
    bounds = np.cumsum([0, *lengths])
    return Sequences(np.arange(1, bounds[-1] + 1), bounds, ordered)


def test_full_cross_entropy_and_its_gradients_are_those_of_torch():
    torch.manual_seed(0)
    states, vectors = torch.randn(700, 8, requires_grad=True), torch.randn(4000, 8, requires_grad=True)
    targets = torch.randint(4000, (700,))
    ours = cross_entropy(states, vectors, targets)
    plain = torch.nn.functional.cross_entropy(states @ vectors.T, targets)
    torch.testing.assert_close(ours, plain)
    found = torch.autograd.grad(2 * ours, [states, vectors])
    torch.testing.assert_close(found, torch.autograd.grad(2 * plain, [states, vectors]))


def test_the_sampled_normaliser_has_the_expectation_of_the_whole_one():
    """E[exp(loss)] is 1 / the target's share: the estimate is unbiased, whatever the items are drawn by."""
    torch.manual_seed(0)
    states, vectors = torch.randn(3, 4), torch.randn(50, 4)
    targets, shares = torch.tensor([0, 7, 49]), drawing_shares(torch.arange(50) ** 2)
    estimates = []
    for _ in range(3000):
        drawn = torch.multinomial(shares, 20, replacement=True)
        losses = [
            sampled_cross_entropy(one[None], vectors[drawn], drawn, shares, vectors[at][None], at[None])
            for one, at in zip(states, targets, strict=True)
        ]
        estimates.append(torch.stack(losses).exp())
    whole = torch.nn.functional.cross_entropy(states @ vectors.T, targets, reduction="none").exp()
    torch.testing.assert_close(torch.stack(estimates).mean(0), whole, rtol=0.05, atol=0.0)


def test_binary_cross_entropy_of_pairs():
    right, wrong = torch.tensor([0.0, 2.0]), torch.tensor([[0.0, 1.0], [-1.0, 3.0]])
    probability = torch.sigmoid
    expected = -probability(right).log().mean() - (1 - probability(wrong)).log().mean()
    torch.testing.assert_close(binary_cross_entropy(right, wrong), expected)


def test_every_item_but_the_first_is_told_once_in_an_epoch_from_what_precedes_it():
    sequences, told = of_lengths(1, 2, 3, 5, 6, 40, 7), []
    for windows in batches(sequences, 5, 20, np.random.default_rng(0)):
        assert windows.shape[1] <= 6 and windows.size <= 24
        items, targets = shifted(windows)
        there = targets > 0
        np.testing.assert_array_equal(targets[there], items[there] + 1)
        told += targets[there].tolist()
    firsts = sequences.items[sequences.bounds[:-1]]
    assert sorted(told) == sorted(set(sequences.items.tolist()) - set(firsts.tolist()))


def test_long_histories_are_cut_elsewhere_in_another_epoch():
    windows = [next(batches(of_lengths(6, 40), 5, 1000, np.random.default_rng(seed))) for seed in range(2)]
    assert windows[0].tolist() != windows[1].tolist()


def test_batches_of_histories_of_similar_length_have_little_padding():
    rng = np.random.default_rng(0)
    sequences = of_lengths(*rng.integers(2, 50, 400).tolist())
    windows = list(batches(sequences, 50, 500, rng))
    padding = sum(int((one == 0).sum()) for one in windows) / sum(one.size for one in windows)
    assert padding < 0.05


def test_histories_without_an_order_are_drawn_anew_and_stay_whole():
    sequences = of_lengths(10, 10, ordered=False)
    first, second = (sequences.in_drawn_order(np.random.default_rng(seed)).items for seed in (0, 1))
    assert first.tolist() != second.tolist()
    for one in (first, second):
        assert sorted(one[:10].tolist()) == sequences.items[:10].tolist()


def test_masked_items_are_told_and_some_windows_ask_for_the_next_item_of_a_shorter_history():
    windows = np.arange(1, 10_001).reshape(1000, 10)
    windows[:, :3] = 0
    items, targets = masked(windows, np.random.default_rng(0))
    found = np.where(items == MASK, targets, items)
    asked = (found != windows).any(1)
    np.testing.assert_array_equal(np.where(items == MASK, 0, targets), 0)
    hidden = (items == MASK).sum(1)
    assert hidden.min() == 1 and (hidden[asked] == 1).all() and (items[asked, -1] == MASK).all()
    assert 0.15 < asked.mean() < 0.3  # some of the quarter is cut after its last item
    for row, whole in zip(found[asked], windows[asked], strict=True):
        kept = row[row > 0]
        assert 2 <= len(kept) < 7 and kept.tolist() == whole[3 : 3 + len(kept)].tolist()


def test_what_is_held_out_is_the_end_of_some_histories_and_in_no_batch():
    lengths = (2, 3, 4, 20, 3, 50)
    sequences = Sequences(np.tile(np.arange(1, 42), 2), np.cumsum([0, *lengths]))  # every item is liked twice
    rest, held = hold_out(sequences, 8, seed=0)
    assert len(held.rows) == 5 and len(held.windows) == 5  # a twentieth of 82 likes, of 5 histories
    whole = [sequences.items[start:end] for start, end in pairwise(sequences.bounds)]
    left = [rest.items[start:end] for start, end in pairwise(rest.bounds)]
    ends = [row.tolist() for row in whole]
    for row, column in zip(held.rows.tolist(), held.columns.tolist(), strict=True):
        window = held.windows[row].tolist()
        assert column == len(window) - 1 >= 2 and len(window) <= 9
        assert any(one[-len(window) :] == window for one in ends)
    assert sum(len(one) - len(other) for one, other in zip(whole, left, strict=True)) == 5
    assert all(one[: len(other)].tolist() == other.tolist() for one, other in zip(whole, left, strict=True))


def test_few_long_histories_give_several_likes_and_none_that_nobody_else_likes():
    items = np.concatenate([np.arange(1, 101), np.arange(1, 100), [200]])
    sequences = Sequences(items, np.array([0, 100, 200]))
    rest, held = hold_out(sequences, 50, seed=0)
    told = [held.windows[row][column] for row, column in zip(held.rows, held.columns, strict=True)]
    assert rest.lengths.tolist() == [95, 95]  # five of each, which is the most
    assert not set(told) & {200, *range(96, 101)}  # the ends, of which training knows nothing
    assert all(len(window) == 51 for window in held.windows)
    again, few = hold_out(Sequences(items, np.array([0, 100, 200])), 20, seed=0)
    assert again.lengths.tolist() == [98, 98] and len(few.windows[0]) == 21  # a tenth of what is seen


class _Planted(SequenceNetwork):
    """After item n it scores item m by the table below; every state is the item before."""

    def __init__(self, scores: torch.Tensor) -> None:
        super().__init__(ItemTable(1, len(scores)))
        self.planted = scores

    def forward(self, items: torch.Tensor) -> torch.Tensor:
        """[b, n, 1] the items themselves."""
        return items.unsqueeze(-1).float()

    def scores(self, states: torch.Tensor) -> torch.Tensor:
        """[m, items] the row of the item."""
        return self.planted[states[:, 0].long() - 1]


def test_held_out_items_are_told_without_what_came_before_by_their_rank_and_their_share():
    scores = torch.zeros(4, 4)
    scores[1] = torch.tensor([5.0, 4.0, 1.0, 2.0])  # after item 2: item 4, then 3, of those that are left
    scores[2] = torch.tensor([9.0, 9.0, 9.0, 0.0])  # after item 3: nothing but item 4 is left
    held = HeldOut((np.array([1, 2, 3, 4]), np.array([2, 4])), np.array([0, 0, 1]), np.array([2, 3, 1]))
    found = Validation(held, torch.ones(4, dtype=torch.long)).measure(_Planted(scores))
    second, first, after_two = 1 / np.log2(3), 1.0, 1 / np.log2(3)  # item 1 is ahead of item 4 in the last
    assert found.ndcg == pytest.approx((second + first + after_two) / 3)
    exps = np.exp([5.0, 1.0, 2.0])
    shares = [np.exp(1.0) / np.exp([1.0, 2.0]).sum(), 1.0, exps[2] / exps.sum()]
    assert found.loss == pytest.approx(-np.log(shares).mean(), rel=1e-5)


@pytest.mark.parametrize(
    ("losses", "over"),
    [
        ([7.0] * 12, False),  # as good as popularity: the plateau
        ([7.0] * 40, True),
        ([7.0] * 12 + [6.9], False),
        ([7.0] * 12 + [6.9] * 6, True),
        ([7.0] * 12 + [6.9] + [6.95] * 4, False),
        ([7.0 - n / 100 for n in range(100)], True),
    ],
)
def test_patience_begins_when_the_plateau_of_popularity_is_left(losses: list[float], over: bool):
    record = TrainingRecord(popularity_loss=7.0, losses=losses, ndcg=[0.1] * len(losses), held_out=9)
    assert record.over(TrainingOptions(epochs=100, patience=5)) is over


def test_the_weights_that_are_taken_are_a_mean_over_the_epochs_at_the_least_loss():
    trainer, after = _trainer(), list[dict[str, torch.Tensor]]()
    record = trainer.train(
        watch=lambda network: after.append({k: v.clone() for k, v in network.state_dict().items()})
    )
    assert len(record.losses) == len(record.ndcg) == 4 and record.best == int(np.argmin(record.losses)) + 1
    for name, taken in trainer.network.state_dict().items():
        mean = after[0][name]
        for weights in after[1 : record.best]:
            mean = 0.7 * mean + 0.3 * weights[name]
        torch.testing.assert_close(taken, mean)


class _Killed(TransformerNetwork):
    """A network whose training is killed in a step."""

    steps = 0
    last = 10_000

    def forward(self, items: torch.Tensor) -> torch.Tensor:
        """As ever, until it is too much."""
        self.steps += self.training
        if self.steps > self.last:
            raise KeyboardInterrupt
        return super().forward(items)


def _trainer(last: int = 10_000) -> Trainer:
    torch.manual_seed(5)
    network = _Killed(ItemTable(8, RING), 8, 1, 1, 0.3, causal=True)
    network.last = last
    sequences = sequences_of(ring(30).likes, ROW_OF)
    options = TrainingOptions(max_length=8, positions=40, epochs=4)
    return Trainer(network, sequences, np.full(RING, 9), options)


def test_killed_anywhere_it_goes_on_to_the_same_weights(tmp_path: Path):
    whole = _trainer()
    record = whole.train()
    steps = whole.network.steps
    checkpoint = tmp_path / "state.checkpoint"
    for last in (1, 3, 1, steps // 2):  # steps that each process lives
        with pytest.raises(KeyboardInterrupt):
            _trainer(last).train(checkpoint, every=0.0)
        assert checkpoint.exists()
    again = _trainer()
    resumed = again.train(checkpoint, every=0.0)
    assert again.network.steps < steps
    assert (resumed.losses, resumed.best) == (record.losses, record.best)
    for (name, one), (_, other) in zip(
        whole.network.state_dict().items(), again.network.state_dict().items(), strict=True
    ):
        assert torch.equal(one, other), name
    assert not checkpoint.exists()


def test_a_checkpoint_of_another_training_or_a_damaged_one_is_not_used(tmp_path: Path, capsys):
    checkpoint = tmp_path / "state.checkpoint"
    with pytest.raises(KeyboardInterrupt):
        _trainer(3).train(checkpoint, every=0.0)
    checkpoint.write_bytes(checkpoint.read_bytes()[:100])
    assert _trainer().train(checkpoint).ndcg == _trainer().train().ndcg
    assert "its checkpoint is damaged" in capsys.readouterr().err
    with pytest.raises(KeyboardInterrupt):
        _trainer(3).train(checkpoint, every=0.0)
    other = _trainer()
    other.options = TrainingOptions(max_length=8, positions=40, epochs=2, seed=1)
    assert len(other.train(checkpoint).ndcg) == 2


def test_training_leaves_the_random_numbers_of_others_alone():
    torch.manual_seed(1)
    expected = torch.rand(3)
    trainer = _trainer()
    torch.manual_seed(1)
    trainer.train()
    assert torch.equal(torch.rand(3), expected)


def test_ids_are_left_out_while_training_only_and_items_without_one_have_none():
    torch.manual_seed(0)
    table = ItemTable(4, 2, torch.randn(3, 5))
    rows = torch.zeros(2000, dtype=torch.long)
    table.train()
    alone = table.of_text(table.text[:1])[0]
    dropped = (table(rows) - alone).abs().amax(1) < 1e-6
    assert 0.25 < dropped.float().mean() < 0.35
    table.eval()
    assert len({tuple(row) for row in table(rows).tolist()}) == 1
    torch.testing.assert_close(table(torch.tensor([2]))[0], table.of_text(table.text[2:])[0])
    before = table.vectors()
    table.fix()
    torch.testing.assert_close(table.vectors(), before)
