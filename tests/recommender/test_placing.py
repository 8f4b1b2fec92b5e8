"""Places for unfamiliar items, and limits per value: by hand, and for any ranking."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rectune.core.errors import UserError
from rectune.core.item_values import checked_property, is_maker, values_of
from rectune.core.types import Item
from rectune.rankers.base import ScoredItem
from rectune.recommender.options import RecommendOptions
from rectune.recommender.placing import Places, RankedItems, placed


def film(item_id: str, category: str, maker: str, year: int | None = None) -> Item:
    categories = tuple(category.split("|")) if category else ()
    return Item("movies", item_id, item_id, categories, "", year, (f"director: {maker}",) if maker else ())


FILMS = [
    film("a", "Space", "Ann"), film("b", "Space|War", "Ann"), film("c", "War", "Bob"),
    film("d", "Crime", "Ann"), film("e", "Crime", "Cay, Dan"), film("f", "", ""), film("g", "Music", "Dan"),
]  # fmt: skip
ITEMS = {item.item_id: item for item in FILMS}


def ranking(order: str, least: float = 0.0) -> RankedItems:
    """The items in this order, with scores from their number down to 1."""
    return RankedItems([ScoredItem(one, float(len(order) - at)) for at, one in enumerate(order)], least)


def ids(places: Places) -> str:
    return "".join(one.item_id for one in places.items)


def test_without_wishes_the_best_get_the_places():
    found = placed(ranking("abcdefg"), ITEMS, [ITEMS["a"]], RecommendOptions(3))
    assert ids(found) == "abc" and not found.explored


def test_places_go_to_what_shares_neither_category_nor_maker_with_the_history():
    options = RecommendOptions(4, explore=0.5)
    found = placed(ranking("bcdefg"), ITEMS, [ITEMS["a"]], options)
    # c, e and g are unfamiliar; d is by Ann, b too; of f nothing is known.
    assert ids(found) == "bcde" and found.explored == {"c", "e"}
    later = placed(ranking("bdfgec"), ITEMS, [ITEMS["a"]], options)
    assert ids(later) == "bdge" and later.explored == {"g", "e"}


def test_an_unfamiliar_item_gets_a_place_only_above_the_threshold():
    found = placed(ranking("bdfgec", least=2.5), ITEMS, [ITEMS["a"]], RecommendOptions(4, explore=0.5))
    assert ids(found) == "bdfg" and found.explored == {"g"}
    assert not placed(ranking("bdfgec"), ITEMS, [], RecommendOptions(4, explore=1.0)).explored


def test_at_most_so_many_of_one_value():
    by_maker = RecommendOptions(4, at_most=1, per="maker")
    assert ids(placed(ranking("abcdefg"), ITEMS, [], by_maker)) == "acef"  # g is by Dan as e is
    two = RecommendOptions(4, at_most=1, per="category")
    assert ids(placed(ranking("abcdefg"), ITEMS, [], two)) == "acdf"  # b is of space and war


@given(
    order=st.permutations(sorted(ITEMS)),
    history=st.sets(st.sampled_from(sorted(ITEMS)), max_size=3),
    k=st.integers(1, 7),
    explore=st.floats(0, 1),
    limit=st.sampled_from([(0, ""), (1, "maker"), (2, "maker"), (1, "category"), (1, "director")]),
    least=st.floats(0, 7),
)
def test_whatever_ranks_places_are_kept_to(order, history, k, explore, limit, least):
    liked = [ITEMS[item] for item in sorted(history)]
    ranked = ranking("".join(one for one in order if one not in history), least)
    options = RecommendOptions(k, explore=explore, at_most=limit[0], per=limit[1])
    found = placed(ranked, ITEMS, liked, options)
    assert len(found.items) <= k and len({one.item_id for one in found.items}) == len(found.items)
    assert [one.score for one in found.items] == sorted((one.score for one in found.items), reverse=True)
    assert len(found.explored) <= options.explored and found.explored <= {one.item_id for one in found.items}
    known = {value for item in liked for name in ("category", "maker") for value in values_of(item, name)}
    for item in found.explored:
        own = values_of(ITEMS[item], "category") | values_of(ITEMS[item], "maker")
        assert own and not own & known
        assert next(one.score for one in found.items if one.item_id == item) > least
    if options.at_most:
        values = Counter(v for one in found.items for v in values_of(ITEMS[one.item_id], options.per))
        assert all(count <= options.at_most for count in values.values())
    else:
        assert len(found.items) == min(k, len(ranked.items))


def test_makers_have_many_names():
    named = ("Director", "directors", "artist", "studios", "감독", "brand")
    assert all(map(is_maker, named)) and not is_maker("price")
    assert values_of(film("x", "", "Cay, Dan"), "maker") == {"cay", "dan"}
    assert values_of(film("x", "", "", 1999), "year") == {"1999"}
    assert checked_property(FILMS, "director") == "director"
    assert (
        values_of(film("x", "", "Cay"), "Directors") == {"cay"} == values_of(film("x", "", "Cay"), "director")
    )
    with pytest.raises(UserError, match="no item has a colour") as refused:
        checked_property(FILMS, "colour")
    assert refused.value.hint == "there are: category, maker, director"


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        ({"explore": 1.5}, "explore is 1.5"),
        ({"at_most": 2}, r"at most 2 per \?"),
        ({"per": "maker"}, "at most 0 per maker"),
        ({"at_most": -1, "per": "maker"}, "at most -1 per maker"),
        ({"within": "abc"}, "within is one text"),
    ],
)
def test_wishes_that_cannot_be_are_refused(given_, said: str):
    with pytest.raises(UserError, match=said) as refused:
        RecommendOptions(**given_)
    assert refused.value.hint


def test_a_share_of_the_places_is_rounded():
    shares = [(5, 0.2, 1), (5, 0.5, 3), (5, 0.09, 0), (5, 0.1, 1), (3, 1.0, 3), (1, 0.49, 0)]
    assert all(RecommendOptions(k, explore=share).explored == places for k, share, places in shares)
