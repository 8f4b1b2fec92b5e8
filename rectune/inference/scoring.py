"""Log-likelihoods of continuations of a prompt: in one call, or as a job in an engine's queue."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import pairwise

from rectune.core.errors import RectuneError, UserError
from rectune.inference.context import ROWS, Context
from rectune.inference.jobs import Job, JobWatcher, Priority
from rectune.inference.requests import Finish

TokenLogs = list[list[float]]  # of every continuation the log-probability of each token, in nats


class ScoringJob(Job):
    """Continuations of the assistant's turn that are scored in an engine's queue.

    Attributes:
        messages: (role, content) pairs, oldest first.
        continuations: what is scored behind them and behind `prefill`.
    """

    def __init__(
        self,
        messages: Sequence[tuple[str, str]],
        continuations: Sequence[str],
        prefill: str,
        cancel: Callable[[Job], None],
        priority: Priority = "interactive",
        watcher: JobWatcher | None = None,
    ) -> None:
        super().__init__(cancel, priority, watcher)
        self.messages, self.continuations, self.prefill = tuple(messages), tuple(continuations), prefill
        self._found: Future[TokenLogs] = Future()

    def result(self) -> TokenLogs:
        """Wait for the log-probabilities; see `rectune.inference.llamacpp.LlamaEngine.loglikelihood`.

        Raises:
            UserError: prompt and continuation do not fit a sequence.
            RectuneError: it was cancelled, or the engine has failed.
        """
        return self._found.result()

    def done(self, found: TokenLogs, prompt_tokens: int) -> None:
        """Set the result; called by engines."""
        if self._close("scored", prompt_tokens, 0):
            self._found.set_result(found)

    def refuse(self, problem: UserError) -> None:
        """End it with what is wrong with it; called by engines."""
        if self._close("error", 0, 0):
            self._found.set_exception(problem)

    def give_up(self, finish: Finish, error: str = "") -> None:
        """See `Job.give_up`."""
        if self._close(finish, 0, 0):
            self._found.set_exception(RectuneError(error or "the scoring was cancelled"))


@dataclass(frozen=True, slots=True)
class PreparedScoring:
    """A scoring job in tokens."""

    job: ScoringJob
    prompt: Sequence[int]
    continuations: Sequence[Sequence[int]]
    head: None = None  # no prefix is held for it: its whole prompt is, while it is scored

    @property
    def priority(self) -> Priority:
        """The job's."""
        return self.job.priority

    @property
    def need(self) -> int:
        """Cells that it needs at least."""
        return len(self.prompt) + max(map(len, self.continuations), default=0)

    def end(self, finish: Finish, error: str = "") -> None:
        """End the job without a result."""
        self.job.give_up(finish, error)

    def run(self, context: Context, slots: Sequence[int], cells: int) -> None:
        """Score in these slots, which must be free, with so many cells."""
        self.job.begin()
        self.job.done(score(context, self.prompt, self.continuations, slots, cells), len(self.prompt))


def prepare_scoring(job: ScoringJob, context: Context) -> PreparedScoring | None:
    """Render and tokenise a job; None if that is refused, or too long: the job then has ended so."""
    try:
        return PreparedScoring(job, *tokenised(context, job.messages, job.continuations, job.prefill))
    except UserError as problem:
        job.refuse(problem)
        return None


def tokenised(
    context: Context, messages: Sequence[tuple[str, str]], continuations: Sequence[str], prefill: str
) -> tuple[list[int], list[list[int]]]:
    """The prompt and the continuations in tokens; these on their own, as plain text.

    Raises:
        UserError: the prompt with its longest continuation does not fit a sequence, or the template refuses
            the messages.
    """
    prompt = context.vocabulary.prompt(tuple(messages), prefill)
    tokens = [context.vocabulary.plain(text) for text in continuations]
    longest = len(prompt) + max(map(len, tokens), default=0)
    if longest > context.limit:
        raise UserError(
            f"prompt and continuation take {longest} tokens, a sequence has {context.limit}",
            hint="raise the section's context",
        )
    return prompt, tokens


def score(
    context: Context,
    prompt: Sequence[int],
    continuations: Sequence[Sequence[int]],
    slots: Sequence[int],
    cells: int,
) -> TokenLogs:
    """Log-probability of every token of each continuation after a prompt, in nats.

    The prompt is evaluated once, in the reserved sequence and without the prefix that it shares with what is
    held there, and all continuations share its cells.

    Args:
        context: evaluates.
        prompt: tokens.
        continuations: tokens of each.
        slots: free sequences, at least one.
        cells: that are free for prompt and continuations; enough for the longest of them.
    """
    context.hold(prompt, output=True)
    first = context.log_probabilities(-1)
    found = [[float(first[ids[0]])] if ids else [] for ids in continuations]
    for group in _groups(continuations, len(slots), cells - len(prompt)):
        try:
            _continue(context, len(prompt), continuations, dict(zip(slots, group, strict=False)), found)
        finally:
            for slot in slots[: len(group)]:
                context.drop(slot)
    return found


def _continue(
    context: Context,
    start: int,
    continuations: Sequence[Sequence[int]],
    places: dict[int, int],
    found: TokenLogs,
) -> None:
    """Evaluate continuations of the held prompt, by slot; appends to `found` from each second token."""
    rows: list[tuple[int, int, int]] = []  # continuation, row in the batch, token wanted there

    def evaluate() -> None:
        context.evaluate()
        for index, row, wanted in rows:
            found[index].append(float(context.log_probabilities(row)[wanted]))
        rows.clear()
        context.batch.clear()

    context.batch.clear()
    for slot, index in places.items():
        context.share(slot)
        for place, (token, following) in enumerate(pairwise(continuations[index])):
            rows.append((index, context.batch.add((token,), start + place, slot, 1), following))
            if len(rows) == ROWS:
                evaluate()
    if rows:
        evaluate()


def _groups(tokens: Sequence[Sequence[int]], slots: int, cells: int) -> Iterator[list[int]]:
    """Indices of the continuations that need evaluation, in groups that fit into slots and cells together."""
    group: list[int] = []
    free = cells
    for index, ids in enumerate(tokens):
        if len(ids) < 2:
            continue
        if group and (len(group) == slots or len(ids) > free):
            yield group
            group, free = [], cells
        group.append(index)
        free -= len(ids)
    if group:
        yield group
