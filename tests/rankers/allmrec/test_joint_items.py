"""Stage 1 on a planted world: likes rank warm items, texts rank cold and unknown ones."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from rectune.core.errors import UserError
from rectune.rankers.allmrec.items import JointItems, cold_items, say_cut, train_joint_items
from rectune.rankers.allmrec.items_ranker import AllmrecItems
from rectune.rankers.allmrec.training import JointRecord
from rectune.rankers.base import RANKERS, fit_ranker, ranker_class
from rectune.rankers.domain_data import DomainData, TrainLikes
from rectune.rankers.item_text import TextOptions, texts_of
from rectune.rankers.new_items import with_items
from rectune.rankers.sequential.bert4rec import Bert4Rec
from rectune.rankers.sequential.ranker import SequentialRanker
from rectune.rankers.sequential.sasrec import SasRec
from tests.rankers.allmrec.joint_world import EMBEDDER, ODD, item, joint_items, names, recommender, world
from tests.rankers.likes_world import data_of

HISTORIES = [["w0-1", "w0-2", "w0-3"], ["w1-1", "w1-2", "w1-3"]]


@pytest.fixture(scope="module")
def data() -> DomainData:
    return world()


@pytest.fixture(scope="module")
def fitted(data: DomainData) -> SequentialRanker:
    return recommender(data)


@pytest.fixture(scope="module")
def joint(data: DomainData, fitted: SequentialRanker) -> JointItems:
    return joint_items(data, fitted)


def ranker(joint: JointItems, by: str = "joint") -> AllmrecItems:
    return AllmrecItems(by=by).of(joint)


def score(ranker: AllmrecItems, block: int, item_id: str) -> float:
    return float(ranker.score_all([HISTORIES[block]])[0, ranker.place[item_id]])


@pytest.mark.parametrize("odd", ODD)
def test_a_warm_item_goes_by_its_likes_where_its_text_says_otherwise(joint: JointItems, odd: str):
    liked = int(odd[1])
    other = 1 - liked
    by_likes, by_text = ranker(joint), ranker(joint, "text")
    assert score(by_likes, liked, odd) > score(by_likes, other, odd)
    assert score(by_text, liked, odd) < score(by_text, other, odd)


def test_a_cold_item_goes_by_its_text(joint: JointItems):
    assert [name for name, cold in zip(joint.item_ids, joint.cold, strict=True) if cold] == [
        *names("c", 0), *names("c", 1),
    ]  # fmt: skip
    for by in ("joint", "text"):
        for block in (0, 1):
            own = [score(ranker(joint, by), block, name) for name in names("c", block)]
            foreign = [score(ranker(joint, by), block, name) for name in names("c", 1 - block)]
            assert min(own) > max(foreign)


def test_the_recommender_stays_as_it_was_to_the_last_bit(data: DomainData):
    fitted = recommender(data)
    state = {name: value.clone() for name, value in fitted.fitted_network.state_dict().items()}
    vectors, scores = fitted.fitted_network.item_vectors().clone(), fitted.score_all(HISTORIES)
    joint = joint_items(data, fitted, epochs=1)
    assert joint.recommender is fitted
    after = fitted.fitted_network.state_dict()
    assert state.keys() == after.keys() and all(torch.equal(state[name], after[name]) for name in state)
    assert torch.equal(vectors, fitted.fitted_network.item_vectors())
    assert np.array_equal(scores, fitted.score_all(HISTORIES))


def test_where_everybody_likes_everything_it_is_said_that_nothing_is_trained(capsys):
    ids = [name for block in (0, 1) for name in names("w", block)]
    users, liked = np.repeat(np.arange(8), len(ids)), np.tile(np.arange(len(ids)), 8)
    likes = TrainLikes(tuple(ids), users, liked, np.arange(len(users)))
    data = DomainData("d", [item(name) for name in ids], lambda: likes, EMBEDDER)
    joint = joint_items(data, recommender(data), epochs=1)
    assert "the joint space is not trained" in capsys.readouterr().err and joint.record == JointRecord()
    joint_items(world(), recommender(world()), epochs=1)
    assert "not trained" not in capsys.readouterr().err


def test_its_digest_sees_a_change_of_any_weight(data: DomainData):
    """Stage 2 is kept by it, and what is to stay as it was is held against it."""
    one = joint_items(data, recommender(data))
    before = one.digest()
    for module in (one.space, one.recommender.fitted_network):
        for value in module.parameters():
            with torch.no_grad():
                value.view(-1)[0] += 1.0
            assert one.digest() != before
            before = one.digest()


def test_the_vectors_are_of_the_towers(joint: JointItems, data: DomainData, fitted: SequentialRanker):
    cold, warm = "c0-0", "w0-0"
    ids = [cold, warm]
    read = joint.space.of_texts(torch.from_numpy(data.vectors(ids))).detach().numpy()
    row = fitted.covered.tolist().index(fitted.place[warm])
    own = joint.space.of_items(fitted.fitted_network.item_vectors()[row : row + 1]).detach().numpy()
    np.testing.assert_allclose(joint.vectors(ids, "text"), read, atol=1e-5)
    np.testing.assert_allclose(joint.vectors(ids), np.concatenate([read[:1], own]), atol=1e-5)
    with pytest.raises(UserError, match="1 items are not in the catalogue, the first is x"):
        joint.vectors(["x", warm])


def test_the_same_seed_gives_the_same_bits_and_another_one_others(data: DomainData, fitted: SequentialRanker):
    one, same, other = (joint_items(data, fitted, epochs=1, seed=seed).decoded() for seed in (0, 0, 1))
    assert np.array_equal(one, same)
    assert not np.allclose(one, other)


def test_saved_and_loaded_it_scores_the_same(joint: JointItems, tmp_path: Path):
    before = ranker(joint)
    before.save(tmp_path / "r")
    after = AllmrecItems.load(tmp_path / "r")
    assert after.parameters == before.parameters
    assert np.array_equal(before.score_all(HISTORIES), after.score_all(HISTORIES))
    assert np.array_equal(before.joint.vectors(names("c", 0)), after.joint.vectors(names("c", 0)))
    (tmp_path / "r" / "joint_items" / "ranker.json").unlink()
    with pytest.raises(UserError, match="no saved ranker"):
        AllmrecItems.load(tmp_path / "r")


def test_another_catalogue_is_ranked_by_text_alone_for_histories_of_it(joint: JointItems):
    foreign = [item(f"x{block}-{n}") for block in (0, 1) for n in range(4, 12)]
    shelf = ranker(joint).of_items(DomainData("other", foreign, None, EMBEDDER))
    assert shelf is not None and shelf.joint is not None and shelf.joint.cold.all()
    for block in (0, 1):
        [listed] = shelf.top([[f"x{block}-{n}" for n in (4, 5, 6)]], 5)
        assert {found.item_id[:2] for found in listed} == {f"x{block}"}


def test_equal_ids_in_another_domain_are_not_taken_for_known_items(joint: JointItems, tmp_path: Path):
    ranker(joint).save(tmp_path)
    for before in (ranker(joint), AllmrecItems.load(tmp_path)):
        twins = [replace(item(f"w{1 - int(name[1])}{name[2:]}"), item_id=name) for name in joint.item_ids]
        shelf = before.of_items(DomainData("other", twins, None, EMBEDDER))
        unheard = [replace(one, item_id=f"x{one.item_id}") for one in twins]
        by_text = before.of_items(DomainData("other", unheard, None, EMBEDDER))
        assert shelf is not None and by_text is not None and shelf.joint is not None
        assert shelf.joint.cold.all() and not shelf.counts.any()
        expected = by_text.score_all([[f"x{one}" for one in history] for history in HISTORIES])
        np.testing.assert_array_equal(shelf.score_all(HISTORIES), expected)
        assert not np.allclose(shelf.score_all(HISTORIES), before.score_all(HISTORIES), atol=0.1)


def test_of_a_changed_catalogue_known_items_score_as_before_and_new_ones_by_text(joint: JointItems):
    before = ranker(joint)
    kept = [name for name in joint.item_ids if name != "w0-4"]
    after = before.of_items(DomainData("d", [*map(item, kept), item("n0-13")], None, EMBEDDER))
    assert after is not None
    old, new = before.score_all(HISTORIES), after.score_all(HISTORIES)
    places = [before.place[name] for name in kept]
    np.testing.assert_allclose(new[:, :-1], old[:, places], atol=1e-5)
    assert new[0, -1] > new[1, -1]
    assert before.of_items(DomainData("d", [item("w0-1")], None, "embedded")) is None


def test_a_history_of_which_nothing_is_known_gets_the_most_liked(joint: JointItems):
    scores = ranker(joint).score_all([[], ["unheard of"]])
    np.testing.assert_allclose(scores, np.log1p(np.tile(joint.recommender.counts, (2, 1))))


def test_it_is_fitted_by_name_and_new_items_of_its_catalogue_go_by_text(data: DomainData):
    found = fit_ranker("allmrec_items", data, {"epochs": 3, "learning_rate": 3e-3})
    assert isinstance(found, AllmrecItems) and found.joint is not None
    assert "an epoch takes about" in found.fit_cost(data)
    shelf = with_items(found, DomainData("d", [*data.items.values(), item("n1-13")], None, EMBEDDER))
    own, other = (shelf.score_all([HISTORIES[block]])[0, -1] for block in (1, 0))
    assert own > other


def test_cold_is_liked_no_more_than_the_quantile(fitted: SequentialRanker, data: DomainData):
    counts = data.likes.counts
    quantile = np.quantile(counts, 0.5)
    assert 0 < quantile < counts.max()
    np.testing.assert_array_equal(cold_items(fitted, 0.5), counts <= quantile)
    np.testing.assert_array_equal(cold_items(fitted, 1.0), counts == 0)  # not all of them


def test_it_says_to_how_many_tokens_texts_were_cut(capsys: pytest.CaptureFixture[str]):
    data = DomainData("d", [replace(item("n0-1"), title="moon " * 600), item("n0-2")], None)
    options = TextOptions(max_tokens=1000)  # MiniLM reads 256
    say_cut(data, texts_of(list(data.items.values()), options, data.embedder), options)
    assert "the texts of 1 of 2 items were cut to 256 tokens" in capsys.readouterr().err


def unread() -> TrainLikes:
    raise AssertionError("likes were read")


def test_it_is_registered_and_says_what_it_cannot_stand_on(data: DomainData, fitted: SequentialRanker):
    assert "allmrec_items" in RANKERS and ranker_class("allmrec_items") is AllmrecItems
    with pytest.raises(UserError, match="ease is no ranker of sequences"):
        AllmrecItems("ease").fit(data)
    for name, word in (("text", "titel"), ("by", "texts"), ("positions", "lasst")):
        with pytest.raises(UserError, match=f"{name} is '{word}'"):
            AllmrecItems(**{name: word})
    with pytest.raises(UserError, match="weights of the losses"):
        AllmrecItems(matching=-1)
    with pytest.raises(UserError, match="only after the last item"):
        AllmrecItems("bert4rec").fit(DomainData("d", data.items.values(), unread))
    with pytest.raises(AssertionError, match="likes were read"):  # of the last alone it has a state
        AllmrecItems("bert4rec", positions="last").fit(DomainData("d", data.items.values(), unread))
    masked = Bert4Rec(dim=4, layers=1, heads=1, epochs=1).fit(data)
    with pytest.raises(UserError, match="only after the last item"):
        train_joint_items(masked, data)
    assert joint_items(data, masked, positions="last", epochs=1).decoded().shape == (len(data.items), 4)


def test_without_histories_it_ranks_by_likes(tmp_path: Path):
    data = data_of(np.eye(4, dtype=bool)[[0, 1, 1, 3]])  # everybody liked one item
    found = AllmrecItems().fit(data)
    assert found.joint is None and isinstance(found, AllmrecItems)
    found.save(tmp_path)
    loaded = AllmrecItems.load(tmp_path)
    expected = np.log1p([[1, 2, 0, 1]])
    np.testing.assert_allclose(found.score_all([["i000"]]), expected)
    np.testing.assert_allclose(loaded.score_all([["i000"]]), expected)
    assert found.of_items(data) is None
    with pytest.raises(UserError, match="nobody liked two items"):
        train_joint_items(SasRec().fit(data), data)
