"""A model and its context under llama.cpp: loading, sizing, and the operations that batching is made of."""

from __future__ import annotations

import ctypes
import os
from collections import deque
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from inference.vocabulary import Vocabulary
from rectune.errors import UserError
from rectune.settings import Engine

if TYPE_CHECKING:
    from llama_cpp import llama_model_p

BATCH = 512  # tokens evaluated together at most
STRIDE = 64  # tokens; where shapes must not vary, prompts are evaluated in pieces cut at its multiples
ROWS = 60  # continuation tokens scored together; from 64 on llama.cpp's attention takes other paths
_MEMORY_SHARE = 0.5  # of the free memory that the cache may take
_SLOTS_CPU, _SLOTS_GPU = 16, 64  # when the engine chooses; 16 was the fastest of 1, 8, 16, 32 on two cores
_MEND = "name a GGUF file that is whole, or download or make it again"
_LOG: deque[str] = deque(maxlen=6)  # llama.cpp's last warnings and errors


class Batch:
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
        cells: tokens the cache holds, all sequences together; a shared prefix counts once.
        held: the tokens in the reserved sequence.
    """

    def __init__(self, path: Path, engine: Engine) -> None:
        import llama_cpp

        self.path = path
        self._context: Any = None
        self.model = load_model(path, engine.gpu_layers)
        self.vocabulary = Vocabulary(self.model, str(path))
        self.limit = min(engine.context, llama_cpp.llama_model_n_ctx_train(self.model) or engine.context)
        self._open(engine)
        self._memory: Any = llama_cpp.llama_get_memory(self._context)
        self.batch = Batch(BATCH)
        self.stride = STRIDE if self.slots == 1 else 1
        self.held: list[int] = []

    def _open(self, engine: Engine) -> None:
        """Make the context; where memory does not suffice, with fewer cells, down to one full sequence."""
        import llama_cpp

        gpu = engine.gpu_layers != 0 and llama_cpp.llama_supports_gpu_offload()
        room = _cells_in_memory(self.model)
        chosen = engine.slots or max(1, min(room // self.limit, _SLOTS_GPU if gpu else _SLOTS_CPU))
        self.slots = min(chosen, llama_cpp.llama_max_parallel_sequences() - 1)
        cells = max(self.limit, min(self.slots * self.limit, room))
        while not (found := llama_cpp.llama_init_from_model(self.model, self._parameters(engine, cells))):
            if cells == self.limit:
                self.close()
                raise UserError(
                    f"no memory for a context of {cells} tokens ({_last_words()})",
                    where=str(self.path),
                    mend="lower the section's context or gpu_layers",
                )
            cells = max(self.limit, cells // 2)
        self._context = found
        self.cells = llama_cpp.llama_n_ctx(found)

    def _parameters(self, engine: Engine, cells: int) -> Any:
        import llama_cpp

        wanted = llama_cpp.llama_context_default_params()
        wanted.n_ctx, wanted.n_seq_max, wanted.kv_unified = cells, self.slots + 1, True
        wanted.n_batch = wanted.n_ubatch = BATCH
        wanted.n_outputs_max, wanted.n_outputs_max_per_seq = max(ROWS, self.slots), 0
        wanted.n_threads = wanted.n_threads_batch = engine.threads or _cores()
        return wanted

    def hold(self, tokens: Sequence[int], *, output: bool = False) -> None:
        """Make the reserved sequence hold exactly `tokens`; what it has in common with them is kept.

        Evaluation goes by `STRIDE` tokens, so that the result does not depend on what was held before: under a
        quantised model another shape of batch moves log-probabilities by 0.1. With `output`, the logits after
        the last token are there afterwards (`log_probabilities` of row -1).
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
        import llama_cpp

        llama_cpp.llama_memory_seq_cp(self._memory, self.slots, sequence, -1, -1)

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
            found = f"llama.cpp could not evaluate a batch (code {code}; {_last_words()})"
            raise UserError(found, where=str(self.path), mend="lower the section's slots or context")

    def sample(self, chain: Any, row: int) -> int:
        """Let a C sampler chain choose a token from the logits of the batch's token number `row`."""
        import llama_cpp

        return int(llama_cpp.llama_sampler_sample(chain, self._context, row))

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


def load_model(path: Path, gpu_layers: int = 0, vocabulary_only: bool = False) -> llama_model_p | None:
    """A llama.cpp model; the caller frees it.

    Raises:
        UserError: the file is missing, is no GGUF file, or llama.cpp does not take it.
    """
    import llama_cpp

    _check(path)
    _start_quietly()
    _LOG.clear()
    wanted = llama_cpp.llama_model_default_params()
    wanted.n_gpu_layers, wanted.vocab_only = gpu_layers, vocabulary_only
    model = llama_cpp.llama_model_load_from_file(os.fsencode(path), wanted)
    if not model:
        raise UserError(f"llama.cpp cannot load it ({_last_words()})", where=str(path), mend=_MEND)
    return model


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


def metadata(model: Any, key: str) -> str:
    """A scalar of the GGUF file's metadata as text; empty if it is not there."""
    import llama_cpp

    buffer = ctypes.create_string_buffer(1024)
    length = llama_cpp.llama_model_meta_val_str(model, key.encode(), buffer, len(buffer))
    return buffer.value.decode(errors="replace") if length >= 0 else ""


def _check(path: Path) -> None:
    try:
        with path.open("rb") as stream:
            magic = stream.read(4)
    except OSError as problem:
        raise UserError(f"cannot be read ({problem.strerror})", where=str(path), mend=_MEND) from None
    if magic != b"GGUF":
        raise UserError("is no GGUF file: it does not begin with GGUF", where=str(path), mend=_MEND)


def _cells_in_memory(model: Any) -> int:
    """How many tokens of 16-bit keys and values fit into the cache's share of the free memory."""
    import llama_cpp
    import psutil

    width = llama_cpp.llama_model_n_embd(model) // max(1, llama_cpp.llama_model_n_head(model))
    heads = llama_cpp.llama_model_n_head_kv(model) * llama_cpp.llama_model_n_layer(model)
    cells = psutil.virtual_memory().available * _MEMORY_SHARE / max(1, heads * width * 2 * 2)
    return int(cells)


def _cores() -> int:
    """Physical cores that this process may use."""
    import psutil

    physical = psutil.cpu_count(logical=False) or os.cpu_count() or 1
    return min(physical, len(os.sched_getaffinity(0))) if hasattr(os, "sched_getaffinity") else physical


def _last_words() -> str:
    return " ".join(line.strip() for line in _LOG if line.strip()) or "it gave no reason"


@lru_cache(maxsize=1)
def _start_quietly() -> Any:
    """Start llama.cpp with its log kept to its last complaints; the callback must outlive every model."""
    import llama_cpp

    @llama_cpp.llama_log_callback  # type: ignore[untyped-decorator]
    def listen(level: int, text: bytes, _: Any) -> None:
        if level in (2, 3):  # warning, error
            _LOG.append(text.decode(errors="replace"))

    llama_cpp.llama_log_set(listen, ctypes.c_void_p(0))
    llama_cpp.llama_backend_init()
    return listen
