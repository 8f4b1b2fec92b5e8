"""Recommenders of the small shelves, and a chat on each."""

import pytest

from rectune.recommender.recommender import Recommender
from tests.dialogue.chats import Chat
from tests.dialogue.films import items_of, shelf
from tests.recommender.shelf import RETRIEVAL
from tests.retrieval import letters  # noqa: F401


@pytest.fixture(scope="module")
def recommenders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Recommender]:
    return {
        locale: Recommender.from_catalogue(
            items_of(locale), model=None, ranker="bm25", retrieval=RETRIEVAL,
            folder=tmp_path_factory.mktemp(locale),
        )
        for locale in ("en", "ko")
    }  # fmt: skip


@pytest.fixture
def english(recommenders: dict[str, Recommender]) -> Chat:
    return Chat(recommenders["en"], shelf("en"))


@pytest.fixture
def korean(recommenders: dict[str, Recommender]) -> Chat:
    return Chat(recommenders["ko"], shelf("ko"))
