"""What holds for every ranker that reads histories in their order."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from rectune.core.errors import UserError
from rectune.rankers.base import ranker_class
from rectune.rankers.domain_data import DomainData, TrainLikes
from rectune.rankers.fit_cache import FitCache, FittedData
from rectune.rankers.sequential.ranker import SequentialRanker
from tests.rankers.sequential.sequence_world import EMBEDDER, TINY, data_of, fitted, item_of, ring, walks

FAMILIES = ("sasrec", "sasrec_text", "bert4rec")
HISTORIES = [(), ("nowhere",), ("i01",), ("i01", "nowhere", "i02"), *walks(7), *walks(2)]
HOSTILE = {
    "no like": [],
    "one like": [(0, 1)],
    "one user": [(0, 1), (0, 2), (0, 3)],
    "one item": [(0, 1), (1, 1), (2, 1)],
    "one like each": [(0, 1), (1, 2), (2, 3)],
    "two items": [(user, item) for user in range(6) for item in (1, 0)],
    "one of many likes": [(0, 1), (0, 2), *[(user, 3) for user in range(1, 9)]],
}


@pytest.mark.parametrize("name", FAMILIES)
def test_a_loaded_ranker_scores_bit_for_bit_the_same(name: str, tmp_path: Path):
    ranker = fitted(name, ring(), epochs=2)
    ranker.save(tmp_path)
    again = ranker_class(name).load(tmp_path)
    np.testing.assert_array_equal(again.score_all(HISTORIES), ranker.score_all(HISTORIES))
    assert again.parameters == ranker.parameters
    with pytest.raises(UserError):
        ranker_class("ease").load(tmp_path)


def test_a_network_that_was_saved_in_another_form_is_refused(tmp_path: Path):
    fitted("sasrec_text", ring(), epochs=1).save(tmp_path)
    arrays = load_file(tmp_path / "arrays.safetensors")
    del arrays["network.table.scale"]
    save_file(arrays, tmp_path / "arrays.safetensors")
    with pytest.raises(UserError, match="saved in another form"):
        ranker_class("sasrec_text").load(tmp_path)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_history_scores_the_same_alone_and_beside_longer_ones(name: str):
    ranker = fitted(name, ring(), epochs=3)
    together = ranker.score_all(HISTORIES * 5)
    for at, history in enumerate(HISTORIES):
        np.testing.assert_allclose(ranker.score_all([history])[0], together[at], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(together[at], together[at + 4 * len(HISTORIES)], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_order_of_the_catalogue_and_the_numbers_of_users_do_not_matter(name: str):
    data = ring()
    order = np.random.default_rng(3).permutation(len(data.items))
    items = [list(data.items.values())[at] for at in order]
    rows = np.stack([data.likes.users * 3 + 100, np.argsort(order)[data.likes.items]], 1)
    plain = fitted(name, data, epochs=3).score_all(HISTORIES)
    other = fitted(name, data_of(rows, items), epochs=3).score_all(HISTORIES)
    np.testing.assert_allclose(other[:, np.argsort(order)], plain, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("world", HOSTILE)
def test_hostile_worlds_are_fitted_saved_and_scored(name: str, world: str, tmp_path: Path):
    data = data_of(np.array(HOSTILE[world], np.int64), [item_of(number) for number in range(5)])
    ranker = fitted(name, data, epochs=2)
    histories = [(), ("nowhere",), ranker.item_ids, ("i01",), ("i04",)]
    scores = ranker.score_all(histories)
    assert scores.shape == (5, 5) and scores.dtype == np.float64 and np.isfinite(scores).all()
    counts = data.likes.counts
    assert np.argsort(-scores[0], kind="stable").tolist() == np.argsort(-counts, kind="stable").tolist()
    np.testing.assert_array_equal(scores[0], scores[1])
    if name != "sasrec_text" and counts.any():  # what nobody liked comes last
        assert (scores[:, counts == 0] <= scores.min(1, keepdims=True)).all()
    ranker.save(tmp_path)
    np.testing.assert_array_equal(ranker_class(name).load(tmp_path).score_all(histories), scores)
    assert ranker.score_all([]).shape == (0, 5)


def test_a_seed_gives_the_same_and_another_one_another_ranker():
    first, again, other = (
        fitted("sasrec", ring(), epochs=1, seed=seed).score_all(walks()) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)


def test_only_the_last_items_count_that_were_seen_together_in_training():
    ranker = fitted("sasrec", ring(length=5), epochs=1)  # windows of four items that something follows
    long, short = ranker.score_all(
        [tuple(f"i{n:02}" for n in range(12)), tuple(f"i{n:02}" for n in range(8, 12))]
    )
    np.testing.assert_allclose(long, short, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("wrong", [{"dim": 0}, {"epochs": 0}, {"max_length": -1}, {"dim": 6, "heads": 4}])
def test_arguments_that_cannot_be_are_refused(wrong: dict[str, int]):
    with pytest.raises(UserError, match=next(iter(wrong))):
        ranker_class("sasrec")(**wrong)


def test_a_new_fit_is_needed_where_texts_times_or_their_order_changed():
    base = ring()
    items, likes = list(base.items.values()), base.likes
    renamed = DomainData("ring", [item_of(n + (n == 3)) for n in range(len(items))], lambda: likes, EMBEDDER)
    swapped = np.arange(len(likes.users))
    swapped[[0, 1]] = [1, 0]
    later = TrainLikes(likes.item_ids, likes.users, likes.items[swapped], likes.times)
    by_text, by_id = (
        [FittedData(data).identity(name) for data in (base, renamed, base.with_likes(later))]
        for name in ("sasrec_text", "sasrec")
    )
    assert len(set(by_text)) == 3
    assert by_id[0] != by_id[2]


@pytest.mark.parametrize("name", FAMILIES)
def test_they_are_costly_and_what_they_cost_is_said(name: str):
    ranker = ranker_class(name)(**TINY)
    assert isinstance(ranker, SequentialRanker) and ranker.costly
    assert "an epoch takes about" in ranker.fit_cost(ring())
    assert ranker.fit_cost(data_of(np.zeros((0, 2)), [item_of(1)])) == "there is nothing to learn"


def test_a_fit_in_the_cache_is_found_again_and_leaves_no_checkpoint(tmp_path: Path):
    data, given = FittedData(ring()), TINY | {"epochs": 1}
    first = FitCache(tmp_path)
    assert not first.holds("sasrec", given, data)
    scores = first.ranker("sasrec", given, data).score_all(walks())
    again = FitCache(tmp_path)
    assert again.holds("sasrec", given, data)
    np.testing.assert_array_equal(again.ranker("sasrec", given, data).score_all(walks()), scores)
    assert (again.made, again.reused) == (0, 1)
    assert not list(tmp_path.glob("*checkpoint*"))


def _people(data: DomainData, count: int) -> FittedData:
    """The data of the first so many users, who have ids."""
    likes, kept = data.likes, data.likes.users < count
    ids = tuple(f"u{number}" for number in range(count))
    some = TrainLikes(likes.item_ids, likes.users[kept], likes.items[kept], likes.times[kept], ids)
    return FittedData(data.with_likes(some))


def test_a_warm_start_goes_on_from_the_latest_fit_and_is_found_again(tmp_path: Path, capsys):
    data, given = ring(users=120), TINY | {"epochs": 6}
    fewer, more = _people(data, 90), _people(data, 120)
    first = FitCache(tmp_path).final_ranker("sasrec", given, fewer)
    cold = FitCache(tmp_path / "other").final_ranker("sasrec", given, more)
    cache = FitCache(tmp_path)
    warm = cache.final_ranker("sasrec", given, more, warm_start=True)
    assert cache.warm_started == ["sasrec"]
    assert warm.record.ndcg[0] > cold.record.ndcg[0]
    cache.write("sasrec", given, more, tmp_path / "written")
    written = ranker_class("sasrec").load(tmp_path / "written")
    np.testing.assert_array_equal(written.score_all(walks()), warm.score_all(walks()))
    again = FitCache(tmp_path)
    found = again.final_ranker("sasrec", given, more, warm_start=True)
    np.testing.assert_array_equal(found.score_all(walks()), warm.score_all(walks()))
    assert (again.made, again.reused, again.warm_started) == (0, 1, ["sasrec"])
    plain = FitCache(tmp_path)
    np.testing.assert_array_equal(
        plain.final_ranker("sasrec", given, fewer).score_all(walks()), first.score_all(walks())
    )
    assert not plain.warm_started


def test_nobody_who_left_training_is_in_what_starts_warm(tmp_path: Path, capsys):
    data, given = ring(), TINY | {"epochs": 1}
    FitCache(tmp_path).final_ranker("sasrec", given, _people(data, 60))
    cache = FitCache(tmp_path)
    warm = cache.final_ranker("sasrec", given, _people(data, 50), warm_start=True)
    assert "begins anew; the earlier one knew people" in capsys.readouterr().err
    cold = FitCache().final_ranker("sasrec", given, _people(data, 50))
    np.testing.assert_array_equal(warm.score_all(walks()), cold.score_all(walks()))
    assert not cache.warm_started
