"""The engine that runs a GGUF model in this process: many sequences in one llama.cpp context."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from importlib.metadata import version
from itertools import islice
from pathlib import Path

from rectune.core.errors import UserError
from rectune.core.extras import needs_extra
from rectune.core.settings import EngineConfig
from rectune.inference.backends import Backend
from rectune.inference.constrained import DecodedTitle, decode
from rectune.inference.context import Context
from rectune.inference.gguf_model import describe
from rectune.inference.jobs import Job
from rectune.inference.requests import GenerationRequest, GenerationResult
from rectune.inference.scheduler import Scheduler
from rectune.inference.scoring import ScoringJob, TokenLogs, score, tokenised
from rectune.inference.stream import GenerationStream
from rectune.inference.token_budgets import token_lengths
from rectune.inference.token_trie import LONGEST, TokenTrie
from rectune.inference.vocabulary import opened_vocabulary


class LlamaEngine(Backend):
    """Generates and scores with one model; a context manager. Not thread-safe.

    Attributes:
        model: the GGUF file.
        name: the model's name for display, see `describe`.
        quantisation: the file's main tensor type, such as "Q4_1".
        version: "llama-cpp-python" and its version.
        lengths: how many times the tokens of English the model needs in each language.

    Raises:
        UserError: the file is missing or no GGUF file that llama.cpp takes, or memory does not suffice.
    """

    @needs_extra("an engine")
    def __init__(self, model: Path, engine: EngineConfig) -> None:
        self.model = model
        self.name, self.quantisation = describe(model)
        self.version = engine_version()
        self._context = Context(model, engine)
        self.lengths = token_lengths(self._context.vocabulary)
        self._scheduler = Scheduler(self._context)

    def close(self) -> None:
        """Free model and context; open streams end as cancelled."""
        if self._context.model:
            self._scheduler.close()
        self._context.close()

    @property
    def slots(self) -> int:
        """The number of sequences that are generated together."""
        return int(self._context.slots)

    @property
    def context(self) -> int:
        """Tokens that a sequence may reach, prompt and answer together."""
        return int(self._context.limit)

    @property
    def active(self) -> int:
        """The number of sequences that are being generated now."""
        return self._scheduler.active

    @property
    def busy(self) -> bool:
        """Whether any stream is open."""
        return self._scheduler.busy

    @property
    def weights(self) -> Path:
        """The file that is computed with: the model's own, or a copy of it in a faster type."""
        return self._context.weights

    @property
    def saved(self) -> int:
        """Prompt tokens that were not evaluated because sequences shared them, since the engine was made."""
        return self._scheduler.saved

    @property
    def evaluated_prompt_tokens(self) -> int:
        """Prompt tokens that were evaluated since the engine was made; what prompts share counts once."""
        return self._scheduler.evaluated_prompt_tokens

    def tokens(self, request: GenerationRequest) -> list[int]:
        """The prompt of a request as the model reads it, nothing left out.

        Raises:
            UserError: the model has no chat template, or it refuses the conversation.
        """
        return self._context.vocabulary.prompt(request.messages, request.prefill)

    def submit(
        self, request: GenerationRequest, on_end: Callable[[GenerationResult], None] | None = None
    ) -> GenerationStream:
        """Queue a request. Reading from its stream runs the engine for all open streams together.

        Raises:
            UserError: the model has no chat template.
        """
        self._context.vocabulary.check()
        stream = GenerationStream(request, self._scheduler.cancel, self.step, on_end)
        self.enqueue(stream)
        return stream

    def enqueue(self, job: GenerationStream | ScoringJob) -> None:
        """Queue a job made elsewhere, as by a service; what is scored then needs one free slot only."""
        self._scheduler.submit(job)

    def cancel(self, job: Job) -> None:
        """End a job at the next step; any thread may call this."""
        self._scheduler.cancel(job)

    def step(self) -> None:
        """Evaluate one batch for all open streams; if that fails, all of them end with the error."""
        try:
            self._scheduler.step()
        except BaseException as problem:
            self._scheduler.close("error", str(problem) or type(problem).__name__)
            raise
        if not self._scheduler.busy:
            self._scheduler.forget()  # what comes next finds the cache as the first request did

    def generate(
        self, requests: Sequence[GenerationRequest], on_answer: Callable[[GenerationResult], None]
    ) -> None:
        """Answer every request once; `on_answer` is called as each one ends, in the order of ending.

        What cannot be answered, such as a prompt that is too long for its sequence, gets an answer that says
        so.

        Raises:
            UserError: the model has no chat template, or llama.cpp cannot go on.
        """
        waiting, ended = _by_head(requests), deque[GenerationResult]()
        open_: set[GenerationStream] = set()
        try:
            while True:
                for request in islice(waiting, self._scheduler.appetite):
                    open_.add(self.submit(request, ended.append))
                if not open_:
                    return
                self.step()
                open_ = {stream for stream in open_ if not stream.ended} if ended else open_
                while ended:
                    on_answer(ended.popleft())
        finally:
            for stream in open_:
                stream.cancel()
            self._scheduler.sweep()

    def loglikelihood(
        self, messages: Sequence[tuple[str, str]], continuations: Sequence[str], prefill: str = ""
    ) -> TokenLogs:
        """Log-probability of every token of each continuation of the assistant's turn, in nats.

        The prompt is evaluated once, without the prefix that it shares with the prompt before, and its cache
        is shared by all continuations. Continuations are tokenised on their own, as plain text. Open streams
        are finished first: scoring needs all slots.

        Raises:
            UserError: the prompt with its longest continuation does not fit a sequence.
        """
        context = self._context
        while self.busy:
            self.step()
        prompt, tokens = tokenised(context, messages, continuations, prefill)
        return score(context, prompt, tokens, range(context.slots), context.cells)

    def title_trie(self, titles: Sequence[str]) -> TokenTrie:
        """A trie of texts as they follow a prompt, for `best_titles`; control tokens in them are text."""
        return TokenTrie([self._context.vocabulary.plain(title) for title in titles])

    def best_titles(
        self,
        messages: Sequence[tuple[str, str]],
        trie: TokenTrie,
        beam: int,
        prefill: str = "",
        without: Collection[int] = (),
    ) -> list[DecodedTitle]:
        """The likeliest titles of a trie after a prompt, best first; see `rectune.inference.constrained`.

        Open streams are finished first. At most half the slots hold hypotheses.

        Raises:
            UserError: prompt and title do not fit a sequence.
        """
        while self.busy:
            self.step()
        prompt = self._context.vocabulary.prompt(messages, prefill)
        if len(prompt) + LONGEST > self._context.limit:
            found = (
                f"prompt and title take {len(prompt) + LONGEST} tokens, a sequence has {self._context.limit}"
            )
            raise UserError(found, hint="raise the section's context")
        return decode(self._context, prompt, trie, beam, without)


def engine_version() -> str:
    """The engine as provenance names it."""
    return f"llama-cpp-python {version('llama-cpp-python')}"


def prompt_text(model: Path, request: GenerationRequest) -> str:
    """The rendered prompt of a GGUF model, as text with its control tokens; only the vocabulary is loaded.

    Raises:
        UserError: no usable file, or it has no chat template, or that refuses the conversation.
    """
    with opened_vocabulary(model) as vocabulary:
        return vocabulary.text(request.messages, request.prefill)


def _by_head(requests: Sequence[GenerationRequest]) -> Iterator[GenerationRequest]:
    """Requests with equal system message and shots one after the other, otherwise in the order given."""
    heads: dict[tuple[tuple[str, str], ...], list[GenerationRequest]] = {}
    for request in requests:
        heads.setdefault(request.messages[:-1], []).append(request)
    return (request for group in heads.values() for request in group)
