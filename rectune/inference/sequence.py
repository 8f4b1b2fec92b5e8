"""One request in the scheduler: its prompt in tokens, and its state."""

from __future__ import annotations

from dataclasses import dataclass

from rectune.core.errors import UserError
from rectune.inference.context import Context
from rectune.inference.detokenizer import Detokenizer
from rectune.inference.jobs import Priority
from rectune.inference.requests import Finish, GenerationRequest, GenerationResult
from rectune.inference.sampling import Sampler
from rectune.inference.stream import GenerationStream
from rectune.inference.truncation import fit


@dataclass(slots=True)
class Sequence:
    """A request in progress: `done` counts prompt tokens in the cache, `borrowed` those that it shares."""

    stream: GenerationStream
    prompt: list[int]
    left_out: int
    sampler: Sampler
    writing: Detokenizer
    done: int = 0
    borrowed: int = 0
    epoch: int = -1
    last: int = -1
    row: int = -1
    tokens: int = 0

    @property
    def request(self) -> GenerationRequest:
        """The request."""
        return self.stream.request

    @property
    def job(self) -> GenerationStream:
        """The stream, as what waits in the queue."""
        return self.stream

    @property
    def priority(self) -> Priority:
        """The stream's."""
        return self.stream.priority

    @property
    def need(self) -> int:
        """Cells that the sequence may need in all, shared ones included."""
        return len(self.prompt) + self.request.sampling.max_tokens

    @property
    def head(self) -> tuple[tuple[str, str], ...]:
        """The messages before the last one: system message and shots."""
        return self.request.messages[:-1]

    def end(self, finish: Finish, error: str = "") -> None:
        """Free the samplers, write the text held back, and end the stream with the answer."""
        self.sampler.free()
        if rest := self.writing.rest():
            self.stream.write(rest)
        text, name = "" if error else self.writing.text, self.request.id
        answer = GenerationResult(name, text, finish, len(self.prompt), self.tokens, error, self.left_out)
        self.stream.end(answer)


def prepare(stream: GenerationStream, context: Context) -> Sequence | None:
    """Render and tokenise a request; None if it cannot be answered, and its stream then ends with an error.

    Reasons are a prompt that is too long, and messages or a grammar that are rejected.
    """
    request, length = stream.request, 0
    wanted = request.sampling.max_tokens
    try:
        prompt, left_out = fit(
            request,
            lambda messages: context.vocabulary.prompt(messages, request.prefill),
            context.limit - wanted,
        )
        length = len(prompt)
        if length + wanted > context.limit:
            found = f"prompt of {length} tokens and answer of up to {wanted} need {length + wanted} tokens"
            hint = "shorten the prompt or raise the context"
            raise UserError(f"{found}, a sequence has {context.limit}", hint=hint)
        return Sequence(stream, prompt, left_out, context.sampler(request), Detokenizer(request.stop))
    except UserError as problem:
        stream.end(GenerationResult(request.id, "", "error", length, 0, reason(problem)))
        return None


def reason(problem: UserError) -> str:
    """An error in one sentence, for an answer."""
    return f"{problem.message}: {problem.hint}" if problem.hint else problem.message
