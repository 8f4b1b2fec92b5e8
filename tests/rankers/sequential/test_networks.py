"""GRU4Rec, NextItNet, NCF and MoRec: each finds what its kind can find, and no history changes another's."""

from pathlib import Path

import numpy as np
import pytest
import torch

from rectune.core.types import Item
from rectune.rankers.base import Ranker, ranker_class
from rectune.rankers.domain_data import DomainData, TrainLikes
from rectune.rankers.sequential.item_table import ItemTable
from rectune.rankers.sequential.network import SequenceNetwork
from rectune.retrieval.embedding import Vectors, register
from tests.rankers.likes_world import BLOCK_ITEMS, BLOCKS, block_table, data_of

NAMES = ("gru4rec", "nextitnet", "ncf", "morec")
PAIRED = 4  # items of which a history has two; what comes third tells which of them was first
RISING, FALLING = f"i{PAIRED}", f"i{PAIRED + 1}"
SMALL = {"dim": 16, "epochs": 40, "learning_rate": 0.01, "positions": 32, "dropout": 0.0}


@pytest.fixture(scope="module", autouse=True)
def _embedder() -> None:
    register("kinds", 8, kinds)


def kinds(texts) -> Vectors:
    """The first letter of a title is its kind; the rest is noise that follows from the text."""
    rows = []
    for text in texts:
        noise = np.random.default_rng(list(text.encode())).normal(0, 0.2, 8)
        noise["ab".index(text[0])] += 1.0
        rows.append(noise / np.linalg.norm(noise))
    return np.array(rows, np.float32)


def domain(histories: list[list[int]], titles: list[str]) -> DomainData:
    """Likes in the order of time; items i0, i1, …"""
    ids = tuple(f"i{at}" for at in range(len(titles)))
    users = np.repeat(np.arange(len(histories)), [len(row) for row in histories])
    items = np.array([item for row in histories for item in row], np.int64)
    times = np.arange(len(items), dtype=np.int64)
    likes = TrainLikes(ids, users.astype(np.int64), items, times)
    about = [Item("d", name, title) for name, title in zip(ids, titles, strict=True)]
    return DomainData("d", about, lambda: likes, embedder="kinds")


def two_kinds() -> DomainData:
    """Users like six of ten items of one kind. The last item of each kind is liked by nobody."""
    rng = np.random.default_rng(0)
    titles = [f"a{at}" for at in range(11)] + [f"b{at}" for at in range(11)]
    histories = [(11 * (user % 2) + rng.permutation(10)[:6]).tolist() for user in range(80)]
    return domain(histories, titles)


def pairs_in_order(times: int = 20) -> DomainData:
    """Histories x, y and then `RISING` where x is before y in the catalogue, else `FALLING`.

    Whichever item comes last, either follows it equally often: only the order of both tells.
    """
    pairs = [(x, y) for x in range(PAIRED) for y in range(PAIRED) if x != y]
    histories = [[x, y, PAIRED if x < y else PAIRED + 1] for x, y in pairs] * times
    return domain(histories, [f"a{at}" for at in range(PAIRED + 2)])


def fitted(name: str, data: DomainData, **changes: object) -> Ranker:
    return ranker_class(name)(**{**SMALL, **changes}).fit(data)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["gru4rec", "nextitnet"])
def test_the_order_of_a_history_tells_what_comes_next(name: str) -> None:
    ranker = fitted(name, pairs_in_order())
    pairs = [(x, y) for x in range(PAIRED) for y in range(PAIRED) if x != y]
    scores = ranker.score([(f"i{x}", f"i{y}") for x, y in pairs], [(RISING, FALLING)] * len(pairs))
    assert [bool(rising > falling) for rising, falling in scores] == [x < y for x, y in pairs]


def test_ncf_ranks_what_is_liked_together_whatever_the_order() -> None:
    table = block_table()
    ranker = fitted("ncf", data_of(table))
    for block in range(BLOCKS):
        own = [f"i{at:03}" for at in range(block * BLOCK_ITEMS, (block + 1) * BLOCK_ITEMS)]
        history = own[:3]
        best = {item.item_id for item in ranker.top([history], BLOCK_ITEMS - 3)[0]}
        assert best == set(own[3:])
        backwards, forwards = ranker.score([history[::-1], history], [own] * 2)
        np.testing.assert_allclose(backwards, forwards, rtol=1e-4, atol=1e-5)


def test_ncf_scores_pairs_and_the_whole_catalogue_alike() -> None:
    torch.manual_seed(0)
    network = ranker_class("ncf")(dim=8).network(ItemTable(8, 30)).eval()  # type: ignore[attr-defined]
    states, rows = torch.randn(5, 8), torch.randint(30, (5, 4))
    torch.testing.assert_close(network.pair_scores(states, rows), network.scores(states).gather(1, rows))


def test_morec_knows_what_nobody_liked_by_its_text() -> None:
    ranker = fitted("morec", two_kinds(), epochs=8, positions=64)
    scores = ranker.score_all([("i0", "i1"), ("i12", "i13")])
    for row, (own, other) in zip(
        scores, ((range(11), range(11, 22)), (range(11, 22), range(11))), strict=True
    ):
        assert row[list(own)[-1]] > row[list(other)].max()


def network_of(name: str) -> SequenceNetwork:
    """Untrained, for twenty items."""
    torch.manual_seed(0)
    table = ItemTable(16, 0, torch.randn(20, 8)) if name == "morec" else ItemTable(16, 20)
    made: SequenceNetwork = ranker_class(name)(dim=16).network(table)  # type: ignore[attr-defined]
    return made.eval()


@pytest.mark.parametrize("name", NAMES)
def test_a_history_scores_alone_as_beside_longer_ones(name: str) -> None:
    network = network_of(name)
    items = torch.tensor([[0, 0, 0, 3, 4], [1, 2, 5, 6, 7], [0, 0, 0, 0, 9]])
    together = network(items)
    for row, length in ((0, 2), (1, 5), (2, 1)):
        alone = network(items[row : row + 1, 5 - length :])[0]
        torch.testing.assert_close(together[row, 5 - length :], alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_no_position_sees_what_comes_after_it(name: str) -> None:
    network = network_of(name)
    before, after = network(torch.tensor([[0, 1, 2, 3, 4], [0, 1, 2, 8, 9]]))
    torch.testing.assert_close(before[1:3], after[1:3])
    assert not torch.allclose(before[3:], after[3:])


@pytest.mark.parametrize("name", NAMES)
def test_it_is_saved_and_seeded_and_new_users_need_no_training(name: str, tmp_path: Path) -> None:
    data = two_kinds()
    ranker = fitted(name, data, epochs=2)
    again = fitted(name, data, epochs=2)
    ranker.save(tmp_path / name)
    loaded = ranker_class(name).load(tmp_path / name)
    histories = [(), ("i3",), ("i3", "nobody knows it", "i14"), tuple(f"i{at}" for at in range(10))]
    scores = ranker.score_all(histories)
    np.testing.assert_array_equal(loaded.score_all(histories), scores)
    np.testing.assert_array_equal(again.score_all(histories), scores)
    # Without a history the most liked come first.
    counts = data.likes.counts
    assert np.array_equal(np.argsort(-scores[0], kind="stable"), np.argsort(-counts, kind="stable"))
    assert len({tuple(row) for row in scores.tolist()}) == len(histories)


@pytest.mark.parametrize("name", NAMES)
def test_every_weight_is_trained(name: str) -> None:
    network = network_of(name)
    items = torch.arange(1, 21).reshape(4, 5)
    scores = network.pair_scores(network(items).reshape(20, -1), torch.arange(20)[:, None])
    torch.nn.functional.logsigmoid(scores).sum().backward()  # type: ignore[no-untyped-call]
    still = [
        key for key, weight in network.named_parameters() if weight.grad is None or not weight.grad.any()
    ]
    assert still == []
