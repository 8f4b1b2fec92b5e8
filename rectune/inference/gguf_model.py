"""Loading a GGUF file with llama.cpp, its metadata, and llama.cpp's last warnings."""

from __future__ import annotations

import ctypes
import os
from collections import deque
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rectune.core.errors import UserError
from rectune.core.extras import needs_extra
from rectune.models.reference import check_magic

if TYPE_CHECKING:
    from llama_cpp import llama_model_p

_HINT = "name a GGUF file that is whole, or download or make it again"
_LOG: deque[str] = deque(maxlen=6)  # llama.cpp's last warnings and errors


@needs_extra("llama.cpp")
def load_model(path: Path, gpu_layers: int = 0, vocabulary_only: bool = False) -> llama_model_p | None:
    """A llama.cpp model; the caller frees it.

    Raises:
        UserError: the file is missing, is no GGUF file, or llama.cpp cannot load it.
    """
    import llama_cpp

    check_magic(path)
    _start_quietly()
    _LOG.clear()
    wanted = llama_cpp.llama_model_default_params()
    wanted.n_gpu_layers, wanted.vocab_only = gpu_layers, vocabulary_only
    model = llama_cpp.llama_model_load_from_file(os.fsencode(path), wanted)
    if not model:
        raise UserError(f"llama.cpp cannot load it ({last_words()})", where=str(path), hint=_HINT)
    return model


def metadata(model: Any, key: str) -> str:
    """A scalar of the GGUF file's metadata as text; empty if it is not there."""
    import llama_cpp

    buffer = ctypes.create_string_buffer(1024)
    length = llama_cpp.llama_model_meta_val_str(model, key.encode(), buffer, len(buffer))
    return buffer.value.decode(errors="replace") if length >= 0 else ""


def describe(model: Path) -> tuple[str, str]:
    """Name and quantisation of a GGUF file, from its name and metadata; only the vocabulary is loaded.

    A file called model.gguf, as the stages of the pipeline write it, gets the name in its metadata.

    Raises:
        UserError: the file is missing or no GGUF file that llama.cpp takes.
    """
    try:
        state = model.stat()
    except OSError as problem:
        raise UserError(
            f"cannot be read ({problem.strerror})", where=str(model), hint="name a GGUF file"
        ) from None
    return _describe(model, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=64)
@needs_extra("llama.cpp")
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


def last_words() -> str:
    """llama.cpp's last warnings and errors in one line."""
    return " ".join(line.strip() for line in _LOG if line.strip()) or "it gave no reason"


@lru_cache(maxsize=1)
def _start_quietly() -> Any:
    """Start llama.cpp with its log kept to its last complaints; the callback must outlive every model."""
    import llama_cpp

    @llama_cpp.llama_log_callback  # type: ignore[untyped-decorator]
    def listen(level: int, text: bytes, _: Any) -> None:
        if level in (3, 4):  # warning, error
            _LOG.append(text.decode(errors="replace"))

    llama_cpp.llama_log_set(listen, ctypes.c_void_p(0))
    llama_cpp.llama_backend_init()
    return listen
