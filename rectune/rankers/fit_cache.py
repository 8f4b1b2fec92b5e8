"""Fitted rankers and validated scores of earlier runs, found by what they are made of."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from functools import cached_property
from inspect import Parameter, signature
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rectune.core.errors import UserError
from rectune.core.progress import say
from rectune.core.text.morphemes import segmenter
from rectune.core.types import content_id
from rectune.models.distributed import is_first
from rectune.rankers.base import RANKERS, Ranker, fit_ranker, ranker_class
from rectune.rankers.domain_data import DomainData, TrainLikes
from rectune.rankers.latest_fit import LatestFit, digests
from rectune.rankers.saved import is_saved
from rectune.retrieval.embedding import embedder_identity

_VERSION = 3  # raised when rankers are fitted in another way


class FittedData:
    """A domain's data, and what identifies it."""

    def __init__(self, data: DomainData) -> None:
        self.data = data

    def identity(self, name: str) -> str:
        """Of what a ranker of this name is made of: likes, texts, features, or all (as those of your own)."""
        known = ranker_class(name) if name in RANKERS else None
        texts = self._texts if known is None or not known.learns_from_likes else ""
        texts = self._full_texts if known and known.learns_from_texts else texts
        likes = self._likes if known is None or known.learns_from_likes else ""
        features = self._features if known is None or known.learns_from_features else ""
        domain = [self.data.domain] if known and known.costly else []  # these keep whose items they know
        return content_id(_VERSION, name, texts, likes, features, self.data.seed, *domain)

    @cached_property
    def _texts(self) -> str:
        rows = "\n".join(f"{item}\t{self.data.text(item)}" for item in self.data.items)
        return content_id(_hash(rows.encode()), embedder_identity(self.data.embedder), segmenter())

    @cached_property
    def _full_texts(self) -> str:
        rows = json.dumps([(item, self.data.full_text(item)) for item in self.data.items])
        return content_id(_hash(rows.encode()), embedder_identity(self.data.embedder))

    @cached_property
    def _features(self) -> str:
        items = [[item, *about.categories, *about.stated] for item, about in self.data.items.items()]
        return content_id(items, sorted(self.data.likes.attributes.items()))

    @cached_property
    def _likes(self) -> str:
        likes: TrainLikes = self.data.likes
        times = b"" if likes.times is None else likes.times.tobytes()
        return _hash("\n".join(likes.item_ids).encode(), likes.users.tobytes(), likes.items.tobytes(), times)


class FitCache:
    """Keeps what was fitted and validated in a folder; without one, nothing is kept.

    A ranker that is not in `RANKERS` is made anew each time: its code may be another one than before.

    Attributes:
        reused, made: how often something was there, or had to be made.
        warm_started: the names of the final rankers whose training started from an earlier one.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self.reused = self.made = 0
        self.warm_started: list[str] = []
        self._final: dict[Path, Path] = {}

    def ranker(self, name: str, parameters: Mapping[str, Any], data: FittedData) -> Ranker:
        """The ranker of this name, fitted on this data, now or in an earlier run."""
        if self._folder is None:
            self.made += 1
            return fit_ranker(name, data.data, parameters)
        return self._ranker_at(self._place(name, parameters, data), name, parameters, data)

    def final_ranker(
        self, name: str, parameters: Mapping[str, Any], data: FittedData, warm_start: bool = False
    ) -> Ranker:
        """The same for all likes of a domain; a costly one is noted as the latest of its kind.

        Args:
            name, parameters, data: as for `ranker`.
            warm_start: whether a costly one starts from the latest of its kind, if that has seen likes of
                nobody but the users who are trained on now.
        """
        if self._folder is None or name not in RANKERS or not ranker_class(name).costly:
            return self.ranker(name, parameters, data)
        identity, users = data.identity(name), data.data.likes.user_ids
        given = all_arguments(name, parameters)
        file = self._folder / f"{content_id('latest', name, given, data.data.domain)}.latest.json"
        latest, start = LatestFit.read(file), None
        place = plain = self._place(name, parameters, data)
        if warm_start and latest and latest.made_of == identity:
            place = self._folder / latest.ranker
        elif warm_start and latest and users is not None and not latest.knows_only(users):
            say(f"  {name}: begins anew; the earlier one knew people who are not trained on now")
        elif warm_start and latest and users is not None:
            start = self._loaded(name, self._folder / latest.ranker)
            if start is not None:
                place = self._folder / content_id("ranker", plain.name, "from", latest.ranker)
        if place != plain:
            self.warm_started.append(name)
            self._final[plain] = place
        found = self._ranker_at(place, name, parameters, data, start)
        if users is not None:
            LatestFit(place.name, identity, digests(users)).write(file)
        return found

    def _ranker_at(
        self,
        place: Path,
        name: str,
        parameters: Mapping[str, Any],
        data: FittedData,
        start: Ranker | None = None,
    ) -> Ranker:
        """The ranker that is there, else one that is fitted and saved there."""
        if name in RANKERS and (there := self._loaded(name, place)):
            self.reused += 1
            return there
        shutil.rmtree(place, ignore_errors=True)
        self.made += 1

        def prepare(ranker: Ranker) -> None:
            if ranker.costly:
                ranker.checkpoint, ranker.start = place.with_suffix(".checkpoint"), start

        fitted = fit_ranker(name, data.data, parameters, prepare)
        fitted.save(place)
        return fitted

    @staticmethod
    def _loaded(name: str, place: Path) -> Ranker | None:
        try:
            return ranker_class(name).load(place)
        except UserError:  # not there, or damaged
            return None

    def holds(self, name: str, parameters: Mapping[str, Any], data: FittedData) -> bool:
        """Whether this ranker was fitted on this data in an earlier run."""
        return self._folder is not None and name in RANKERS and is_saved(self._place(name, parameters, data))

    def kept(self, of: str, make: Callable[[Path], Ranker], kind: type[Ranker]) -> Ranker:
        """A ranker that is made of other fitted ones: the one of this name, or the one that is made now.

        Args:
            of: a hash of all that it is made of.
            make: makes it; is given the file for its checkpoint.
            kind: its class.
        """
        assert self._folder is not None  # only what keeps rankers is asked
        place = self._folder / content_id("ranker", _VERSION, kind.name, of)
        if there := self._loaded(kind.name, place):
            self.reused += 1
            return there
        self.made += 1
        found = make(place.with_suffix(".checkpoint"))
        if is_first():
            shutil.rmtree(place, ignore_errors=True)
            found.save(place)
        return found

    def write(self, name: str, parameters: Mapping[str, Any], data: FittedData, folder: Path) -> None:
        """Put a ranker that was asked for into another folder, by hard links where the disk has them."""
        place = self._place(name, parameters, data)
        place = self._final.get(place, place)
        shutil.rmtree(folder, ignore_errors=True)
        copy_linked(place, folder)

    def _place(self, name: str, parameters: Mapping[str, Any], data: FittedData) -> Path:
        assert self._folder is not None  # only what keeps rankers is asked
        return self._folder / content_id("ranker", data.identity(name), all_arguments(name, parameters))

    def ranks(
        self,
        name: str,
        parameters: Mapping[str, Any],
        data: FittedData,
        of: str,
        make: Callable[[], NDArray[np.int64]],
    ) -> NDArray[np.int64]:
        """[n] the ranks that a ranker fitted on this data gives the targets of some users (`of`)."""
        if self._folder is None or name not in RANKERS:
            self.made += 1
            return make()
        given = all_arguments(name, parameters)
        place = self._folder / f"{content_id('ranks', data.identity(name), given, of)}.npy"
        try:
            found: NDArray[np.int64] = np.load(place, allow_pickle=False)
            self.reused += 1
            return found
        except (OSError, ValueError):  # not there, or damaged
            self.made += 1
        found = make()
        place.parent.mkdir(parents=True, exist_ok=True)
        partial = place.with_suffix(".partial.npy")
        np.save(partial, found)
        partial.replace(place)
        return found


def all_arguments(name: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """What a ranker is made with: the defaults of its class and of those before it too, which may change."""
    found: dict[str, Any] = {}
    for kind in reversed(ranker_class(name).__mro__):
        if "__init__" in vars(kind):
            known = signature(vars(kind)["__init__"]).parameters.values()
            found |= {one.name: one.default for one in known if one.default is not Parameter.empty}
    return found | dict(parameters)


def copy_linked(source: Path, target: Path) -> None:
    """Copy a folder, by hard links where the disk has them: nothing may be changed in place in either."""
    shutil.copytree(source, target, copy_function=_link)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another disk, or one without links
        shutil.copy2(source, target)


def _hash(*parts: bytes) -> str:
    digest = hashlib.blake2b(digest_size=10)
    for part in parts:
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()
