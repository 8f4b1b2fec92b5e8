"""A small Korean shop: what is asked for comes first, and what the shop lacks is said to be lacking."""

from pathlib import Path

import pytest

from rectune.prompts.locale_words import load_words
from rectune.readers.catalogue import CatalogueOptions
from rectune.recommender.options import RecommendOptions
from rectune.recommender.ranked_formatting import ranked_text
from rectune.recommender.recommender import Recommender

pytest.importorskip("kiwipiepy")

SHOP = Path(__file__).parents[1] / "retrieval/fits/korean_shop.csv"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Recommender:
    options = CatalogueOptions("goods", facts=("가격",))
    folder = tmp_path_factory.mktemp("shop")
    return Recommender.from_catalogue(SHOP, model=None, options=options, folder=folder, runs=folder)


def test_the_keyboard_comes_before_the_headset_of_a_quiet_office(shop: Recommender):
    found = shop.recommend(query="조용한 사무실용 키보드", k=3)
    assert found.fits and "키보드" in found[0].title
    headset = next(one for one in found if "헤드셋" in one.title)
    assert headset.evidence and headset.evidence.words[:2] == ("조용한", "사무실")


@pytest.mark.parametrize("query", ["우산", "조용한 세탁기", "남자 겨울 코트"])
def test_what_the_shop_lacks_is_said_in_the_language_of_the_request(shop: Recommender, query: str):
    found = shop.recommend(query=query, k=2)
    told = ranked_text(found, RecommendOptions(2))
    assert not found.fits and found.by_words
    assert told.startswith("이 목록에는 맞는 것이 없어요.")
    assert "item" not in told and "Nothing" not in told


def test_prices_are_parted_in_reasons(shop: Recommender):
    found = shop.recommend(query="저소음 사무용 키보드", k=1)
    assert "가격은 39,000이에요." in found[0].reason


def test_the_sentences_around_answers_are_there_in_both_languages():
    korean, english = (load_words(locale, "answers.{locale}.yaml") for locale in ("ko", "en"))
    assert korean.keys() == english.keys()
