"""The recommender of all tests of the server, fitted once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rectune.recommender.recommender import Recommender
from tests.dialogue.people import works
from tests.recommender.shelf import by_words
from tests.serving.world import Author, World, by_films, with_model, world


@pytest.fixture(scope="session")
def recommender(tmp_path_factory: pytest.TempPathFactory) -> Recommender:
    """Without a model."""
    return by_films(tmp_path_factory.mktemp("films"))


@pytest.fixture(scope="session")
def wordy(recommender: Recommender, tmp_path_factory: pytest.TempPathFactory) -> Recommender:
    """With a model."""
    return with_model(recommender, tmp_path_factory.mktemp("wordy"))


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Recommender:
    """Two hundred works of ten categories, ranked by BM25."""
    return by_words(tmp_path_factory.mktemp("works"), works())


@pytest.fixture
def server(recommender: Recommender, tmp_path: Path) -> Iterator[World]:
    """A server without a model, and without keys."""
    with world(recommender, tmp_path) as made:
        yield made


@pytest.fixture
def author() -> Author:
    """The engine of `writing`."""
    return Author()


@pytest.fixture
def writing(wordy: Recommender, author: Author, tmp_path: Path) -> Iterator[World]:
    """A server whose reasons a model words."""
    with world(wordy, tmp_path, author) as made:
        yield made
