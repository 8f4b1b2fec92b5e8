"""The data of one domain for rankers: its items, the likes of train users, vectors of the items."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rectune.core.tables import read_table
from rectune.core.types import Case, Item
from rectune.retrieval.embedding import EMBEDDED, Vectors, dimension, embed, title_and_categories
from rectune.retrieval.terms import terms_of

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Codes = NDArray[np.int64]


@dataclass(frozen=True)
class TrainLikes:
    """Likes of train users, each pair of user and item once; those of a user that have the same time, or
    none, are in the order of the file.

    Attributes:
        item_ids: the items of the domain.
        users: [likes] numbers of the users, of any range.
        items: [likes] places in `item_ids`.
        times: [likes] in milliseconds since 1970; None where none are known.
        user_ids: the ids of the users, in any order; None where these are not known.
        attributes: what users state, a JSON object as text, by their number; of those who state something.
    """

    item_ids: tuple[str, ...]
    users: Codes
    items: Codes
    times: Codes | None = None
    user_ids: tuple[str, ...] | None = None
    attributes: Mapping[int, str] = field(default_factory=dict)

    @cached_property
    def counts(self) -> Codes:
        """[len(item_ids)] how many train users liked each item."""
        return np.bincount(self.items, minlength=len(self.item_ids))

    @cached_property
    def matrix(self) -> csr_array:
        """[users who liked something, items] 1.0 where a user liked an item, float32."""
        from scipy.sparse import csr_array

        found, rows = np.unique(self.users, return_inverse=True)
        ones = np.ones(len(rows), np.float32)
        return csr_array((ones, (rows, self.items)), shape=(len(found), len(self.item_ids)))

    @cached_property
    def place(self) -> dict[str, int]:
        """Item id -> its place."""
        return {item_id: at for at, item_id in enumerate(self.item_ids)}


class DomainData:
    """Items of one domain, with likes and vectors that are computed on first use.

    Args:
        domain: the domain.
        items: all its items.
        likes: called once, by the first ranker that uses interactions.
        embedder: a name as in `rectune.retrieval.embedding`.
        seed: of rankers that draw.
    """

    def __init__(
        self,
        domain: str,
        items: Sequence[Item],
        likes: Callable[[], TrainLikes] | None = None,
        embedder: str = EMBEDDED,
        seed: int = 0,
    ) -> None:
        self.domain, self.embedder, self.seed = domain, embedder, seed
        self.items: Mapping[str, Item] = {item.item_id: item for item in items}
        self._likes = likes
        self._vectors = _ItemVectors(list(self.items), self.text, embedder)
        self._of_texts = dict[str, Vectors]()
        self._full_vectors = _ItemVectors(list(self.items), self.full_text, embedder)
        self._terms = list[list[str]]()

    @cached_property
    def likes(self) -> TrainLikes:
        """The likes of train users; empty where no interactions were given."""
        if self._likes:
            return self._likes()
        nothing = np.zeros(0, np.int64)
        return TrainLikes(tuple(self.items), nothing, nothing)

    def with_likes(self, likes: TrainLikes) -> DomainData:
        """The same items, and their vectors, with other likes."""
        other = DomainData(self.domain, list(self.items.values()), lambda: likes, self.embedder, self.seed)
        other._vectors, other._full_vectors, other._terms = self._vectors, self._full_vectors, self._terms
        other._of_texts = self._of_texts
        return other

    def with_items(self, items: Sequence[Item]) -> DomainData:
        """Other items, without likes; the vectors of those whose text is here already are taken over."""
        other = DomainData(self.domain, items, None, self.embedder, self.seed)
        kept = [
            item_id
            for item_id in other.items
            if item_id in self.items and other.text(item_id) == self.text(item_id)
        ]
        other._vectors.take(kept, self._vectors)
        return other

    @cached_property
    def titles(self) -> dict[str, str]:
        """Item id -> title."""
        return {item_id: item.title for item_id, item in self.items.items()}

    def text(self, item_id: str) -> str:
        """Title and categories, the text for BM25 and embeddings."""
        item = self.items[item_id]
        return title_and_categories(item.title, item.categories)

    def full_text(self, item_id: str) -> str:
        """Title, categories, stated facts and description; what comes last is cut off if it is too long.

        The same as `text` for an item without facts and description.
        """
        item = self.items[item_id]
        return ". ".join(filter(None, (self.text(item_id), ", ".join(item.stated), item.description)))

    @property
    def terms(self) -> Sequence[Sequence[str]]:
        """What each item is found by, see `rectune.retrieval.terms`; split once."""
        if not self._terms:
            self._terms += terms_of(map(self.text, self.items))
        return self._terms

    def vectors(self, item_ids: Sequence[str]) -> Vectors:
        """[len(item_ids), d] unit rows; each item is embedded once."""
        return self._vectors.of(item_ids)

    def vectors_of(self, texts: Mapping[str, str]) -> Vectors:
        """[len(texts), d] the same by other texts of the items, given by item id; each text is embedded once.

        Where it is the text of `text`, the vector is that of `vectors`.
        """
        others = {item_id: text for item_id, text in texts.items() if text != self.text(item_id)}
        if new := sorted(set(others.values()) - self._of_texts.keys()):
            self._of_texts.update(zip(new, embed(new, self.embedder), strict=True))
        found = np.zeros((len(texts), dimension(self.embedder)), np.float32)
        if same := [at for at, item_id in enumerate(texts) if item_id not in others]:
            found[same] = self.vectors([item_id for item_id in texts if item_id not in others])
        for at, item_id in enumerate(texts):
            if item_id in others:
                found[at] = self._of_texts[others[item_id]]
        return found

    def all_vectors(self) -> Vectors:
        """[items, d] unit rows of all items, in their order; not a copy."""
        return self._vectors.all()

    def full_vectors(self) -> Vectors:
        """[items, d] unit rows of the full texts of all items, in their order; not a copy."""
        same = [item_id for item_id in self.items if self.full_text(item_id) == self.text(item_id)]
        self._vectors.embed(same)
        self._full_vectors.take(same, self._vectors)
        return self._full_vectors.all()

    def embed(self, item_ids: Iterable[str]) -> None:
        """Embed those of these items that are not embedded yet, all at once."""
        self._vectors.embed(item_ids)

    @cached_property
    def place(self) -> dict[str, int]:
        """Item id -> its place among the items."""
        return {item_id: at for at, item_id in enumerate(self.items)}


class _ItemVectors:
    """The vectors of items, which are made when they are first asked for."""

    def __init__(self, item_ids: Sequence[str], text: Callable[[str], str], embedder: str) -> None:
        self._text, self._embedder = text, embedder
        self._row = {item_id: at for at, item_id in enumerate(item_ids)}
        self._embedded = np.zeros(len(self._row), np.bool_)
        self._rows: Vectors = np.zeros((len(self._row), 0), np.float32)

    def of(self, item_ids: Sequence[str]) -> Vectors:
        """See `DomainData.vectors`."""
        self.embed(item_ids)
        return self._rows[[self._row[item_id] for item_id in item_ids]]

    def all(self) -> Vectors:
        """See `DomainData.all_vectors`."""
        self.embed(self._row)
        return self._rows

    def take(self, item_ids: Iterable[str], source: _ItemVectors) -> None:
        """Take over the vectors of these items, as far as the other has them."""
        there = [item_id for item_id in item_ids if source._embedded[source._row[item_id]]]
        if there:
            self._put(there, source.of(there))

    def embed(self, item_ids: Iterable[str]) -> None:
        """See `DomainData.embed`."""
        new = sorted(item_id for item_id in set(item_ids) if not self._embedded[self._row[item_id]])
        if not new:
            return
        self._put(new, embed([self._text(item_id) for item_id in new], self._embedder))

    def _put(self, item_ids: Sequence[str], vectors: Vectors) -> None:
        if not self._embedded.any():
            self._rows = np.zeros((len(self._row), vectors.shape[1]), np.float32)
        places = [self._row[item_id] for item_id in item_ids]
        self._rows[places] = vectors
        self._embedded[places] = True


def train_likes(data: Path, cases: Sequence[Case], domain: str) -> TrainLikes:
    """The likes of a domain's train users.

    A user counts as train unless a case of another split is theirs, so that no test user's target is counted.

    Args:
        data: the folder with items.parquet, users.parquet and interactions.parquet.
        cases: the cases of all splits.
        domain: whose likes.
    """
    import polars as pl

    own = pl.col("domain") == domain
    items = read_table(data / "items.parquet").filter(own).select("item", "item_id").sort("item")
    users = read_table(data / "users.parquet").filter(own).select("user", "user_id", "attributes")
    held_out = sorted({case.user for case in cases if case.domain == domain and case.split != "train"})
    absent = users.filter(pl.col("user_id").is_in(held_out))["user"]
    liked = (
        pl.scan_parquet(data / "interactions.parquet")
        .filter(own & pl.col("liked") & ~pl.col("user").is_in(absent.implode()))
        .select(pl.col("user", "item").cast(pl.Int64), "timestamp")
        .unique(["user", "item"], keep="first", maintain_order=True)
        .collect(engine="streaming")
    )
    places = np.zeros(int(items["item"].max() or 0) + 1, np.int64)  # type: ignore[arg-type]
    places[items["item"].to_numpy()] = np.arange(items.height)
    times = None if liked["timestamp"].null_count() else liked["timestamp"].cast(pl.Int64).to_numpy()
    people = users.filter(pl.col("user").is_in(liked["user"].unique().implode()))["user_id"]
    stating = users.filter((pl.col("attributes") != "{}") & pl.col("user").is_in(liked["user"].implode()))
    return TrainLikes(
        tuple(items["item_id"]),
        liked["user"].to_numpy(),
        places[liked["item"].to_numpy()],
        times,
        tuple(people),
        dict(stating.select("user", "attributes").iter_rows()),
    )
