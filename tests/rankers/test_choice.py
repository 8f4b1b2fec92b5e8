"""Choosing among rankers on held-out users: what is held out, what is taken, and what scores in the end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rectune.core.figures.fit import HISTORY_LENGTHS, RankerWeights
from rectune.core.types import Item
from rectune.rankers.base import fit_ranker
from rectune.rankers.choice import AskedUser, ChoiceOptions, choose
from rectune.rankers.choose_weights import ScoredUsers, best_parameters, choose_weights
from rectune.rankers.chosen import ChosenRanker
from rectune.rankers.domain_data import DomainData, TrainLikes
from rectune.rankers.fit_cache import FitCache
from rectune.rankers.holdout import holdouts, shortened, target_ranks
from rectune.rankers.weighting import item_weights, label_of, standardised_rows, weighted
from rectune.retrieval.embedding import register

BLOCKS, SIZE = 4, 10
NUMBERS = ("one", "two", "three", "four")


def single(name: str) -> RankerWeights:
    return RankerWeights(weights={name: 1.0}, half_likes=0.0)


def blind(texts: object) -> np.ndarray:
    """An embedder for which all texts are alike."""
    return np.ones((len(texts), 2), np.float32) / np.sqrt(2)  # type: ignore[arg-type]


register("blind", 2, blind)


def block_items(worded: bool) -> list[Item]:
    """Forty items in four blocks, whose titles say the block, or nothing that two items share."""
    return [
        Item("d", f"i{block}{n}", f"{NUMBERS[block]} x{block}{n}" if worded else f"x{block}{n}")
        for block in range(BLOCKS)
        for n in range(SIZE)
    ]


def block_likes(blocks: bool = True, users: int = 60, timed: bool = True, seed: int = 1) -> TrainLikes:
    """Eight likes of each user: of one block, or of all items alike."""
    rng = np.random.default_rng(seed)
    rows = [
        [user, item]
        for user in range(users)
        for item in (
            SIZE * (user % BLOCKS) + rng.permutation(SIZE)[:8] if blocks else rng.permutation(40)[:8]
        )
    ]
    pairs = np.array(rows, np.int64)
    ids = tuple(item.item_id for item in block_items(False))
    return TrainLikes(ids, pairs[:, 0], pairs[:, 1], np.arange(len(pairs)) if timed else None)


def world(worded: bool, blocks: bool) -> DomainData:
    likes = block_likes(blocks)
    return DomainData("d", block_items(worded), lambda: likes, "blind")


RANKERS = ("popularity", "bm25", "item_knn")


def test_a_world_of_blocks_is_ranked_by_likes_and_one_of_words_by_words():
    by_likes = choose(world(worded=False, blocks=True), ChoiceOptions(RANKERS))
    assert by_likes.choice.histories["5+"].chosen == single("item_knn")
    assert by_likes.choice.histories["1-4"].chosen.weights["item_knn"] >= 0.5
    best = by_likes.choice.histories["5+"].tried[0]
    # Three items of the block are left, of which one is the target: 1, 1/log2(3) or 1/2, in the middle 0.71.
    assert best.ndcg_at_10 == pytest.approx(0.71, abs=0.08) and best.hit_at_10 == 1.0


@pytest.mark.parametrize("seed", range(5))
def test_where_nothing_is_to_be_learnt_one_ranker_is_enough(seed: int):
    """With a hundred weights tried, the best of them looks good by chance."""
    noise = np.random.default_rng(seed).random((3, 200, 50))
    users = scored(popularity=noise[0], item_knn=noise[1], bm25=noise[2])
    assert len(choose_weights(users, single("bm25")).chosen.weights) == 1


def test_words_rank_where_they_say_what_comes_next():
    """Every user has a block of ten items with a word of their own, and shares no item with anybody."""
    items = [Item("d", f"i{n}", f"w{n // 10} x{n}") for n in range(600)]
    pairs = np.array([[user, 10 * user + n] for user in range(60) for n in range(8)])
    likes = TrainLikes(tuple(i.item_id for i in items), pairs[:, 0], pairs[:, 1], np.arange(len(pairs)))
    found = choose(DomainData("d", items, lambda: likes, "blind"), ChoiceOptions(RANKERS))
    assert found.choice.histories["5+"].chosen == single("bm25")
    # The three items of the block that are left are alike, and ties count against the ranker: rank 3.
    assert found.choice.histories["5+"].tried[0].ndcg_at_10 == pytest.approx(0.5)


def test_who_gave_nothing_gets_what_is_popular():
    likes = block_likes()
    popular = np.concatenate([likes.items, np.zeros(60, np.int64)])  # everybody likes the first item, last
    users = np.concatenate([likes.users, np.arange(60)])
    keep = np.unique(np.stack([users, popular]), axis=1, return_index=True)[1]
    keep.sort()
    more = TrainLikes(likes.item_ids, users[keep], popular[keep], np.arange(len(keep)))
    data = DomainData("d", block_items(False), lambda: more, "blind")
    chosen = ChosenRanker().fit_with(data, ChoiceOptions(RANKERS))
    assert chosen.choice.histories["0"].chosen == single("popularity")
    assert chosen.top([()], 1)[0][0].item_id == "i00"


@pytest.mark.parametrize("users", [0, 1, 5])
def test_too_few_users_choose_nothing(users: int):
    likes = block_likes(users=users) if users else None
    data = DomainData("d", block_items(True), (lambda: likes) if likes else None, "blind")
    choice = choose(data, ChoiceOptions(("popularity", "bm25", "hybrid", "item_knn"))).choice
    assert all(not choice.histories[length].tried for length in HISTORY_LENGTHS)
    assert choice.histories["5+"].chosen == single("hybrid")
    assert choice.queries.cases == 0


@given(st.integers(0, 80), st.integers(0, 100), st.booleans())
def test_held_out_users_are_in_no_likes_and_are_no_more_than_wanted(users: int, wanted: int, timed: bool):
    likes = block_likes(users=users, timed=timed) if users else TrainLikes((), *[np.zeros(0, np.int64)] * 2)
    found = holdouts(likes, wanted, seed=3)
    held = [user for one in found for user in one.users]
    assert len(held) <= wanted and len(found) <= 5
    assert len(held) == min(wanted, users) or len(found) == 5 or users < 5
    for one in found:
        assert len(np.unique(one.likes.users)) + len(one.users) == users
        assert len(one.likes.users) + sum(len(user.history) + 1 for user in one.users) == len(likes.users)
        assert len(one.users) <= max(1, users // 5)


def test_what_came_last_is_what_is_held_out_and_without_times_an_order_is_drawn():
    likes = block_likes()
    last = {int(user): likes.item_ids[item] for user, item in zip(likes.users, likes.items, strict=True)}
    held = [user for one in holdouts(likes, 60, seed=3) for user in one.users]
    assert sorted(user.target for user in held) == sorted(last.values())
    drawn = [user for one in holdouts(replace(likes, times=None), 60, seed=3) for user in one.users]
    assert sorted(user.target for user in drawn) != sorted(last.values())
    assert all(1 <= len(shortened(user, 0).history) <= 4 for user in held)
    assert all(user.history[-1] == shortened(user, 0).history[-1] for user in held)


def test_a_user_with_one_like_is_never_held_out():
    likes = TrainLikes(("a", "b"), np.array([0, 1, 1]), np.array([0, 0, 1]), np.arange(3))
    (one,) = holdouts(likes, 10, seed=0)
    assert [(user.history, user.target) for user in one.users] == [(("a",), "b")]
    assert one.likes.users.tolist() == [0]


def test_target_ranks_lose_ties_and_skip_what_is_absent():
    scores = np.array([[3.0, 2.0, 2.0, 1.0], [1.0, 1.0, 1.0, 1.0], [np.nan, 0.0, 5.0, 5.0]])
    assert target_ranks(scores, [1, 0, 1], [[], [1], [2]]).tolist() == [3, 3, 3]


# Weights


def test_rows_are_standardised_by_themselves():
    rows = np.array([[1.0, 2.0, 3.0], [5.0, 5.0, 5.0], [0.0, -np.inf, 2.0], [-np.inf] * 3])
    found = standardised_rows(rows)
    np.testing.assert_allclose(found[0], [-np.sqrt(1.5), 0, np.sqrt(1.5)])
    np.testing.assert_array_equal(found[[1, 3]], np.zeros((2, 3)))
    assert found[2, 1] == found[2, 0] < found[2, 2]
    assert standardised_rows(np.zeros((2, 0))).shape == (2, 0)


def test_items_with_few_likes_lean_on_what_needs_none():
    mix = RankerWeights(weights={"ease": 0.6, "bm25": 0.3, "hybrid": 0.1}, half_likes=4.0)
    likes = np.array([0, 4, 10**9])
    each = item_weights(mix, {"ease"}, likes)
    np.testing.assert_allclose(each["ease"], [0, 0.3, 0.6], atol=1e-6)
    np.testing.assert_allclose(each["bm25"], [0.75, 0.525, 0.3], atol=1e-6)
    np.testing.assert_allclose(sum(each.values()), np.ones(3))
    alone = RankerWeights(weights={"ease": 0.6, "als": 0.4}, half_likes=4.0)
    np.testing.assert_allclose(item_weights(alone, {"ease", "als"}, likes)["ease"], [0.6] * 3)
    assert label_of(mix) == "0.6 ease + 0.3 bm25 + 0.1 hybrid, half at 4 likes"


def test_one_ranker_alone_scores_as_it_does():
    scores = {"ease": np.array([[1.0, 5.0, 2.0]])}
    np.testing.assert_array_equal(weighted(scores, single("ease"), (), np.zeros(3, np.int64)), scores["ease"])


def scored(**by_name: np.ndarray) -> ScoredUsers:
    n, items = next(iter(by_name.values())).shape
    return ScoredUsers(by_name, [0] * n, [[]] * n, np.full(items, 5, np.int64), {"item_knn", "ease"})


def right(share: float, n: int = 100, seed: int = 0) -> np.ndarray:
    """Scores that put the target, item 0, first for this share of the users, and else last."""
    scores = np.random.default_rng(seed).random((n, 50))
    scores[:, 0] = np.where(np.arange(n) < share * n, 2.0, -1.0)
    return scores


def test_ties_go_to_the_simpler_and_a_real_difference_to_the_better():
    same = right(0.5)
    found = choose_weights(scored(popularity=same, item_knn=same, ease=same), single("bm25"))
    assert found.chosen == single("popularity") and found.cases == 100
    found = choose_weights(
        scored(popularity=right(0.1), item_knn=right(0.5), ease=right(0.9)), single("bm25")
    )
    assert found.chosen == single("ease")
    assert found.tried[0].ndcg_at_10 >= 0.9 and found.tried[0].interval[0] > 0.8


def test_below_thirty_users_nothing_is_chosen_however_clear_it_looks():
    few, enough = (
        choose_weights(scored(popularity=right(0.1, n=n), ease=right(0.9, n=n)), single("bm25"))
        for n in (29, 30)
    )
    assert few.chosen == single("bm25") and few.cases == 29 and not few.tried
    assert enough.chosen == single("ease") and enough.cases == 30


def test_two_that_know_different_things_are_fused():
    one, other = right(0.5), right(0.5)[::-1].copy()  # each knows one half of the users, and nothing else
    one[50:], other[:50] = 0.0, 0.0
    found = choose_weights(scored(bm25=one, ease=other), single("bm25"))
    assert set(found.chosen.weights) == {"bm25", "ease"}
    assert found.tried[0].ndcg_at_10 == pytest.approx(1.0)
    assert sum(found.chosen.weights.values()) == pytest.approx(1.0)


def test_what_is_right_for_some_and_far_off_for_the_others_does_not_rank_alone():
    noise = np.random.default_rng(0).random((100, 400))
    hit_or_miss, steady = noise.copy(), noise[:, ::-1].copy()
    hit_or_miss[:, 0] = np.where(np.arange(100) < 50, 2.0, 0.02)  # first, or near the end
    steady[:, 0] = 0.97  # always about the 12th, and so before 19 others drawn from 400 more often than not
    found = choose_weights(scored(bm25=hit_or_miss, ease=steady), single("bm25"))
    assert set(found.chosen.weights) == {"bm25", "ease"}
    alone = choose_weights(scored(bm25=hit_or_miss), single("bm25"))
    assert alone.chosen == single("bm25")


def test_what_a_user_has_is_not_among_the_others_that_the_target_is_told_from():
    n, items = 100, 50
    had = list(range(5, items))  # so that four others are left
    first_or_last, second = np.zeros((n, items)), np.full((n, items), 0.98)
    first_or_last[:, 0] = np.where(np.arange(n) < n // 2, 100.0, -100.0)
    second[:, :2] = 0.99, 1.0
    users = ScoredUsers(
        {"bm25": second, "ease": first_or_last}, [0] * n, [had] * n, np.full(items, 5, np.int64), {"ease"}
    )
    assert users.others.tolist() == [4] * n
    # Who is last of five comes before none of 19, who is second before all of them in .004 of the draws: half
    # of the users told for sure are more. Of 49 others it would be .2 and .68.
    assert choose_weights(users, single("hybrid")).chosen == single("ease")
    again = ScoredUsers(users.scores, [7] * n, [had] * n, users.likes, {"ease"})
    assert again.others.tolist() == [5] * n  # the target itself is among what they had


def test_of_parameters_that_do_alike_the_first_is_taken():
    assert best_parameters([np.array([0.5, 0.5]), np.array([0.5, 0.5])]) == 0
    assert best_parameters([np.zeros(50), np.ones(50), np.ones(50)]) == 1


# What was chosen, as a ranker


def test_what_was_chosen_ranks_by_the_length_of_the_history(tmp_path: Path):
    data = world(worded=False, blocks=True)
    chosen = ChosenRanker().fit_with(data, ChoiceOptions(RANKERS))
    ids = list(data.items)
    for history in ((), tuple(ids[:2]), tuple(ids[:7]), ("unknown",)):
        mix = chosen.weights_for(history)
        scores = {name: fit_ranker(name, data, chosen.choice.parameters.get(name)) for name in mix.weights}
        expected = weighted(
            {name: ranker.score_all([history]) for name, ranker in scores.items()},
            mix,
            {"popularity", "item_knn"},
            data.likes.counts,
        )
        np.testing.assert_allclose(chosen.score_all([history]), expected)
    assert [chosen.length_of(h) for h in ((), ("unknown",), ids[:1], ids[:5])] == ["0", "0", "1-4", "5+"]
    assert chosen.length_of([*ids[:2]] * 3) == "1-4"  # an item counts once
    # A new user of the first block is given what is left of it.
    assert {one.item_id for one in chosen.top([ids[:8]], 2)[0]} == {"i08", "i09"}
    parts = chosen.parts_of(ids[:7], ["i08", "i30"])
    assert [part.ranker for part in parts[0]] == list(chosen.weights_for(ids[:7]).weights)
    assert parts[0][0].standardised > parts[1][0].standardised
    chosen.save(tmp_path)
    again = ChosenRanker.load(tmp_path)
    assert again.choice == chosen.choice
    np.testing.assert_array_equal(again.score_all([ids[:7]]), chosen.score_all([ids[:7]]))


def test_queries_are_ranked_by_what_finds_what_was_asked_for():
    data = world(worded=True, blocks=True)
    asked = [
        AskedUser(tuple(list(data.items)[10 * block : 10 * block + 3]), f"x{block}{n}", f"i{block}{n}")
        for block in range(BLOCKS)
        for n in range(5, 10)
    ] * 2
    found = ChosenRanker().fit_with(data, ChoiceOptions(RANKERS, asked=asked))
    assert found.choice.queries.chosen == single("bm25") and found.choice.queries.cases == 40
    assert found.choice.queries.history_weight == 0.0  # the query alone finds it
    both = found.score_requests([(), asked[0].history], ["x37", ""])
    assert data.likes.item_ids[int(both[0].argmax())] == "i37"
    np.testing.assert_array_equal(both[1], found.score_all([asked[0].history])[0])

    def index(texts: object) -> np.ndarray:
        return np.zeros((len(texts), 40))  # type: ignore[arg-type]

    blind_index = ChosenRanker().fit_with(data, ChoiceOptions(RANKERS, asked=asked, search=index))
    assert blind_index.choice.queries.chosen == single("bm25")
    unasked = ChosenRanker().fit_with(data, ChoiceOptions(RANKERS, search=index))
    assert unasked.choice.queries.chosen == single("index") and not unasked.choice.queries.tried


def test_an_earlier_run_is_taken_over_and_only_what_changed_is_made_anew(tmp_path: Path):
    first, again, other = (FitCache(tmp_path) for _ in range(3))
    one = choose(world(worded=True, blocks=True), ChoiceOptions(RANKERS, cache=first))
    two = choose(world(worded=True, blocks=True), ChoiceOptions(RANKERS, cache=again))
    assert one.choice == two.choice
    assert first.reused == 0 and again.made == 0 and again.reused == first.made
    likes = block_likes(seed=2)
    choose(DomainData("d", block_items(True), lambda: likes, "blind"), ChoiceOptions(RANKERS, cache=other))
    assert other.reused == 1  # bm25 looks at texts alone
    for file in tmp_path.glob("*.npy"):
        file.write_bytes(b"damaged")
    for file in tmp_path.glob("*/ranker.json"):
        file.write_text("{}")
    mended = FitCache(tmp_path)
    assert choose(world(worded=True, blocks=True), ChoiceOptions(RANKERS, cache=mended)).choice == one.choice
    assert mended.reused == 0


def test_a_history_of_nothing_known_counts_nothing_beside_a_query():
    data = world(worded=True, blocks=True)
    popular = data.likes.item_ids[int(data.likes.counts.argmax())]
    asked = [AskedUser((), "nothing that is there", popular)] * 40
    queries = choose(data, ChoiceOptions(RANKERS, asked=asked)).choice.queries
    assert queries.cases == 40 and queries.history_weight == 0.0  # popularity would help, and is not asked
