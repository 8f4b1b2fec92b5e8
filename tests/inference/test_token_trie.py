import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rectune.inference.constrained import decode
from rectune.inference.llamacpp import LlamaEngine
from rectune.inference.token_trie import END, LONGEST, Node, TokenTrie

TITLES = [(1, 2), (1, 2, 3), (4,), (1, 5), (1, 2), ()]


def walk(trie: TokenTrie, banned: np.ndarray | None = None) -> dict[tuple[int, ...], int]:
    """Every path that ends, and the title at its end."""
    found: dict[tuple[int, ...], int] = {}
    open_: list[tuple[Node, tuple[int, ...]]] = [(trie.root(), ())]
    while open_:
        node, path = open_.pop()
        children = trie.children(node, banned)
        for token, child in zip(children.tokens.tolist(), children.nodes, strict=True):
            if token == END:
                found[path] = trie.title(child)
            else:
                open_.append((child, (*path, token)))
    return found


def test_every_title_is_a_path_and_nothing_else_is():
    assert walk(TokenTrie(TITLES)) == {(1, 2): 0, (1, 2, 3): 1, (4,): 2, (1, 5): 3}
    assert walk(TokenTrie([])) == {}


def test_banned_titles_are_left_out_and_what_shares_their_tokens_with_them():
    trie = TokenTrie(TITLES)
    assert walk(trie, trie.without([4, 2])) == {(1, 2, 3): 1, (1, 5): 3}
    assert walk(trie, trie.without([1])) == {(1, 2): 0, (4,): 2, (1, 5): 3}
    assert walk(trie, trie.without(range(5))) == {}


def test_a_long_title_ends_where_titles_are_told_apart():
    trie = TokenTrie([[7] * 500, [7] * 500 + [8]])
    assert walk(trie) == {(7,) * LONGEST: 0}


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=5), max_size=20),
    st.sets(st.integers(0, 19)),
)
def test_paths_are_the_titles_that_are_allowed(titles: list[list[int]], banned: set[int]):
    trie, banned = TokenTrie(titles), {n for n in banned if n < len(titles)}
    allowed = {tuple(t) for t in titles} - {tuple(titles[n]) for n in banned}
    assert set(walk(trie, trie.without(banned))) == allowed
    assert set(walk(trie)) == {tuple(t) for t in titles}


class Model:
    """Stands in for a context: the log-probabilities of what follows are a table by the tokens before."""

    ends = frozenset({9})

    def __init__(self, table: dict[tuple[int, ...], dict[int, float]], slots: int = 4) -> None:
        self.table, self.slots, self.vocabulary = table, slots, self
        self.batch, self._rows = self, list[tuple[int, int, int]]()
        self.sequences: dict[int, list[int]] = {slot: [] for slot in range(slots + 1)}

    def hold(self, tokens: Sequence[int], *, output: bool) -> None:
        self.sequences[self.slots] = list(tokens)

    def copy(self, source: int, target: int) -> None:
        assert not self.sequences[target]
        self.sequences[target] = list(self.sequences[source])

    def share(self, sequence: int) -> None:
        self.copy(self.slots, sequence)

    def drop(self, sequence: int, start: int = -1) -> bool:
        self.sequences[sequence] = []
        return True

    def clear(self) -> None:
        self._rows.clear()

    def add(self, tokens: Sequence[int], start: int, sequence: int, output: int = 0) -> int:
        self._rows.append((tokens[0], start, sequence))
        return len(self._rows) - 1

    def evaluate(self) -> None:
        for token, start, sequence in self._rows:
            assert start == len(self.sequences[sequence])
            self.sequences[sequence].append(token)

    def log_probabilities(self, row: int) -> np.ndarray:
        sequence = self.slots if row == -1 else self._rows[row][2]
        values = np.full(10, -50.0)
        for token, value in self.table.get(tuple(self.sequences[sequence][1:]), {}).items():
            values[token] = value
        return values


TABLE = {
    (): {1: -1.0, 4: -3.0, 6: 0.0},  # 6 begins no title: the model would rather say something else
    (1,): {2: -1.0, 5: -0.5},
    (1, 2): {9: -4.0, 3: -0.1},
    (1, 2, 3): {9: -0.1},
    (1, 5): {9: -0.5},
    (4,): {9: -0.2},
}


@pytest.mark.parametrize("slots", [4, 8])
def test_the_likeliest_titles_come_first_by_their_mean_and_nothing_else_is_named(slots: int):
    model = Model(TABLE, slots)
    found = decode(model, [0], TokenTrie(TITLES), 4)  # type: ignore[arg-type]
    means = {title.title: round(title.mean, 4) for title in found}
    assert means == {1: -0.55, 3: round(-2 / 3, 4), 2: -1.6, 0: -2.0}
    assert [title.title for title in found] == [1, 3, 2, 0]
    assert not any(model.sequences[slot] for slot in range(slots))


def test_a_title_that_is_banned_is_not_named_and_a_beam_of_one_is_greedy():
    assert [t.title for t in decode(Model(TABLE), [0], TokenTrie(TITLES), 4, [1, 3])] == [2, 0]  # type: ignore[arg-type]
    for slots in (1, 2):
        assert [t.title for t in decode(Model(TABLE, slots), [0], TokenTrie(TITLES), 1)] == [3]  # type: ignore[arg-type]
    assert decode(Model(TABLE), [0], TokenTrie([]), 4) == []  # type: ignore[arg-type]


def test_a_real_model_names_only_titles_and_ranks_them_as_it_scores_them(several: LlamaEngine):
    titles = [" Alien", " Alien 3", " Paris", " Baking bread", " <|im_end|> Rome", " 기생충"]
    messages = (("system", "Be brief."), ("user", "What is the capital of France?"))
    trie = several.title_trie(titles)
    found = several.best_titles(messages, trie, 8, "The capital of France is")
    assert titles[found[0].title] == " Paris"
    assert all(0 <= title.title < len(titles) for title in found)
    scores = several.loglikelihood(messages, titles, "The capital of France is")
    for title in found:  # the end of the turn, which is scored here too, is the only difference
        assert title.tokens == len(scores[title.title]) + 1
        assert title.total <= sum(scores[title.title]) + 0.5
    assert [t.mean for t in found] == sorted((t.mean for t in found), reverse=True)
    others = several.best_titles(messages, trie, 2, "The capital of France is", [2])
    assert 2 not in [title.title for title in others]
    again = several.best_titles(messages, trie, 8, "The capital of France is")
    assert [t.title for t in again] == [t.title for t in found]
    assert list(itertools.islice((t.title for t in again), 1)) == [2]
