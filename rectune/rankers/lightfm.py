"""LightFM: users and items as sums of the vectors of their features, under the WARP loss."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from rectune.core.errors import UserError
from rectune.core.extras import needs_extra
from rectune.core.progress import say
from rectune.core.rng import generator_of
from rectune.rankers.base import Attributes, CatalogueRanker, Scores
from rectune.rankers.domain_data import DomainData, TrainLikes
from rectune.rankers.liked_items import most_liked, positive
from rectune.rankers.saved import Arrays, SavedRanker, load_saved, save_ranker
from rectune.rankers.side_features import (
    FEATURE_KINDS,
    attribute_names,
    item_features,
    numbers_of,
    shared,
    user_features,
)

if TYPE_CHECKING:
    from rectune.rankers.warp import Bags, Embeddings

Places = NDArray[np.int64]
Vectors = NDArray[np.float32]

_AT_ONCE = 64  # histories that are scored together, so that memory is bounded


class LightFM(CatalogueRanker):
    """LightFM (Kula 2015, "Metadata embeddings for user and item cold-start recommendations") with WARP.

    A user is the mean of the vectors of liked items, an item its own vector and bias, and a score is the
    product of the two plus the bias. Users who are not in training are therefore scored at once, and a train
    user's history scores the same as the same of a new user. An empty history leaves the biases: roughly what
    is liked by many. An item that is twice in a history counts once.

    With `features` an item is its own vector plus the mean of those of its categories or facts, and a user
    the mean of liked items plus that of the stated attributes; only features are taken that two have.

    It is trained by WARP and adagrad, see `rectune.rankers.warp`; items that nobody liked take no part. Such
    an item has the mean vector and bias of the least liked items, and with features theirs are its own where
    any is known: so all of one description score alike. The result depends on the seed, and neither on the
    order of the catalogue nor on the numbers of the users.

    Args:
        learning_rate: above 0; of adagrad, whose squares start at 1.
        components: length of the vectors, at least 1.
        epochs: how often all likes are gone through, at least 1.
        features: which are learnt beside ids: `categories` and `facts` of items, `attributes` of users.
        seed: of the starting vectors and of all that is drawn; by default the data's.
    """

    name = "lightfm"
    learns_from_features = True
    grid = ({}, {"components": 16}, {"epochs": 30})

    def __init__(
        self,
        learning_rate: float = 0.05,
        components: int = 64,
        epochs: int = 100,
        features: Sequence[str] = (),
        seed: int | None = None,
    ) -> None:
        positive(learning_rate=learning_rate, components=components, epochs=epochs)
        if unknown := [kind for kind in features if kind not in FEATURE_KINDS]:
            raise UserError(f"there are no features {unknown[0]}", hint=f"name of {', '.join(FEATURE_KINDS)}")
        self.learning_rate, self.components, self.epochs = learning_rate, components, epochs
        self.features, self._given, self.seed = tuple(features), seed, seed or 0

    @needs_extra("the ranker lightfm")
    def fit(self, data: DomainData) -> Self:
        """Learns from the likes of train users; takes the seed of the data, unless it was given one.

        Raises:
            UserError: the vectors have grown beyond all bounds.
        """
        likes = data.likes
        self.seed = data.seed if self._given is None else self._given
        self.item_ids, self.covered = tuple(likes.item_ids), most_liked(likes)
        described = [item_features(data.items[item], self.features) for item in self.item_ids]
        known = shared([described[at] for at in self.covered])
        users = _train_users(likes, self.covered, "attributes" in self.features)
        self._attributes = shared(users.attributes)
        self._say_what_is_missing(known)
        rows = [numbers_of(row, known) for row in described]
        self._train(users, [rows[at] for at in self.covered], len(known))
        self._describe(likes.counts[self.covered], rows)
        if not all(np.isfinite(vectors).all() for vectors in (self._user_vectors, self._item_vectors)):
            raise UserError(
                f"LightFM's vectors overflow at a learning_rate of {self.learning_rate:g}",
                hint="give a lower one",
            )
        return self

    def _say_what_is_missing(self, known: Mapping[str, int]) -> None:
        kinds = [kind for kind in self.features if kind != "attributes"]
        if kinds and not known:
            say(f"  lightfm: no two items share {' or '.join(kinds)}, so that ids alone count")
        if "attributes" in self.features and not self._attributes:
            say("  lightfm: no two train users share attributes, so that likes alone count")

    def _train(self, users: _TrainUsers, described: Sequence[Places], features: int) -> None:
        """Learn the vectors of covered items and of their features, on the side of users and of items."""
        from rectune.rankers.warp import Side, train

        rng, liked = generator_of("lightfm", self.seed), len(self.covered)
        alone = [np.array([at], np.int64) for at in range(liked)]
        items = Side(_bags(alone, described, liked), self._start(rng, liked + features, 1))
        stated = [numbers_of(row, self._attributes) for row in users.attributes]
        bags = _bags(users.liked, stated, liked)
        people = Side(bags, self._start(rng, liked + len(self._attributes), 0))
        likes = _bags(users.liked, [], liked)
        state = rng.integers(1, 2**63, 1).astype(np.uint64)
        for _ in range(self.epochs if liked else 0):
            train(people, likes, items, self.learning_rate, state)
        self._user_vectors = people.embeddings.vectors
        self._item_vectors = items.embeddings.vectors

    def _start(self, rng: np.random.Generator, count: int, biases: int) -> Embeddings:
        """Vectors of small random numbers, and biases of 0."""
        from rectune.rankers.warp import Embeddings

        drawn = (rng.random((count, self.components), np.float32) - np.float32(0.5)) / self.components
        vectors = np.hstack([drawn, np.zeros((count, biases), np.float32)])
        return Embeddings(np.ascontiguousarray(vectors, np.float32), np.ones_like(vectors, np.float32))

    def _describe(self, counts: Places, described: Sequence[Places]) -> None:
        """Replace the vectors of items and features by those of whole items.

        `_item_vectors` is then [covered items, 1, unliked items with known features]: the one in the middle
        is of an unliked item without any. `_rows` [items] says which is whose.
        """
        liked, vectors = len(self.covered), self._item_vectors
        rows = np.full(len(self.item_ids), liked)
        rows[self.covered] = np.arange(liked)
        cold = [at for at in np.flatnonzero(rows == liked).tolist() if len(described[at])]
        rows[cold] = liked + 1 + np.arange(len(cold))
        content = np.zeros((liked + 1 + len(cold), vectors.shape[1]))
        for at, item in [*enumerate(self.covered.tolist()), *enumerate(cold, liked + 1)]:
            if len(described[item]):
                content[at] = vectors[liked + described[item]].mean(axis=0, dtype=np.float64)
        own = np.zeros_like(content)
        if liked:
            least = np.flatnonzero(counts == counts.min())
            own[:liked] = vectors[:liked]
            own[liked:] = vectors[least].mean(axis=0, dtype=np.float64)
            content[liked] = content[least].mean(axis=0)
        self._item_vectors, self._rows = (own + content).astype(np.float32), rows

    def score_all(self, histories: Sequence[Sequence[str]]) -> Scores:
        """See `Ranker.score_all`."""
        return self.score_users(histories, [{}] * len(histories))

    @property
    def attributes_known(self) -> frozenset[str]:
        """See `Ranker.attributes_known`: what at least two train users stated."""
        return frozenset(self._attributes)

    def score_users(self, histories: Sequence[Sequence[str]], attributes: Sequence[Attributes]) -> Scores:
        """See `Ranker.score_users`. Names are those of the training data; what is not known there adds
        nothing. Where `features` has no `attributes`, histories alone count.
        """
        found = np.empty((len(histories), len(self.item_ids)))
        for start in range(0, len(histories), _AT_ONCE):
            some = slice(start, start + _AT_ONCE)
            users = self._users(histories[some], attributes[some])
            scores = users @ self._item_vectors[:, :-1].T + self._item_vectors[:, -1]
            found[some] = scores[:, self._rows]
        return found

    def _users(self, histories: Sequence[Sequence[str]], attributes: Sequence[Attributes]) -> Vectors:
        """[histories, components]."""
        liked = self.counts_in(histories)[:, self.covered]
        liked.data[:] = 1.0
        counts = np.maximum(np.diff(liked.indptr), 1).astype(np.float32)
        users: Vectors = (liked @ self._user_vectors[: len(self.covered)]) / counts[:, None]
        for at, stated in enumerate(attributes):
            if len(own := numbers_of(attribute_names(stated), self._attributes)):
                users[at] += self._user_vectors[len(self.covered) + own].mean(axis=0)
        return users

    def save(self, folder: Path) -> None:
        """See `Ranker.save`."""
        names = ("learning_rate", "components", "epochs", "features", "seed")
        parameters = {name: getattr(self, name) for name in names} | {"attributes": list(self._attributes)}
        arrays: Arrays = {
            "users": self._user_vectors, "items": self._item_vectors, "rows": self._rows,
            "covered": self.covered,
        }  # fmt: skip
        save_ranker(folder, SavedRanker(self.name, {"item_id": self.item_ids}, parameters, arrays))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """See `Ranker.load`."""
        saved = load_saved(folder, cls.name)
        parameters: dict[str, Any] = dict(saved.parameters)
        attributes = parameters.pop("attributes")
        ranker = cls(**parameters)
        ranker._attributes = {name: at for at, name in enumerate(attributes)}
        ranker.item_ids, ranker.covered = tuple(saved.items["item_id"]), saved.arrays["covered"]
        ranker._user_vectors, ranker._item_vectors = saved.arrays["users"], saved.arrays["items"]
        ranker._rows = saved.arrays["rows"]
        return ranker


class LightFMAttributes(LightFM):
    """LightFM that learns from what users state (sex, age by tens, occupation) beside ids.

    It ranks for somebody who states something and has liked nothing yet; a service that hands no attributes
    to rankers gets what histories alone tell. The arguments are those of `LightFM`.
    """

    name = "lightfm_attributes"

    def __init__(self, features: Sequence[str] = ("attributes",), **others: Any) -> None:
        super().__init__(features=features, **others)


class _TrainUsers(NamedTuple):
    """Train users in an order that does not depend on their numbers.

    Attributes:
        liked: [users] the places of the liked items among the covered ones, ascending.
        attributes: [users] the names of what each states.
    """

    liked: list[Places]
    attributes: list[list[str]]


def _train_users(likes: TrainLikes, covered: Places, stated: bool) -> _TrainUsers:
    matrix = likes.matrix[:, covered].tocsr()
    matrix.sort_indices()
    liked = np.split(matrix.indices.astype(np.int64), matrix.indptr[1:-1]) if matrix.shape[0] else []
    attributes = [
        likes.attributes.get(user, "") if stated else "" for user in np.unique(likes.users).tolist()
    ]
    names = [user_features(text) for text in attributes]
    keys = [
        hashlib.blake2b(row.tobytes() + "\n".join(some).encode()).digest()
        for row, some in zip(liked, names, strict=True)
    ]
    order = sorted(range(len(keys)), key=keys.__getitem__)
    return _TrainUsers([liked[at] for at in order], [names[at] for at in order])


def _bags(rows: Sequence[Places], further: Sequence[Places], after: int) -> Bags:
    """Rows of features that weigh 1 together, and of further ones, from `after` on, that weigh 1 together."""
    from rectune.rankers.warp import Bags

    nothing = [np.zeros(0, np.int64)]
    pairs = zip(rows, further or nothing * len(rows), strict=True)
    parts = [part for row, more in pairs for part in (row, more + after)]
    sizes = np.array([len(part) for part in parts], np.int64)
    starts = np.concatenate([[0], np.cumsum(sizes)])[::2]
    weights = np.repeat(1.0 / np.maximum(sizes, 1), sizes).astype(np.float32)
    return Bags(starts, np.concatenate([*nothing, *parts]), weights)
