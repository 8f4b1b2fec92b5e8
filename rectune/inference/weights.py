"""Copies of a model's weights in a type that this CPU multiplies fast.

On CPUs llama.cpp has kernels that multiply many tokens at once only for some types of weights. Q4_1 and Q5_1
have none: a batch costs what its tokens cost one by one. A cached copy in another type makes batching
worthwhile.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from rectune.core.digests import file_digest, parts_of
from rectune.core.errors import RectuneError
from rectune.core.progress import detail, say
from rectune.core.user_env import home_folder
from rectune.models.gguf import quantisation_code, quantise

_SLOW = ("Q4_1", "Q5_1")
_SHARE = 0.25  # of the machine's memory that the copy may take
_BITS = {"BF16": 16.0, "Q8_0": 8.5}  # a weight


def fast_weights(model: Path, quantisation: str, memory: int) -> Path:
    """The file to use on a CPU: the model's own, or a copy of it in a type with batched kernels.

    The copy rounds once more (BF16 to 8 bits of mantissa, Q8_0 to blocks of 8-bit integers), by less than the
    model's own 4 or 5 bits did. It depends on the file and the machine alone, never on how busy the machine
    is.

    Args:
        quantisation: the type of most of the model's weights, as llama.cpp calls it.
        memory: bytes of the whole machine, or of the container.
    """
    if quantisation not in _SLOW:
        return model
    weights = (
        sum(part.stat().st_size for part in parts_of(model)) * 8 / (5.0 if quantisation == "Q4_1" else 6.0)
    )
    kind = copy_type(weights, memory, brain_floats=_has_bf16())
    return _copy(model, kind) if kind else model


def copy_type(weights: float, memory: int, *, brain_floats: bool) -> str:
    """The type of the copy of so many weights on a machine of so many bytes; empty where none has room.

    Args:
        brain_floats: whether llama.cpp was built for a processor that multiplies these.
    """
    kinds = (kind for kind, bits in _BITS.items() if weights * bits / 8 <= _SHARE * memory)
    return next((kind for kind in kinds if kind != "BF16" or brain_floats), "")


def discard_copy(copy: Path, model: Path) -> None:
    """Remove a copy that turned out to be of no use; the model itself stays."""
    if copy != model:
        copy.unlink(missing_ok=True)


def cache_folder() -> Path:
    """The folder of copies: `rectune` in $XDG_CACHE_HOME, else in ~/.cache; it may be deleted any time.

    Raises:
        UserError: the home folder is not known.
    """
    known = os.environ.get("XDG_CACHE_HOME")
    return (Path(known) if known else home_folder() / ".cache") / "rectune"


def _has_bf16() -> bool:
    """Whether llama.cpp was built for a CPU with AVX-512 BF16."""
    import llama_cpp

    return b"AVX512_BF16 = 1" in llama_cpp.llama_print_system_info()


def _copy(model: Path, kind: str) -> Path:
    """The copy of this type, made if it is not there; the model itself if it cannot be made."""
    try:
        folder = cache_folder() / "weights"
        made = folder / f"{file_digest(model)[:20]}-{kind}.gguf"
        if made.exists():
            return made
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix="making-") as scratch:
            partial = Path(scratch) / made.name
            quantise(model, partial, quantisation_code(kind))
            partial.replace(made)
    except (OSError, RectuneError) as problem:
        say(f"{model.name}: no {kind} copy for faster batches ({problem})")
        return model
    detail(f"{model.name}: kept a {kind} copy for faster batches in {folder}")
    return made
