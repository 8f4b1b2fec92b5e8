"""`python -m bench.morphemes [--data path/to/korean_news]`: the time that Korean titles and queries take.

Titles are made of six words drawn from those of the made-up goods and books, or of the headlines in `--data`.
Measured are seconds of processor time: Kiwi's start, the terms of all titles, BM25 over them; and for queries
of two words, with a typing error in every second one, and for histories of five titles, the median and the
95 % quantile in milliseconds: once when every noun is met for the first time, once again. Then the same for
the index, whose vectors cost nothing here.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from bench.headlines import read_goods, read_headlines
from rectune.core.text.morphemes import morphemes_of
from rectune.core.text.tables import Table
from rectune.core.types import Item
from rectune.rankers.baselines import Bm25
from rectune.rankers.domain_data import DomainData
from rectune.retrieval.embedding import register
from rectune.retrieval.index import build_index, open_index

_WORDS, _ASKED, _HISTORY = 6, 2, 5
_SYLLABLES = 0xAC00, 28  # the first, and how many have the same initial and vowel


def made_titles(words: list[str], count: int, rng: np.random.Generator) -> list[str]:
    """Distinct titles of drawn words."""
    found = dict[str, None]()
    while len(found) < count:
        found.setdefault(" ".join(rng.choice(words, _WORDS)))
    return list(found)


def misspelt(word: str) -> str:
    """The word with another vowel in its last syllable."""
    at, row = ord(word[-1]) - _SYLLABLES[0], _SYLLABLES[1]
    return word[:-1] + chr(_SYLLABLES[0] + (at + row) % 11172) if 0 <= at < 11172 else word


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.morphemes", description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    rng = np.random.default_rng(given.seed)
    source = read_headlines(given.data) if given.data else read_goods()
    words = sorted({word for text in source.texts.values() for word in text.split()})
    titles = made_titles(words, given.items, rng)
    data = DomainData("titles", [Item("titles", str(at), title) for at, title in enumerate(titles)])
    took = {"start of Kiwi": _seconds(lambda: list(morphemes_of(["가방"])))}
    took["terms of all titles"] = _seconds(lambda: data.terms)
    ranker = Bm25()
    took["BM25 over them"] = _seconds(lambda: ranker.fit(data))
    rows = [[name, f"{seconds:.2f} s"] for name, seconds in took.items()]
    pairs = [list(rng.choice(words, _ASKED)) for _ in range(given.queries)]
    queries = [" ".join([one, misspelt(other) if at % 2 else other]) for at, (one, other) in enumerate(pairs)]
    histories = [tuple(map(str, rng.choice(given.items, _HISTORY))) for _ in range(given.queries)]
    for turn in ("for the first time", "again"):
        each = [_seconds(partial(ranker.score_texts, [query])) for query in queries]
        rows.append([f"a query, {turn}", _spread(each)])
        each = [_seconds(partial(ranker.score_all, [history])) for history in histories]
        rows.append([f"a history of five, {turn}", _spread(each)])
    rows += _of_the_index(list(data.items.values()), queries)
    print(Table(["processor time", f"{given.items:,} titles"], rows).to_markdown())


def _of_the_index(items: Sequence[Item], queries: Sequence[str]) -> list[list[str]]:
    """Rows of the index and of what `recommend` searches in it, with vectors that cost nothing."""
    register("free", 8, lambda texts: np.full((len(texts), 8), 8**-0.5, np.float32), english=True)
    with tempfile.TemporaryDirectory() as folder:
        built = _seconds(lambda: build_index(items, Path(folder), "free"))
        index = open_index(Path(folder))
        first = _seconds(lambda: index.find(queries[:1]))
        each = [_seconds(partial(index.find, [query])) for query in queries]
    return [
        ["the index without embedding", f"{built:.2f} s"],
        ["the first query in the index", f"{first:.2f} s"],
        ["a query in the index", _spread(each)],
    ]


def _seconds(what: Callable[[], object]) -> float:
    start = time.process_time()
    what()
    return time.process_time() - start


def _spread(times: Iterable[float]) -> str:
    median, high = np.quantile(list(times), (0.5, 0.95)) * 1000
    return f"{median:.1f} ms, 95 % below {high:.1f} ms"


if __name__ == "__main__":
    main()
