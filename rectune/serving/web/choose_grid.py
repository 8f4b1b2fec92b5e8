"""Which items stand on the page of choosing, and how the page carries that from one request to the next."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from rectune.recommender.picks import SHOWN, Marks
from rectune.serving.catalogue import ServedCatalogue

_STATE = re.compile(r"(\d+)~([\d.]*)~([\d.]*)")
_PASSED = 240  # items without an answer that do not come again: the latest


@dataclass(frozen=True)
class Grid:
    """What a visitor is asked about.

    Attributes:
        on: ids on the page, in their places.
        passed: ids that were on it before and got no answer.
        new: ids that were not on the page before.
    """

    on: tuple[str, ...] = ()
    passed: tuple[str, ...] = ()
    new: frozenset[str] = frozenset()

    @classmethod
    def read(cls, state: str, catalogue: ServedCatalogue) -> Grid:
        """What `written` made; nothing where that cannot be, or was of another catalogue."""
        found = _STATE.fullmatch(state)
        if not found or int(found[1]) != catalogue.version:
            return cls()
        ids = catalogue.picks.item_ids
        on, passed = (
            tuple(ids[int(at)] for at in dict.fromkeys(part.split(".")) if at and int(at) < len(ids))
            for part in (found[2], found[3])
        )
        return cls(on[:SHOWN], passed[-_PASSED:])

    def written(self, catalogue: ServedCatalogue) -> str:
        """As text for an address or a form: the catalogue's version, and places in it."""
        places = catalogue.picks.place
        parts = (".".join(str(places[item]) for item in ids) for ids in (self.on, self.passed))
        return "~".join([str(catalogue.version), *parts])

    def others(self) -> Grid:
        """None of those that are on the page."""
        return Grid((), (*self.passed, *self.on)[-_PASSED:])

    def filled(
        self, catalogue: ServedCatalogue, marks: Marks, absent: Collection[str], stored: Mapping[str, int]
    ) -> Grid:
        """Twelve items, or all that there are: what was answered has given its place to another.

        Where nothing else is left, what was passed over comes again.

        Args:
            catalogue: that is served.
            marks: what the visitor has said so far.
            absent: ids that are not asked about.
            stored: id -> how many users of the store like it.
        """
        gone = {*marks.liked, *marks.others, *absent}
        left = [item for item in self.on if item not in gone]
        wanted = SHOWN - len(left)
        besides = {*absent, *self.passed}
        found = catalogue.picks.choose(marks, wanted, besides=besides, stored=stored, shown=left)
        if not found and not left and self.passed:
            return Grid().filled(catalogue, marks, absent, stored)
        rest = iter(found)
        kept = (item if item not in gone else next(rest, None) for item in self.on)
        on = [item for item in kept if item is not None]
        return Grid((*on, *rest), self.passed, frozenset(found))
