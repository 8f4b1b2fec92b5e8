"""The catalogue that is served now. Another takes its place at once; who has begun with one ends with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import astuple, dataclass, field, replace
from functools import cached_property
from threading import Lock

from rectune.core.item_values import categories_of
from rectune.core.types import Item, content_id
from rectune.dialogue.traits import CatalogueTraits
from rectune.rankers.base import Ranker
from rectune.recommender.picks import ItemPicks
from rectune.recommender.recommender import Recommender
from rectune.serving.comparison import ranked_by
from rectune.serving.pickers import TitlePicker
from rectune.serving.store import users


@dataclass(frozen=True)
class ServedCatalogue:
    """A catalogue, ready to be asked.

    Attributes:
        recommender: of its items.
        plain: the same without a language model.
        picker: finds its items by their titles.
        picks: chooses the items that somebody new is asked about.
        traits: what its items are like, for the personas of its users.
        version: of the store whose items are in it; 0 where the store has none.
        second: the same catalogue ranked by another ranker, where two are compared.
        images: item id -> what names its picture; see `rectune.serving.pictures`.
    """

    recommender: Recommender
    plain: Recommender
    picker: TitlePicker
    picks: ItemPicks
    traits: CatalogueTraits
    version: int
    second: ServedCatalogue | None = None
    images: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls, recommender: Recommender, version: int, compared: Ranker | None = None,
        images: Mapping[str, str] | None = None,
    ) -> ServedCatalogue:  # fmt: skip
        """The catalogue of a recommender; `compared` is a second ranker of its items."""
        titles, picks = TitlePicker(recommender.items), ItemPicks.of(recommender)
        traits = CatalogueTraits.of(recommender.items)
        made = cls(recommender, _plain(recommender), titles, picks, traits, version, images=images or {})
        if compared is None:
            return made
        other = ranked_by(recommender, compared)
        return replace(made, second=replace(made, recommender=other, plain=_plain(other)))

    def of_arm(self, arm: str) -> ServedCatalogue:
        """The same ranked by the ranker of this name where that is the second one, else itself."""
        ranker = self.second.recommender.ranker if self.second else None
        return self.second if self.second and ranker and ranker.name == arm else self

    @cached_property
    def digest(self) -> str:
        """A hash of its items: another one has other items, or says something else of one."""
        return content_id("catalogue", [astuple(item) for item in self.items.values()])

    @cached_property
    def frequent_categories(self) -> tuple[str, ...]:
        """The categories of its items, what most items have first; those too long to be a taste are not."""
        names = (name for item in self.items.values() for name in categories_of(item).values())
        counts = Counter(name for name in names if len(name) <= users.MAX_WORDS)
        return tuple(sorted(counts, key=lambda name: (-counts[name], name)))

    @cached_property
    def decades(self) -> tuple[int, ...]:
        """The decades of which it has items, as 1990, the latest first."""
        years = (item.year for item in self.items.values() if item.year is not None)
        return tuple(sorted({year // 10 * 10 for year in years}, reverse=True))

    @property
    def items(self) -> Mapping[str, Item]:
        """The items, by id."""
        return self.recommender.items


def _plain(recommender: Recommender) -> Recommender:
    """The same without a language model."""
    plain = copy(recommender)
    plain.generative = plain.model_ranking = None
    plain.__dict__.pop("rank_by", None)
    return plain


class LiveCatalogue:
    """What is served, and what was deleted since it was made. Any thread may use it.

    Args:
        recommender: of the catalogue that was read when the server started.
        compared: a second ranker of its items; see `rectune.serving.comparison`.
        images: what names the pictures of its items, by item id.
    """

    def __init__(
        self, recommender: Recommender, compared: Ranker | None = None,
        images: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        self.base, self.compared, self.base_images = recommender, compared, images or {}
        self._current = ServedCatalogue.of(recommender, 0, compared, images)
        self._deleted: dict[str, int] = {}
        self._lock = Lock()

    @property
    def current(self) -> ServedCatalogue:
        """What is served."""
        return self._current

    def snapshot(self) -> tuple[ServedCatalogue, frozenset[str]]:
        """What is served, and ids in it that were deleted since; a request asks once, and stays with it."""
        with self._lock:
            return self._current, frozenset(self._deleted)

    def hide(self, item_id: str, version: int) -> None:
        """This item was deleted by this version of the store: from now on it is in no answer."""
        with self._lock:
            if version > self._current.version:
                self._deleted[item_id] = version

    def show(self, item_ids: Iterable[str], version: int) -> None:
        """These items are there in this version of the store: what deleted them before counts no more."""
        with self._lock:
            for item_id in item_ids:
                if self._deleted.get(item_id, version) < version:
                    del self._deleted[item_id]

    def swap(
        self, recommender: Recommender, version: int, compared: Ranker | None = None,
        images: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        """Serve another catalogue from now on: with what the store had in this version."""
        made = ServedCatalogue.of(recommender, version, compared, images)
        with self._lock:
            self._current = made
            self._deleted = {item: at for item, at in self._deleted.items() if at > version}
