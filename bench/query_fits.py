"""`python -m bench.query_fits`: whether queries find their item, and whether what nothing fits is said to.

Queries in Korean and English over five small catalogues, labelled by hand (`tests/retrieval/fits`). Each is
answered as `rectune recommend --catalogue FILE --query …` does, without a model. Precision and recall are
those of the answer that something fits; top-1 is the share of the queries that something fits whose first
item is one of those that do. The first two of every four queries of a catalogue are those that rules were
chosen on (`chosen on`), the others were looked at only at the end (`held out`).
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML

from rectune.core.progress import quiet
from rectune.core.types import Item
from rectune.readers.catalogue import CatalogueOptions
from rectune.recommender.recommender import Recommender

_ROOT = Path(__file__).parents[1]
_FOLDER = _ROOT / "tests/retrieval/fits"
_ROUND, _CHOSEN = 4, 2  # of so many queries so many are those that rules are chosen on


@dataclass(frozen=True)
class Catalogue:
    """A catalogue of the labelled queries: where it lies, and how it is read."""

    path: Path
    domain: str
    locale: str
    format: str = ""
    facts: tuple[str, ...] = ()


CATALOGUES = {
    "korean_shop": Catalogue(_FOLDER / "korean_shop.csv", "goods", "ko"),
    "korean_films": Catalogue(
        _ROOT / "samples/korean/films.csv", "movies", "ko", facts=("감독", "출연", "배경", "소재")
    ),
    "english_goods": Catalogue(_ROOT / "samples/amazon", "goods", "en", "amazon"),
    "english_news": Catalogue(_ROOT / "samples/mind/news.tsv", "news", "en", "mind"),
    "english_films": Catalogue(_ROOT / "samples/movies_dataset", "movies", "en", "movies_dataset"),
}


@dataclass(frozen=True)
class Outcome:
    """What became of a query: `wanted` are the ids that fit it, `first` is the id that came first."""

    catalogue: str
    query: str
    wanted: frozenset[str]
    held_out: bool
    fits: bool
    first: str
    title: str

    @property
    def right(self) -> bool:
        """Whether what was said of it is so: that nothing fits, or an item that does."""
        return self.first in self.wanted and self.fits if self.wanted else not self.fits


def outcomes(name: str, runs: Path) -> Iterator[Outcome]:
    """Answer the queries of a catalogue; the index is kept in `runs`."""
    one = CATALOGUES[name]
    options = CatalogueOptions(domain=one.domain, facts=one.facts, published=one.format)
    recommender = Recommender.from_catalogue(one.path, model=None, runs=runs, options=options)
    queries = YAML(typ="safe", pure=True).load(_FOLDER / "queries.yaml")[name]
    for number, (query, *wanted) in enumerate(queries):
        answer = recommender.recommend(query=query, k=1)
        first = next(iter(answer), None)
        ids = frozenset(_ids(recommender.items.values(), wanted))
        held_out = number % _ROUND >= _CHOSEN
        told = (first.item_id, first.title) if first else ("", "")
        yield Outcome(name, query, ids, held_out, answer.fits and bool(first), *told)


def _ids(items: Iterable[Item], wanted: Sequence[str]) -> list[str]:
    by_name = {name: item.item_id for item in items for name in (item.item_id, item.title)}
    return [by_name[name] for name in wanted]


def table(found: Sequence[Outcome]) -> list[str]:
    """Lines of a Markdown table, one for each language and part."""
    lines = [
        "| queries | n | precision of fits | recall of fits | top-1 | all right |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for locale in ("ko", "en"):
        for part in (False, True, None):
            some = [
                one
                for one in found
                if CATALOGUES[one.catalogue].locale == locale and part in (None, one.held_out)
            ]
            name = {False: "chosen on", True: "held out", None: "all"}[part]
            lines.append(
                f"| {locale}, {name} | {len(some)} | {' | '.join(map('{:.3f}'.format, figures(some)))} |"
            )
    return lines


def figures(some: Sequence[Outcome]) -> tuple[float, float, float, float]:
    """Precision and recall of "fits", top-1 of the queries that something fits, and the share all right."""
    said = [one for one in some if one.fits]
    fitting = [one for one in some if one.wanted]
    both = sum(bool(one.wanted) for one in said)
    first = sum(one.first in one.wanted for one in fitting)
    right = sum(one.right for one in some)
    return both / max(1, len(said)), both / len(fitting), first / len(fitting), right / len(some)


def main() -> None:
    """Print the tables, and every query that was answered wrongly."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--runs", type=Path, help="where indexes are kept; nowhere without it")
    asked.add_argument("--held-out", action="store_true", help="list the held-out queries, too")
    told = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder, quiet():
        runs = told.runs or Path(folder)
        found = [one for name in CATALOGUES for one in outcomes(name, runs)]
    print("\n".join(table(found)))
    for one in found:
        if not one.right and (told.held_out or not one.held_out):
            print(
                f"{one.catalogue}: {one.query!r} fits={one.fits} first={one.title!r} "
                f"wanted={sorted(one.wanted)}"
            )


if __name__ == "__main__":
    main()
