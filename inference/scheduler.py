"""Continuous batching: which sequence gets which tokens of the next evaluation.

Every step evaluates one batch: one new token for each sequence that is being written, and as much of the
waiting prompts as still fits. A sequence that ends leaves its slot to the next request at once.
"""

from __future__ import annotations

import codecs
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from inference.context import STRIDE, Context, shared_length
from inference.requests import Answer, Finish, Request
from rectune.settings import Sampling

_LOOKAHEAD = 64  # requests rendered ahead; the prefix they have in common is evaluated once
_MIN_SHARED = 16  # tokens; a shorter common prefix is not worth a place
_PENALISED = 64  # tokens back that the repetition penalty looks
_SEEDS = 0xFFFFFFFF  # llama.cpp takes this very seed for "random"


@dataclass(slots=True)
class _Sequence:
    """A request on its way: `done` counts prompt tokens in the cache, `borrowed` those that it shares."""

    request: Request
    prompt: list[int]
    stops: tuple[bytes, ...]
    done: int = 0
    borrowed: int = 0
    epoch: int = -1
    chain: Any = None
    last: int = -1
    row: int = -1
    tokens: int = 0
    text: bytearray = field(default_factory=bytearray)

    @property
    def need(self) -> int:
        """Cells that the sequence may come to fill, shared ones included."""
        return len(self.prompt) + self.request.sampling.max_tokens

    @property
    def head(self) -> tuple[tuple[str, str], ...]:
        """What comes before the last message: system message and shots."""
        return self.request.messages[:-1]


class Scheduler:
    """Requests go in by `submit`; every `step` evaluates a batch and returns the answers that ended with it.

    With one slot, prompts are evaluated in pieces cut at multiples of `STRIDE` tokens and prefixes are
    shared in multiples of it. So the arithmetic of an answer, and with it the answer to the last bit, does
    not depend on which requests came before.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._waiting: deque[Request] = deque()
        self._ready: deque[_Sequence] = deque()
        self._active: dict[int, _Sequence] = {}
        self._free = list(range(context.slots))
        self._ended: list[Answer] = []
        self._head: object = None  # the head whose prefix is held
        self._epoch = 0  # counts held prefixes; cells of earlier ones live on while somebody uses them

    def submit(self, requests: Iterable[Request]) -> None:
        """Queue requests; those with the same head should follow one another."""
        self._waiting.extend(requests)

    @property
    def busy(self) -> bool:
        """Whether anything is waiting or being written."""
        return bool(self._waiting or self._ready or self._active or self._ended)

    def step(self) -> list[Answer]:
        """Evaluate one batch.

        Raises:
            UserError: the chat template refuses a conversation.
        """
        self._look_ahead()
        self._admit()
        if self._active:
            self._fill()
            self._context.evaluate()
            for slot, sequence in list(self._active.items()):
                if sequence.row >= 0 and (finish := self._write(sequence)):
                    self._end(slot, sequence, finish)
        ended, self._ended = self._ended, []
        return ended

    def close(self) -> None:
        """Free the sampler chains and forget all sequences."""
        for sequence in self._active.values():
            _free_chain(sequence)
        self._active.clear()
        self._context.clear()

    def _look_ahead(self) -> None:
        while self._waiting and len(self._ready) < _LOOKAHEAD:
            request = self._waiting.popleft()
            prompt = self._context.vocabulary.prompt(request.messages, request.prefill)
            stops = tuple(stop.encode() for stop in request.stop if stop)
            sequence = _Sequence(request, prompt, stops)
            if sequence.need > self._context.limit:
                self._ended.append(self._too_long(sequence))
            else:
                self._ready.append(sequence)

    def _too_long(self, sequence: _Sequence) -> Answer:
        length, wanted = len(sequence.prompt), sequence.request.sampling.max_tokens
        found = f"prompt of {length} tokens and answer of up to {wanted} need {sequence.need} tokens"
        return Answer(
            id=sequence.request.id,
            text="",
            finish="error",
            prompt_tokens=length,
            tokens=0,
            error=f"{found}, a sequence has {self._context.limit}: shorten the prompt or raise the context",
        )

    def _admit(self) -> None:
        """Give free slots to the requests next in line while the cache has room for all they may write."""
        while self._free and self._ready:
            sequence = self._ready[0]
            fits = self._holds(sequence)
            taken = sum(other.need - self._borrowed(other, fits) for other in self._active.values())
            if self._active and taken + sequence.need > self._context.cells:
                return
            if not fits:
                self._hold_prefix(sequence)
            self._start(self._ready.popleft(), self._free.pop())

    def _holds(self, sequence: _Sequence) -> bool:
        """Whether the held prefix was made for this sequence's head and is a prefix of its prompt."""
        held = self._context.held
        fits = len(held) < len(sequence.prompt) and held == sequence.prompt[: len(held)]
        return fits and self._head == sequence.head

    def _borrowed(self, sequence: _Sequence, still_held: bool) -> int:
        return sequence.borrowed if still_held and sequence.epoch == self._epoch else 0

    def _hold_prefix(self, sequence: _Sequence) -> None:
        """Evaluate what the requests next in line have in common, once, in the reserved sequence."""
        prefix = sequence.prompt[:-1]
        peers = [other for other in self._ready if other.head == sequence.head]
        for other in peers:
            prefix = prefix[: shared_length(prefix, other.prompt[:-1])]
        length = len(prefix) - len(prefix) % self._context.stride
        worth = length >= _MIN_SHARED and len(peers) > 1
        self._context.hold(prefix[:length] if worth else [])
        self._head, self._epoch = sequence.head, self._epoch + 1

    def _start(self, sequence: _Sequence, slot: int) -> None:
        sequence.done = sequence.borrowed = len(self._context.held)
        sequence.epoch = self._epoch
        request = sequence.request
        sequence.chain = _chain(request.sampling, request.seed, self._context.vocabulary.size)
        if sequence.done:
            self._context.share(slot)
        self._active[slot] = sequence

    def _fill(self) -> None:
        """Make the next batch: tokens just written first, then prompts in the order of their admission."""
        batch = self._context.batch
        batch.clear()
        for slot, sequence in self._active.items():
            sequence.row = -1
            if sequence.done == len(sequence.prompt):
                place = len(sequence.prompt) + sequence.tokens - 1
                sequence.row = batch.add((sequence.last,), place, slot, 1)
        for slot, sequence in self._active.items():
            start, length = sequence.done, len(sequence.prompt)
            if start == length or not batch.room:
                continue
            end = min(length, start + batch.room)
            if self._context.stride > 1:
                end = min(end, start + STRIDE - start % STRIDE)
            row = batch.add(sequence.prompt[start:end], start, slot, int(end == length))
            sequence.done, sequence.row = end, row if end == length else -1

    def _write(self, sequence: _Sequence) -> Finish | None:
        """Choose the next token; says how the answer ended if it did."""
        sequence.last = self._context.sample(sequence.chain, sequence.row)
        if sequence.last in self._context.vocabulary.ends:
            return "stop"
        sequence.tokens += 1
        before = len(sequence.text)
        sequence.text += self._context.vocabulary.piece(sequence.last)
        places = [sequence.text.find(stop, max(0, before - len(stop) + 1)) for stop in sequence.stops]
        found = [place for place in places if place >= 0]
        if found:
            del sequence.text[min(found) :]
            return "stop"
        return "length" if sequence.tokens == sequence.request.sampling.max_tokens else None

    def _end(self, slot: int, sequence: _Sequence, finish: Finish) -> None:
        _free_chain(sequence)
        self._context.drop(slot)
        del self._active[slot]
        self._free.append(slot)
        # A character cut in half by the token limit is left out; bytes that never were UTF-8 become U+FFFD.
        text = codecs.getincrementaldecoder("utf-8")("replace").decode(bytes(sequence.text))
        self._ended.append(Answer(sequence.request.id, text, finish, len(sequence.prompt), sequence.tokens))


def _chain(sampling: Sampling, seed: int, vocabulary: int) -> Any:
    """A C sampler chain for one sequence. The repetition penalty sees what was generated, not the prompt."""
    import llama_cpp

    chain = llama_cpp.llama_sampler_chain_init(llama_cpp.llama_sampler_chain_default_params())
    links = []
    if sampling.repeat_penalty not in (0.0, 1.0):
        penalty = sampling.repeat_penalty
        links.append(llama_cpp.llama_sampler_init_penalties(vocabulary, _PENALISED, penalty, 0.0, 0.0))
    if sampling.temperature == 0.0:
        links.append(llama_cpp.llama_sampler_init_greedy())
    else:
        links.append(llama_cpp.llama_sampler_init_top_k(sampling.top_k))
        links.append(llama_cpp.llama_sampler_init_top_p(sampling.top_p, 1))
        links.append(llama_cpp.llama_sampler_init_min_p(sampling.min_p, 1))
        links.append(llama_cpp.llama_sampler_init_temp(sampling.temperature))
        links.append(llama_cpp.llama_sampler_init_dist(seed % _SEEDS))
    for link in links:
        llama_cpp.llama_sampler_chain_add(chain, link)
    return chain


def _free_chain(sequence: _Sequence) -> None:
    import llama_cpp

    llama_cpp.llama_sampler_free(sequence.chain)
    sequence.chain = None
