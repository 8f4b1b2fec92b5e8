"""BM25 over the terms of texts, in memory, with nouns of like meaning for Korean."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Container, Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rectune.core.text.morphemes import PAIRS, segmenter, similar_nouns
from rectune.retrieval.terms import PREDICATE, is_hangul, terms_of, unknown_words

if TYPE_CHECKING:
    from scipy.sparse import csr_array

K1, B = 1.2, 0.75
PREDICATE_WEIGHT = 0.75  # of verbs and adjectives; chosen on five of ten subjects of labelled headlines
_LETTERS = 7  # of a word that may be misspelt: shorter ones are too near to others
_ALIKE = 0.8  # the share of letters that are the same from which on a word is taken for another

Scores = NDArray[np.float64]


class TermScores:
    """Okapi BM25 (Robertson and Zaragoza 2009, "The Probabilistic Relevance Framework: BM25 and Beyond").

    score = sum over the query's terms of idf * tf / (tf + k1 * (1 - b + b * length / mean length)). Korean
    verbs and adjectives count `PREDICATE_WEIGHT`. A Korean noun of the query also scores where a noun of like
    meaning stands, with the smaller idf of the two times how like they are (`similar_nouns`).

    Attributes:
        weights: [documents, terms] each term's part in the score of a document.
        column: term -> its column.
    """

    def __init__(self, weights: csr_array, terms: Sequence[str]) -> None:
        self.weights, self.column = weights, {term: at for at, term in enumerate(terms)}
        self._terms, self._similar = list(terms), dict[str, dict[int, float]]()

    @classmethod
    def fitted(cls, documents: Iterable[Sequence[str]], predicates: float = PREDICATE_WEIGHT) -> TermScores:
        """Counts the terms of all documents; `predicates` is the weight of Korean verbs and adjectives."""
        return cls(*_weights([Counter(document) for document in documents], predicates))

    def scores(self, queries: csr_array) -> Scores:
        """[queries, documents] the scores of queries that are counts, [queries, terms]."""
        from scipy.sparse import csr_array

        asked = [int(at) for at in np.unique(queries.indices)] if self._nouns else []
        if rows := [(at, *like) for at in asked for like in self.like(self._terms[at]).items()]:
            at, columns, shares = (np.array(values) for values in zip(*rows, strict=True))
            shape = (len(self._terms), len(self._terms))
            queries = queries + queries @ csr_array((shares, (at, columns)), shape=shape)
        found: Scores = (queries @ self.weights.T).toarray()
        return found

    def score_texts(self, texts: Sequence[str], ignored: Container[str] = ()) -> Scores:
        """[len(texts), documents] the scores of texts, without `ignored` terms where a text has others.

        A Korean noun that no document has counts by the nouns of like meaning that they have. A word in
        Hangul that the dictionary lacks too counts as the term that is written most like it, if four of five
        letters (jamo) are the same; nothing is guessed for words of fewer than `_LETTERS` letters.
        """
        from scipy.sparse import csr_array

        kept = ([term for term in terms if term not in ignored] or terms for terms in terms_of(texts))
        rows = [self._asked(text, terms) for text, terms in zip(texts, kept, strict=True)]
        bounds = np.cumsum([0, *map(len, rows)])
        columns = np.array([at for row in rows for at in row], np.int64)
        counts = np.array([count for row in rows for count in row.values()], np.float64)
        return self.scores(csr_array((counts, columns, bounds), shape=(len(texts), len(self._terms))))

    def _asked(self, text: str, terms: Sequence[str]) -> dict[int, float]:
        """Column -> how often a text has its term, or what stands for a term that no document has."""
        found = dict[int, float]()
        for term, count in Counter(terms).items():
            at = self.column.get(term)
            for column, share in ({at: 1.0} if at is not None else self.like(term)).items():
                found[column] = found.get(column, 0.0) + count * share
        for taken in self.misspelt(text):
            for column, share in taken.items():
                found[column] = found.get(column, 0.0) + share
        return found

    def misspelt(self, text: str) -> list[dict[int, float]]:
        """For each misspelt Korean word of a text the column that it is taken for, and how like they are."""
        words = unknown_words(text, self.column) if self._nouns else ()
        nearest = (self._nearest(spellings) for spellings in words)
        return [dict([one]) for one in nearest if one]

    def like(self, term: str) -> dict[int, float]:
        """Column -> the share of its score with which a noun of like meaning counts for this term."""
        if not self._nouns or not _is_noun(term):
            return {}
        if term not in self._similar:
            near = [(self.column.get(noun), share) for noun, share in similar_nouns(term).items()]
            own = self.idf[self.column[term]] if term in self.column else np.inf
            self._similar[term] = {
                at: share * min(1.0, own / self.idf[at]) for at, share in near if at is not None
            }
        return self._similar[term]

    def _nearest(self, spellings: Sequence[str]) -> tuple[int, float] | None:
        """The column of the noun that is written most like one of these, and how like, 0 to 1."""
        from rapidfuzz.distance import Levenshtein
        from rapidfuzz.process import extractOne

        found = [
            near
            for letters in map(_letters, spellings)
            if len(letters) >= _LETTERS
            and (
                near := extractOne(
                    letters, self._nouns, scorer=Levenshtein.normalized_similarity, score_cutoff=_ALIKE
                )
            )
        ]
        if not found:
            return None
        letters, share, _ = max(found, key=lambda near: near[1])
        return self.column[unicodedata.normalize("NFC", letters)], share

    @cached_property
    def idf(self) -> NDArray[np.float64]:
        """[terms] the inverse document frequency of each term."""
        found_in = np.bincount(self.weights.indices, minlength=len(self._terms))
        return np.asarray(_idf(self.weights.shape[0], found_in), np.float64)

    @cached_property
    def _nouns(self) -> list[str]:
        """The Korean nouns among the terms, letter by letter; empty where there is no Kiwi."""
        korean = segmenter() != PAIRS
        return [_letters(term) for term in self._terms if _is_noun(term)] if korean else []


def _is_noun(term: str) -> bool:
    return is_hangul(term) and not term.endswith(PREDICATE)


def _letters(word: str) -> str:
    return unicodedata.normalize("NFD", word)


def _idf(documents: int, found_in: Any) -> Any:
    return np.log(1 + (documents - found_in + 0.5) / (found_in + 0.5))


def _weights(documents: Sequence[Counter[str]], predicates: float) -> tuple[csr_array, list[str]]:
    """[documents, terms] the weights of terms in documents, for a query with one of each; and the terms."""
    from scipy.sparse import csr_array

    found_in = Counter(term for document in documents for term in document)
    mean = sum(document.total() for document in documents) / max(len(documents), 1) or 1.0
    part = {
        term: float(_idf(len(documents), n)) * (predicates if term.endswith(PREDICATE) else 1.0)
        for term, n in found_in.items()
    }
    column = {term: at for at, term in enumerate(found_in)}
    data, indices, bounds = [], [], [0]
    for document in documents:
        norm = K1 * (1 - B + B * document.total() / mean)
        data += [part[term] * n / (n + norm) for term, n in document.items()]
        indices += [column[term] for term in document]
        bounds.append(len(data))
    rows = (np.array(data, np.float64), np.array(indices, np.int64), np.array(bounds, np.int64))
    return csr_array(rows, shape=(len(documents), len(column))), list(column)
