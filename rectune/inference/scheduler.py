"""Continuous batching: which sequence gets which tokens of the next evaluation.

Every step evaluates one batch: one new token for each active sequence, or as much of the waiting prompts as
fits, or both. The slot of a sequence that ends is given to the next request at once. What is scored is
evaluated whole between two batches, when its turn comes and a slot is free; what is being written goes on
behind it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from rectune.core.errors import UserError
from rectune.inference.context import STRIDE, Context, shared_length
from rectune.inference.jobs import Job, Priority, put_in_turn
from rectune.inference.requests import Finish
from rectune.inference.scoring import PreparedScoring, ScoringJob, prepare_scoring
from rectune.inference.sequence import Sequence, prepare, reason
from rectune.inference.stream import GenerationStream

_LOOKAHEAD = 64  # requests rendered ahead; the prefix they have in common is evaluated once
_MIN_SHARED = 16  # tokens; a shorter common prefix is not worth a place


class Scheduler:
    """Streams are added by `submit`; every `step` evaluates a batch, writes text and ends finished streams.

    With one slot, prompts are evaluated in pieces cut at multiples of `STRIDE` tokens and prefixes are shared
    in multiples of it. So the arithmetic of an answer, and with it every bit of the answer, does not depend
    on which requests came before.

    Attributes:
        saved: prompt tokens that were not evaluated because sequences shared them.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._waiting: deque[GenerationStream | ScoringJob] = deque()
        self._ready: deque[Sequence | PreparedScoring] = deque()
        self._active: dict[int, Sequence] = {}
        self._free = list(range(context.slots))
        self._unwanted: deque[Job] = deque()
        self._head: object = None  # the head whose prefix is held
        self._alone = False  # nothing is held because no other request shares it
        self._epoch = 0  # counts held prefixes; cells of earlier ones stay while in use
        self._wrote = False  # the last batch held tokens just written
        self._fed = 0  # written tokens that were evaluated, for the token after them
        self.saved = 0

    def submit(self, job: GenerationStream | ScoringJob) -> None:
        """Queue a job in its turn; requests with the same head should follow one another."""
        put_in_turn(self._waiting, job)
        if job.cancelled:  # before it came here
            self.cancel(job)

    def cancel(self, job: Job) -> None:
        """End a job at the next step, an answer with its text so far; any thread may call this."""
        self._unwanted.append(job)

    @property
    def busy(self) -> bool:
        """Whether anything is waiting or being written."""
        return bool(self._waiting or self._ready or self._active)

    @property
    def evaluated_prompt_tokens(self) -> int:
        """Tokens evaluated that no answer wrote; what several prompts share counts once."""
        return self._context.evaluated - self._fed

    @property
    def active(self) -> int:
        """How many sequences are being read or written."""
        return len(self._active)

    @property
    def appetite(self) -> int:
        """How many more waiting requests could be used."""
        return max(0, max(_LOOKAHEAD, self._context.slots) - len(self._waiting) - len(self._ready))

    def step(self) -> None:
        """Evaluate one batch.

        Raises:
            UserError: llama.cpp could not.
        """
        self.sweep()
        self._look_ahead()
        self._admit()
        if self._active:
            fed = self._fill()
            self._context.evaluate()
            self._fed += fed
            for slot, sequence in list(self._active.items()):
                if sequence.row >= 0:
                    self._write(slot, sequence)

    def sweep(self) -> None:
        """End what was cancelled; nothing is evaluated."""
        unwanted = set[Job]()
        while self._unwanted:
            unwanted.add(self._unwanted.popleft())
        if unwanted:
            self._end_all("cancelled", "", unwanted)

    def close(self, finish: Finish = "cancelled", error: str = "") -> None:
        """End all streams and forget all sequences."""
        self._end_all(finish, error, {*self._waiting, *(one.job for one in self._prepared())})
        self.forget()

    def forget(self) -> None:
        """Drop the prefix that is held; nothing may be active."""
        self._head = None
        self._context.clear()

    def _prepared(self) -> Iterator[Sequence | PreparedScoring]:
        yield from self._ready
        yield from self._active.values()

    def _end_all(self, finish: Finish, error: str, jobs: set[Job]) -> None:
        waiting = [job for job in self._waiting if job in jobs]
        ready = [one for one in self._ready if one.job in jobs]
        active = [(slot, sequence) for slot, sequence in self._active.items() if sequence.job in jobs]
        self._waiting = deque(job for job in self._waiting if job not in jobs)
        self._ready = deque(one for one in self._ready if one.job not in jobs)
        for slot, sequence in active:
            self._leave(slot)
            sequence.end(finish, error)
        for one in ready:
            one.end(finish, error)
        for job in waiting:
            job.give_up(finish, error)

    def _look_ahead(self) -> None:
        most = max(_LOOKAHEAD, self._context.slots)
        while self._waiting and self._ahead_of(self._waiting[0].priority) < most:
            if one := self._in_tokens(self._waiting.popleft()):
                put_in_turn(self._ready, one)

    def _in_tokens(self, job: GenerationStream | ScoringJob) -> Sequence | PreparedScoring | None:
        if isinstance(job, ScoringJob):
            return prepare_scoring(job, self._context)
        return prepare(job, self._context)

    def _ahead_of(self, priority: Priority) -> int:
        """How many are ready that come before another one of this priority."""
        if priority == "background" or not self._ready or self._ready[-1].priority == "interactive":
            return len(self._ready)
        return sum(one.priority == "interactive" for one in self._ready)

    def _admit(self) -> None:
        """Give free slots to the next requests while the cache has room for all their tokens."""
        while self._free and self._ready:
            sequence = self._ready[0]
            if isinstance(sequence, PreparedScoring):
                self._score(sequence)
                return  # one a step, so that what is being written and what is cancelled waits for one only
            fits = self._holds(sequence)
            taken = sum(other.need - self._borrowed(other, fits) for other in self._active.values())
            if self._active and taken + sequence.need > self._context.cells:
                return
            if not fits:
                self._hold_prefix(sequence)
            self._ready.popleft()
            self._start(sequence, self._free.pop())

    def _score(self, scoring: PreparedScoring) -> None:
        """Score in the free slots, if the cells do; the prefix that was held is given up."""
        free = self._context.cells - sum(other.need for other in self._active.values())
        if self._active and scoring.need > free:
            return
        self._head, self._epoch = None, self._epoch + 1
        scoring.run(self._context, tuple(self._free), free)
        self._ready.popleft()

    def _holds(self, sequence: Sequence) -> bool:
        """Whether the held prefix was made for this sequence's head and is a prefix of its prompt."""
        held = self._context.held
        if self._head != sequence.head or (self._alone and self._company(sequence)):
            return False
        return len(held) < len(sequence.prompt) and held == sequence.prompt[: len(held)]

    def _company(self, sequence: Sequence) -> bool:
        """Whether the request after the next one has the same head."""
        return len(self._ready) > 1 and self._ready[1].head == sequence.head

    def _borrowed(self, sequence: Sequence, still_held: bool) -> int:
        return sequence.borrowed if still_held and sequence.epoch == self._epoch else 0

    def _hold_prefix(self, sequence: Sequence) -> None:
        """Evaluate the common prefix of the next requests once, in the reserved sequence."""
        prefix = sequence.prompt[:-1]
        peers = [other for other in self._ready if other.head == sequence.head]
        for other in peers:
            prefix = prefix[: shared_length(prefix, other.prompt[:-1])]
        length = len(prefix) - len(prefix) % self._context.stride
        worth = length >= _MIN_SHARED and len(peers) > 1
        self._context.hold(prefix[:length] if worth else [])
        self._head, self._alone, self._epoch = sequence.head, len(peers) == 1, self._epoch + 1
        self.saved -= len(self._context.held)

    def _start(self, sequence: Sequence, slot: int) -> None:
        sequence.done = sequence.borrowed = len(self._context.held)
        sequence.epoch = self._epoch
        self.saved += sequence.borrowed
        if sequence.done:
            self._context.share(slot)
        self._active[slot] = sequence
        sequence.stream.begin()

    def _fill(self) -> int:
        """Make the next batch: tokens just generated, whose number it gives, then prompts in their order.

        On a CPU both in one batch are slower: from 64 tokens on llama.cpp's attention works on tiles of them,
        and a tile with many sequences reads the cells of all. So they take turns there.
        """
        self._context.batch.clear()
        for sequence in self._active.values():
            sequence.row = -1
        reading = any(sequence.done < len(sequence.prompt) for sequence in self._active.values())
        if self._context.mixes or not (reading and self._wrote):
            self._add_written()
        written = self._context.batch.length
        self._wrote = written > 0
        if self._context.mixes or not self._wrote:
            self._add_prompts()
        return written

    def _add_written(self) -> None:
        for slot, sequence in self._active.items():
            if sequence.done == len(sequence.prompt):
                place = len(sequence.prompt) + sequence.tokens - 1
                sequence.row = self._context.batch.add((sequence.last,), place, slot, 1)

    def _add_prompts(self) -> None:
        batch = self._context.batch
        for slot, sequence in self._active.items():
            start, length = sequence.done, len(sequence.prompt)
            if start == length or not batch.room:
                continue
            end = min(length, start + batch.room)
            if self._context.stride > 1:
                end = min(end, start + STRIDE - start % STRIDE)
            row = batch.add(sequence.prompt[start:end], start, slot, int(end == length))
            sequence.done, sequence.row = end, row if end == length else -1

    def _write(self, slot: int, sequence: Sequence) -> None:
        """Generate the next token; if it was the last, the slot is free afterwards."""
        error = ""
        try:
            finish = self._next(sequence)
        except UserError as problem:
            finish, error = "error", reason(problem)
        if finish:
            self._leave(slot)
            sequence.end(finish, error)

    def _next(self, sequence: Sequence) -> Finish | None:
        """Choose the next token and write its text; returns how the answer ended, if it did."""
        sequence.last = self._context.sample(sequence.sampler, sequence.row)
        if sequence.last in self._context.vocabulary.ends:
            return "stop"
        sequence.tokens += 1
        text, stopped = sequence.writing.add(self._context.vocabulary.piece(sequence.last))
        if text:
            sequence.stream.write(text)
        if stopped:
            return "stop"
        return "length" if sequence.tokens == sequence.request.sampling.max_tokens else None

    def _leave(self, slot: int) -> None:
        del self._active[slot]
        self._context.drop(slot)
        self._free.append(slot)
