"""What the registry knows about a dataset: terms, editions with their downloads, and the layouts that are
read.
"""

from __future__ import annotations

import importlib
import typing
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

if typing.TYPE_CHECKING:
    import polars as pl

    from rectune.readers.drops import Drops
    from rectune.readers.raw import Raw

    Reader = Callable[[Sequence[Sequence[Path]], Drops], Raw]
    ReviewReader = Callable[[Sequence[Sequence[Path]], Drops], Iterator[pl.DataFrame]]


@dataclass(frozen=True)
class Layout:
    """A set of files that a reader takes.

    `files` are glob patterns below the dataset's folder, each needed at least once; `|` parts alternatives, a
    leading `?` marks what may be missing. A file belongs to the first pattern that it matches, and counts
    packed too (name.gz), unless the plain one lies beside it. Where patterns hold `{category}`, each category
    has one file a pattern, and of several alternatives the first is taken. `reader` is `module:function` or
    the function; `ordered` says whether times are published. `reviews` likewise reads what was written in
    reviews; empty where nothing is published.
    """

    name: str
    files: tuple[str, ...]
    reader: str | Reader
    ordered: bool
    reviews: str | ReviewReader = ""

    @property
    def by_category(self) -> bool:
        """Whether there is one set of files a category."""
        return any("{category}" in pattern for pattern in self.files)

    def read(self, files: Sequence[Sequence[Path]], drops: Drops) -> Raw:
        """Read the files (one list a pattern) that `registry.locate` found."""
        reader: Reader = _function(self.reader) if isinstance(self.reader, str) else self.reader
        return reader(files, drops)

    def read_reviews(self, files: Sequence[Sequence[Path]], drops: Drops) -> Iterator[pl.DataFrame]:
        """Batches with the columns of `rectune.readers.raw.review_columns`; none where `reviews` is empty."""
        if not self.reviews:
            return iter(())
        reader: ReviewReader = _function(self.reviews) if isinstance(self.reviews, str) else self.reviews
        return reader(files, drops)


def _function(named: str) -> Any:
    module, _, function = named.partition(":")
    return getattr(importlib.import_module(module), function)


@dataclass(frozen=True)
class Download:
    """A file on a server, and the name it gets in the dataset's folder; a .zip is unpacked there.

    `url` and `file` may hold `{category}`. `size` is bytes, None where it is not known or changes; `checksum`
    is `md5:…` or `sha256:…`, `checksum_url` where the publisher keeps it; both "" where there is none.
    """

    url: str
    file: str
    size: int | None = None
    checksum: str = ""
    checksum_url: str = ""

    def of(self, category: str) -> Download:
        """The same for one category."""
        return replace(
            self,
            url=self.url.replace("{category}", category),
            file=self.file.replace("{category}", category),
        )


@dataclass(frozen=True)
class Edition:
    """One published edition: how large it is in its publisher's words, and how to get it.

    Without `downloads` a person has to fetch it: `by_hand` says how. `licence`, `redistributable` and
    `categories` are given where they differ from the dataset's.
    """

    name: str
    layout: str
    rows: str
    downloads: tuple[Download, ...] = ()
    by_hand: str = ""
    licence: str = ""
    redistributable: bool | None = None
    categories: tuple[str, ...] = ()


@dataclass(frozen=True)
class Dataset:
    """One dataset.

    `licence` is what the publisher says, in short; `redistributable` whether rows may be passed on under it.
    `liked` is the value from which an interaction counts as liked unless a recipe says otherwise, `why_liked`
    the reason. `people` names the space of user ids: datasets that share it share users. `categories` are
    those that the publisher has files for. `folder` lies below the root; the dataset's name unless given.
    """

    name: str
    domain: str
    publisher: str
    home: str
    licence: str
    redistributable: bool
    liked: float
    why_liked: str
    people: str
    layouts: tuple[Layout, ...]
    editions: tuple[Edition, ...] = ()
    categories: tuple[str, ...] = ()
    folder: str = ""

    def place(self, root: Path) -> Path:
        """The folder that holds the files."""
        return root / (self.folder or self.name)

    def terms(self, layout: str) -> tuple[str, bool]:
        """Licence, and whether rows may be passed on, of files in that layout.

        Files do not tell which edition they are of; where editions of one layout differ, rows may be passed
        on only if each of them may.
        """
        editions = [edition for edition in self.editions if edition.layout == layout]
        licences = dict.fromkeys(edition.licence or self.licence for edition in editions)
        may = all(map(self.may_pass_on, editions)) if editions else self.redistributable
        return "; or ".join(licences) or self.licence, may

    def may_pass_on(self, edition: Edition) -> bool:
        """Whether rows of one of its editions may be passed on."""
        return self.redistributable if edition.redistributable is None else edition.redistributable
