"""Constrained decoding through a token trie: the likeliest titles of a catalogue after a prompt.

A beam search. Only tokens that continue in the trie are considered, so each hypothesis is a prefix of a
title. All hypotheses of a step have the same length and are evaluated in one batch; a finished one is a title
with the end of the turn after it, so that "Alien" is distinguished from "Alien 3".
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rectune.inference.context import Context
from rectune.inference.token_trie import END, Node, TokenTrie


@dataclass(frozen=True, slots=True)
class DecodedTitle:
    """A title by its index, its log-likelihood in nats, and its number of tokens including the end."""

    title: int
    total: float
    tokens: int

    @property
    def mean(self) -> float:
        """Log-likelihood per token, by which titles are ranked (Wu et al. 2016, alpha = 1)."""
        return self.total / self.tokens


@dataclass(frozen=True, slots=True)
class _Hypothesis:
    """A prefix of a title: its node in the trie, the slot of its cache, and its log-likelihood."""

    node: Node
    total: float
    slot: int
    token: int = -1


def decode(
    context: Context,
    prompt: Sequence[int],
    trie: TokenTrie,
    beam: int,
    without: Collection[int] = (),
) -> list[DecodedTitle]:
    """The best titles after a prompt, best first; at most `beam` hypotheses are kept at a time.

    Args:
        context: its slots must be free; half of them hold hypotheses, the other half their successors.
        prompt: tokens.
        trie: the titles, tokenised as they follow the prompt.
        beam: hypotheses; no more than half the slots, and at least one.
        without: titles that are excluded.
    """
    width = max(1, min(beam, context.slots // 2))
    banned = trie.without(without) if without else None
    context.hold(prompt, output=True)
    logs = [context.log_probabilities(-1)]
    alive, found, home = [_Hypothesis(trie.root(), 0.0, context.slots)], list[DecodedTitle](), 0
    try:
        while alive:
            grown, ended = _grow(alive, logs, trie, banned, list(context.vocabulary.ends), width)
            found = sorted([*found, *ended], key=lambda one: (-one.mean, one.title))[: max(width, beam)]
            alive = _placed(grown, context, home, width)
            logs = _evaluate(alive, context, len(prompt))
            home = width - home
    finally:
        for slot in range(min(2 * width, context.slots)):
            context.drop(slot)
    return found


def _grow(
    alive: Sequence[_Hypothesis],
    logs: Sequence[NDArray[np.float64]],
    trie: TokenTrie,
    banned: NDArray[np.int64] | None,
    ends: Sequence[int],
    width: int,
) -> tuple[list[_Hypothesis], list[DecodedTitle]]:
    """Every continuation of every hypothesis, the likeliest first; and the titles that end here."""
    grown, ended = list[_Hypothesis](), list[DecodedTitle]()
    for one, log in zip(alive, logs, strict=True):
        children = trie.children(one.node, banned)
        costs = log[children.tokens]  # of END too, which is no token; that one is put right below
        if len(children.nodes) and children.tokens[0] == END:
            total, node = one.total + float(np.logaddexp.reduce(log[ends])), children.nodes[0]
            ended.append(DecodedTitle(trie.title(node), total, node.depth))
            costs[0] = -np.inf
        for at in np.argsort(-costs, kind="stable")[:width].tolist():
            if children.tokens[at] != END:
                total, token = one.total + float(costs[at]), int(children.tokens[at])
                grown.append(_Hypothesis(children.nodes[at], total, one.slot, token))
    grown.sort(key=lambda one: -one.total)
    return grown[:width], ended


def _placed(grown: Sequence[_Hypothesis], context: Context, home: int, width: int) -> list[_Hypothesis]:
    """Move hypotheses to slots of the half at `home`, with their parents' caches; clear the other half."""
    if context.slots == 1:  # a single hypothesis goes on where it is
        if grown and grown[0].slot == context.slots:
            context.share(0)
        return [replace(one, slot=0) for one in grown]
    for number, one in enumerate(grown):
        context.copy(one.slot, home + number)
    for slot in range(width - home, 2 * width - home):
        context.drop(slot)
    return [replace(one, slot=home + number) for number, one in enumerate(grown)]


def _evaluate(alive: Sequence[_Hypothesis], context: Context, start: int) -> list[NDArray[np.float64]]:
    """The log-probabilities behind every hypothesis, [vocabulary] each."""
    if not alive:
        return []
    context.batch.clear()
    rows = [context.batch.add((one.token,), start + one.node.depth - 1, one.slot, 1) for one in alive]
    context.evaluate()
    return [context.log_probabilities(row) for row in rows]
