"""A model and its context under llama.cpp: loading, sizing, and the operations for batching."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rectune.core.errors import UserError
from rectune.core.settings import EngineConfig
from rectune.inference.context_size import cores, device_memory, size_for, whole_memory
from rectune.inference.gguf_model import describe, last_words, load_model
from rectune.inference.requests import GenerationRequest
from rectune.inference.sampling import Sampler
from rectune.inference.vocabulary import Vocabulary, opened_vocabulary
from rectune.inference.weights import discard_copy, fast_weights

STRIDE = 64  # tokens; where shapes must not vary, prompts are evaluated in pieces cut at its multiples
ROWS = 60  # continuation tokens scored together; from 64 on llama.cpp's attention takes other paths


class TokenBatch:
    """Tokens of many sequences for one evaluation; numpy arrays under llama.cpp's own struct."""

    def __init__(self, size: int) -> None:
        import llama_cpp

        self.size, self.length = size, 0
        self._tokens, self._places = np.zeros(size, np.int32), np.zeros(size, np.int32)
        self._counts, self._sequences = np.ones(size, np.int32), np.zeros(size, np.int32)
        self._outputs = np.zeros(size, np.int8)
        self._pointers = self._sequences.ctypes.data + 4 * np.arange(size, dtype=np.uintp)
        self.struct = llama_cpp.llama_batch(
            token=self._tokens.ctypes.data_as(ctypes.POINTER(ctypes.c_int32)),
            pos=self._places.ctypes.data_as(ctypes.POINTER(ctypes.c_int32)),
            n_seq_id=self._counts.ctypes.data_as(ctypes.POINTER(ctypes.c_int32)),
            seq_id=self._pointers.ctypes.data_as(ctypes.POINTER(ctypes.POINTER(ctypes.c_int32))),
            logits=self._outputs.ctypes.data_as(ctypes.POINTER(ctypes.c_int8)),
        )

    @property
    def room(self) -> int:
        """How many more tokens fit."""
        return self.size - self.length

    def add(self, tokens: Sequence[int], start: int, sequence: int, output: int = 0) -> int:
        """Append tokens at positions from `start`; the last `output` of them give logits.

        Returns the index of the last one.
        """
        first, end = self.length, self.length + len(tokens)
        self._tokens[first:end] = tokens
        self._places[first:end] = np.arange(start, start + len(tokens), dtype=np.int32)
        self._sequences[first:end] = sequence
        self._outputs[first:end] = 0
        self._outputs[end - output : end] = 1
        self.length = end
        return end - 1

    def clear(self) -> None:
        """Forget the tokens."""
        self.length = 0


class Context:
    """One loaded model with one context that holds many sequences in a common cache.

    Sequences 0 to `slots` - 1 are the caller's. Sequence `slots` is reserved for a prefix that others share
    (`hold`).

    Attributes:
        limit: tokens a sequence may reach, prompt and answer together.
        weights: the file that is computed with; `path` itself, or a copy of it in a faster type.
        cells: tokens the cache holds, all sequences together; a shared prefix counts once.
        held: the tokens in the reserved sequence.
        mixes: whether generated tokens and prompts are fast in one batch; they are on an accelerator.
        evaluated: tokens that the model was run over since the context was made.
    """

    def __init__(self, path: Path, engine: EngineConfig) -> None:
        import llama_cpp

        self.path = path
        self._context: Any = None
        self.weights = _weights(path, engine)
        try:
            self.model = load_model(self.weights, engine.gpu_layers)
        except UserError:
            discard_copy(self.weights, path)
            raise
        self.vocabulary = Vocabulary(self.model, str(path))
        self.limit = min(engine.context, llama_cpp.llama_model_n_ctx_train(self.model) or engine.context)
        size = size_for(self.model, engine, self.limit)
        self.slots, self.mixes = size.slots, size.accelerated
        self.batch = TokenBatch(size.batch)
        self._open(engine, size.cells)
        self._memory: Any = llama_cpp.llama_get_memory(self._context)
        self.stride = STRIDE if self.slots == 1 else 1
        self.held: list[int] = []
        self.evaluated = 0

    def _open(self, engine: EngineConfig, cells: int) -> None:
        """Make the context; where memory does not suffice, with fewer cells, down to one full sequence."""
        import llama_cpp

        while not (found := llama_cpp.llama_init_from_model(self.model, self._parameters(engine, cells))):
            if cells == self.limit:
                self.close()
                raise UserError(
                    f"no memory for a context of {cells} tokens ({last_words()})",
                    where=str(self.path),
                    hint="lower the section's context or gpu_layers",
                )
            cells = max(self.limit, cells // 2)
        self._context = found
        self.cells = llama_cpp.llama_n_ctx(found)

    def _parameters(self, engine: EngineConfig, cells: int) -> Any:
        import llama_cpp

        wanted = llama_cpp.llama_context_default_params()
        wanted.n_ctx, wanted.n_seq_max, wanted.kv_unified = cells, self.slots + 1, True
        wanted.n_batch = wanted.n_ubatch = self.batch.size
        # llama.cpp ends the process where there is not one output a sequence.
        wanted.n_outputs_max, wanted.n_outputs_max_per_seq = max(ROWS, self.slots + 1), 0
        wanted.n_threads = wanted.n_threads_batch = engine.threads or cores()
        return wanted

    def hold(self, tokens: Sequence[int], *, output: bool = False) -> None:
        """Make the reserved sequence hold exactly `tokens`; a common prefix is kept.

        Evaluation goes by `STRIDE` tokens, so that the result does not depend on what was held before: under
        a quantised model another shape of batch moves log-probabilities by 0.1. With `output`, the logits
        after the last token are there afterwards (`log_probabilities` of row -1).
        """
        common = shared_length(self.held, tokens[: len(tokens) - output])
        common -= common % STRIDE
        if not self.drop(self.slots, common):
            common = 0
            self.drop(self.slots)
        self.held = list(tokens[:common])
        while common < len(tokens):
            end = min(len(tokens), common + STRIDE)
            self.batch.clear()
            self.batch.add(tokens[common:end], common, self.slots, int(output and end == len(tokens)))
            self.evaluate()
            self.held, common = list(tokens[:end]), end

    def share(self, sequence: int) -> None:
        """Give a sequence all of the reserved one; no cell is copied."""
        self.copy(self.slots, sequence)

    def copy(self, source: int, target: int) -> None:
        """Give a sequence all that another has; no cell is copied."""
        import llama_cpp

        llama_cpp.llama_memory_seq_cp(self._memory, source, target, -1, -1)

    def drop(self, sequence: int, start: int = -1) -> bool:
        """Forget a sequence's tokens from position `start` on; False if the memory cannot be cut there."""
        import llama_cpp

        return bool(llama_cpp.llama_memory_seq_rm(self._memory, sequence, start, -1))

    def clear(self) -> None:
        """Forget all sequences."""
        import llama_cpp

        self.held = []
        llama_cpp.llama_memory_clear(self._memory, False)

    def evaluate(self) -> None:
        """Run the model over the batch."""
        import llama_cpp

        self.batch.struct.n_tokens = self.batch.length
        code = llama_cpp.llama_decode(self._context, self.batch.struct)
        if code:
            found = f"llama.cpp could not evaluate a batch (code {code}; {last_words()})"
            raise UserError(found, where=str(self.path), hint="lower the section's slots or context")
        self.evaluated += self.batch.length

    def sampler(self, request: GenerationRequest) -> Sampler:
        """The samplers of a new sequence.

        Raises:
            UserError: the request's grammar is none.
        """
        return Sampler(request, self.vocabulary)

    def sample(self, sampler: Sampler, row: int) -> int:
        """A token from the logits of the batch's token number `row`.

        Raises:
            UserError: the request's grammar allows no token here.
        """
        return sampler.choose(self._context, row)

    def log_probabilities(self, row: int) -> npt.NDArray[np.float64]:
        """Log-softmax of the logits of the batch's token number `row`; shape (vocabulary,)."""
        import llama_cpp

        logits = llama_cpp.llama_get_logits_ith(self._context, row)
        values = np.ctypeslib.as_array(logits, shape=(self.vocabulary.size,)).astype(np.float64)
        values -= values.max()
        return np.asarray(values - np.log(np.exp(values).sum()))

    def close(self) -> None:
        """Free the memory; doing it twice does no harm."""
        import llama_cpp

        if self._context:
            llama_cpp.llama_free(self._context)
        if self.model:
            llama_cpp.llama_model_free(self.model)
        self._context = self.model = None


def _weights(path: Path, engine: EngineConfig) -> Path:
    if engine.weights == "file" or (engine.gpu_layers and device_memory()):
        return path
    quantisation = describe(path)[1]
    with opened_vocabulary(path) as vocabulary:
        vocabulary.check()  # before a copy is made of what would be refused
    return fast_weights(path, quantisation, whole_memory())


def shared_length(one: Sequence[int], other: Sequence[int]) -> int:
    """Length of the longest common prefix."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
