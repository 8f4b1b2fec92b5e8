"""The engine that runs a GGUF model in this process: many sequences in one llama.cpp context."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from types import TracebackType

from inference.context import ROWS, Context, load_model, metadata
from inference.requests import Answer, Request
from inference.scheduler import Scheduler
from rectune.errors import UserError
from rectune.settings import Engine


class LlamaEngine:
    """Generates and scores with one model; a context manager. Not thread-safe.

    Attributes:
        name: what people call the model, see `describe`.
        quantisation: the file's main tensor type, such as "Q4_1".
        version: "llama-cpp-python" and its version.

    Raises:
        UserError: the file is missing or no GGUF file that llama.cpp takes, or memory does not suffice.
    """

    def __init__(self, model: Path, engine: Engine) -> None:
        self.name, self.quantisation = describe(model)
        self.version = engine_version()
        self._context = Context(model, engine)

    def __enter__(self) -> LlamaEngine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free model and context."""
        self._context.close()

    @property
    def slots(self) -> int:
        """How many sequences are written at once."""
        return int(self._context.slots)

    def generate(self, requests: Sequence[Request], on_answer: Callable[[Answer], None]) -> None:
        """Answer every request once; `on_answer` is called as each one ends, in the order of ending.

        A prompt that is too long for its sequence gets an answer that says so.

        Raises:
            UserError: the model has no chat template, or it refuses a conversation.
        """
        scheduler = Scheduler(self._context)
        scheduler.submit(_by_head(requests))
        try:
            while scheduler.busy:
                for answer in scheduler.step():
                    on_answer(answer)
        finally:
            scheduler.close()

    def loglikelihood(
        self, messages: Sequence[tuple[str, str]], continuations: Sequence[str], prefill: str = ""
    ) -> list[list[float]]:
        """Log-probability of every token of each continuation of the assistant's turn, in nats.

        The prompt is evaluated once, what it has in common with the prompt before it not even that, and its
        cache is shared by all continuations. Continuations are tokenised on their own, as plain text.

        Raises:
            UserError: the prompt with its longest continuation does not fit a sequence.
        """
        context = self._context
        prompt = context.vocabulary.prompt(messages, prefill)
        tokens = [context.vocabulary.plain(text) for text in continuations]
        longest = len(prompt) + max(map(len, tokens), default=0)
        if longest > context.limit:
            raise UserError(
                f"prompt and continuation take {longest} tokens, a sequence has {context.limit}",
                mend="raise the section's context",
            )
        context.hold(prompt, output=True)
        first = context.log_probabilities(-1)
        found = [[float(first[ids[0]])] if ids else [] for ids in tokens]
        for group in _groups(tokens, context.slots, context.cells - len(prompt)):
            try:
                self._continue(len(prompt), {index: tokens[index] for index in group}, found)
            finally:
                for slot in range(len(group)):
                    context.drop(slot)
        return found

    def _continue(self, start: int, tokens: dict[int, list[int]], found: list[list[float]]) -> None:
        """Evaluate continuations behind the held prompt; appends to `found` from each second token on."""
        context = self._context
        rows: list[tuple[int, int, int]] = []  # continuation, row in the batch, token wanted there

        def evaluate() -> None:
            context.evaluate()
            for index, row, wanted in rows:
                found[index].append(float(context.log_probabilities(row)[wanted]))
            rows.clear()
            context.batch.clear()

        context.batch.clear()
        for slot, (index, ids) in enumerate(tokens.items()):
            context.share(slot)
            for place, (token, following) in enumerate(pairwise(ids)):
                rows.append((index, context.batch.add((token,), start + place, slot, 1), following))
                if len(rows) == ROWS:
                    evaluate()
        if rows:
            evaluate()


def engine_version() -> str:
    """The engine as provenance names it."""
    return f"llama-cpp-python {version('llama-cpp-python')}"


def describe(model: Path) -> tuple[str, str]:
    """Name and quantisation of a GGUF file, from its name and metadata; only the vocabulary is loaded.

    A file called model.gguf, as the stages of the pipeline write it, goes by the name in its metadata.

    Raises:
        UserError: the file is missing or no GGUF file that llama.cpp takes.
    """
    try:
        state = model.stat()
    except OSError as problem:
        raise UserError(
            f"cannot be read ({problem.strerror})", where=str(model), mend="name a GGUF file"
        ) from None
    return _describe(model, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=64)
def _describe(model: Path, size: int, modified: int) -> tuple[str, str]:
    import llama_cpp

    loaded = load_model(model, vocabulary_only=True)
    try:
        kind = metadata(loaded, "general.file_type")
        named = metadata(loaded, "general.name") or metadata(loaded, "general.basename")
    finally:
        llama_cpp.llama_model_free(loaded)
    quantisation = llama_cpp.llama_ftype_name(int(kind)) if kind else None
    name = named if model.stem == "model" and named else model.stem
    return name, quantisation.decode() if quantisation else "unknown"


def _by_head(requests: Sequence[Request]) -> Iterator[Request]:
    """Requests with equal system message and shots one after the other, otherwise in the order given."""
    heads: dict[tuple[tuple[str, str], ...], list[Request]] = {}
    for request in requests:
        heads.setdefault(request.messages[:-1], []).append(request)
    return (request for group in heads.values() for request in group)


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
