"""`python -m bench.headlines [--data path/to/korean_news]`: Korean headlines or goods as an unseen domain.

150 headlines are labelled by hand in ten subjects (`tests/retrieval/korean_subjects.json`, by the hash of
their lines). A history of five on one subject should find the other ten. Every system ranks all headlines but
those five. Precision@10 is over the labelled ones: headlines without a label are removed from the ranking,
and the share on the history's subject among the first ten that remain counts (a condensed list; Sakai 2007).
Ten of the 145 are right, so that 1 is possible and chance is 10/145. `share of all` is stricter: the share
with the label among the first ten of the whole ranking. Histories are drawn at random, the same for all
systems. The interval is a bootstrap over subjects: the histories of one are drawn from the same titles.

Without `--data` the same is measured on 150 Korean goods and books of ten subjects, whose titles were made up
for it (`tests/retrieval/korean_goods.json`); all of them are labelled. `--predicates` compares weights of
verbs and adjectives, on the subjects they are chosen on and on the other ones.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rectune.core.stats.metrics import UserBootstrap
from rectune.core.types import Item
from rectune.prompts.titles import fold
from rectune.rankers.base import CatalogueRanker
from rectune.rankers.baselines import Bm25
from rectune.rankers.domain_data import DomainData
from rectune.rankers.fusion import Hybrid
from rectune.retrieval.bm25 import TermScores
from rectune.retrieval.embedding import EMBEDDED, Vectors, dimension, embed, register
from rectune.retrieval.index import CatalogueIndex, build_index
from rectune.retrieval.rank_fusion import reciprocal_rank_fusion
from rectune.retrieval.terms import terms_of

_LABELS = Path(__file__).parents[1] / "tests/retrieval/korean_subjects.json"
_GOODS = _LABELS.with_name("korean_goods.json")
_HISTORY, _FIRST = 5, 10
_DOMAIN = "titles"
_WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0)  # of predicates
_ROUNDS = 5000  # of the bootstrap

Ranker = Callable[[Sequence[str]], list[str]]  # ids of a history -> ids of the others, the best first


@dataclass(frozen=True)
class Headlines:
    """All distinct titles by the hash of their line, and the subject of those that have a label."""

    texts: dict[str, str]
    subjects: dict[str, str]

    def histories(self, rounds: int, seed: int) -> list[tuple[str, ...]]:
        """`rounds` histories of five for each subject."""
        rng = np.random.default_rng(seed)
        groups = [
            sorted(key for key, subject in self.subjects.items() if subject == name)
            for name in sorted(set(self.subjects.values()))
        ]
        return [tuple(rng.choice(group, _HISTORY, replace=False)) for group in groups for _ in range(rounds)]


def read_headlines(folder: Path) -> Headlines:
    """The headlines of a folder's .txt files, a line each; SystemExit where labelled ones are not there."""
    lines = {
        line.strip()
        for file in sorted(folder.glob("*.txt"))
        for line in file.read_text(encoding="utf-8").splitlines()
    }
    texts = {_hash(line): line.strip('" ') for line in lines if line}
    subjects: dict[str, str] = json.loads(_LABELS.read_text(encoding="utf-8"))
    if missing := subjects.keys() - texts.keys():
        raise SystemExit(f"{folder}: {len(missing)} of {len(subjects)} labelled headlines are not there")
    return Headlines(texts, subjects)


def read_goods() -> Headlines:
    """The made-up goods and books."""
    by_subject: dict[str, list[str]] = json.loads(_GOODS.read_text(encoding="utf-8"))
    subjects = {_hash(title): subject for subject, titles in by_subject.items() for title in titles}
    return Headlines({_hash(title): title for titles in by_subject.values() for title in titles}, subjects)


def _hash(line: str) -> str:
    return hashlib.blake2b(line.encode(), digest_size=8).hexdigest()


def precision(ranked: Sequence[str], history: Sequence[str], subjects: dict[str, str]) -> tuple[float, float]:
    """Precision@10 over the labelled headlines, and the share with the label among the first ten of all."""
    wanted = subjects[history[0]]
    judged = [key for key in ranked if key in subjects][:_FIRST]
    condensed = sum(subjects[key] == wanted for key in judged) / _FIRST
    return condensed, sum(subjects.get(key) == wanted for key in ranked[:_FIRST]) / _FIRST


def remember(texts: Sequence[str], embedder: str) -> str:
    """Embed texts once for the whole program; returns the name of an embedder with their vectors."""
    known = dict(zip(texts, embed(texts, embedder), strict=True))

    def recall(some: Sequence[str]) -> Vectors:
        new = [text for text in dict.fromkeys(some) if text not in known]
        known.update(zip(new, embed(new, embedder), strict=True))
        return np.stack([known[text] for text in some])

    name = f"{embedder}, remembered"
    register(name, dimension(embedder), recall, english=embedder == EMBEDDED)
    return name


def rankers(headlines: Headlines, index: CatalogueIndex, seed: int) -> dict[str, Ranker]:
    """The systems, by name."""
    keys = sorted(headlines.texts)
    vectors = embed([headlines.texts[key] for key in keys], index.embedder)  # known by now
    places = {key: place for place, key in enumerate(keys)}
    rng = np.random.default_rng(seed)
    items = [Item(_DOMAIN, key, headlines.texts[key]) for key in keys]
    data = DomainData(_DOMAIN, items, embedder=index.embedder)
    pairs, morphemes = _BySum([_pairs(item.title) for item in items]), _BySum(data.terms)

    def by_vectors(history: Sequence[str]) -> list[str]:
        return _order(keys, vectors @ _mean(vectors[[places[key] for key in history]]), history)

    def fused(history: Sequence[str]) -> list[str]:
        each = pairs.scores([places[key] for key in history])
        found = {str(n): [keys[at] for at in np.argsort(-row) if row[at] > 0] for n, row in enumerate(each)}
        scores = reciprocal_rank_fusion(found)
        return sorted((key for key in scores if key not in history), key=lambda key: -scores[key])

    def summed(terms: _BySum, history: Sequence[str]) -> list[str]:
        return _order(keys, terms.scores([places[key] for key in history]).sum(axis=0), history)

    def ranked(ranker: CatalogueRanker, history: Sequence[str]) -> list[str]:
        return _order(keys, ranker.score_all([history])[0], history)

    def as_recommended(history: Sequence[str]) -> list[str]:
        user_requests = [headlines.texts[key] for key in history]
        return [hit.item_id for hit in index.find(user_requests, _DOMAIN, len(keys), set(history))]

    return {
        "random": lambda history: _order(keys, rng.random(len(keys)), history),
        f"vectors ({index.embedder.partition(',')[0]}), mean of the five": by_vectors,
        "pairs of letters, one by one and fused": fused,
        "pairs of letters, summed": partial(summed, pairs),
        "morphemes, summed": partial(summed, morphemes),
        "ranker `bm25`: morphemes and like nouns": partial(ranked, Bm25().fit(data)),
        "ranker `hybrid`": partial(ranked, Hybrid().fit(data)),
        "full text and vectors, as `recommend` searches": as_recommended,
    }


class _BySum:
    """BM25 without nouns of like meaning."""

    def __init__(self, documents: Sequence[Sequence[str]]) -> None:
        self._weights = TermScores.fitted(documents).weights

    def scores(self, asked: Sequence[int]) -> NDArray[np.float64]:
        """[len(asked), documents] the scores of all documents for some of them."""
        found: NDArray[np.float64] = ((self._weights[asked] > 0) @ self._weights.T).toarray()
        return found


def _pairs(text: str) -> list[str]:
    words = re.findall(r"\w+", fold(text))
    return [word[at : at + 2] for word in words for at in range(max(1, len(word) - 1))]


def print_predicates(headlines: Headlines, histories: Sequence[Sequence[str]]) -> None:
    """Precision@10 of `bm25` by the weight of predicates, on every other subject and on those between."""
    keys = sorted(headlines.texts)
    places = {key: place for place, key in enumerate(keys)}
    documents = list(terms_of(headlines.texts[key] for key in keys))
    chosen_on = sorted(set(headlines.subjects.values()))[::2]
    print("| weight of predicates | subjects to choose on | the other subjects |\n|---:|---:|---:|")
    for weight in _WEIGHTS:
        terms = TermScores.fitted(documents, weight)
        halves: dict[bool, list[float]] = {True: [], False: []}
        for history in histories:
            asked = terms.weights[[places[key] for key in history]]
            asked.data = np.ones_like(asked.data)
            order = _order(keys, terms.scores(asked).sum(axis=0), history)
            found = precision(order, history, headlines.subjects)[0]
            halves[headlines.subjects[history[0]] in chosen_on].append(found)
        print(f"| {weight} | {np.mean(halves[True]):.3f} | {np.mean(halves[False]):.3f} |")


def _mean(rows: Vectors) -> Vectors:
    return np.asarray(rows.mean(axis=0), np.float32)


def _order(keys: Sequence[str], scores: NDArray[np.floating[Any]], history: Sequence[str]) -> list[str]:
    order = np.argsort(-np.asarray(scores, np.float64), kind="stable")
    return [keys[place] for place in order if keys[place] not in history]


def interval(values: NDArray[np.float64], groups: int, seed: int) -> tuple[float, float]:
    """95 %, bootstrap over subjects, each with all its histories: more of these tell nothing of others.

    Args:
        values: of all histories, subject by subject, as many of each.
        groups: how many subjects.
        seed: of the draws.
    """
    subjects = np.repeat([str(at) for at in range(groups)], len(values) // groups)
    return UserBootstrap(subjects.tolist(), _ROUNDS, seed).interval(values)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.headlines", description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of the headlines; goods and books without it")
    parser.add_argument("--embedder", default="embedded")
    parser.add_argument("--rounds", type=int, default=20, help="histories a subject")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--predicates", action="store_true", help="compare weights of verbs and adjectives")
    given = parser.parse_args()
    headlines = read_headlines(given.data) if given.data else read_goods()
    histories = headlines.histories(given.rounds, given.seed)
    groups = len(set(headlines.subjects.values()))
    items = [Item(_DOMAIN, key, text) for key, text in sorted(headlines.texts.items())]
    print(
        f"{len(items):,} titles, {len(headlines.subjects)} with one of {groups} subjects, "
        f"{len(histories)} histories"
    )
    if given.predicates:
        print_predicates(headlines, histories)
        return
    print("| system | precision@10 over the labelled | 95 % | share of all |\n|---|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        known = remember([item.title for item in items], given.embedder)
        index = build_index(items, Path(folder), known)
        for name, rank in rankers(headlines, index, given.seed).items():
            found = np.array([precision(rank(history), history, headlines.subjects) for history in histories])
            low, high = interval(found[:, 0], groups, given.seed)
            print(
                f"| {name} | {found[:, 0].mean():.3f} | {low:.3f} to {high:.3f} | {found[:, 1].mean():.3f} |"
            )


if __name__ == "__main__":
    main()
