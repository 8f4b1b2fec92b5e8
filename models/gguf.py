"""From a checkpoint folder to a quantised GGUF file, with llama.cpp's own converter and quantiser."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from models.fetch_converter import converter_folder, is_current, runtime_version
from rectune.errors import RectuneError, UserError
from rectune.progress import say

_UNQUANTISED = {"F32": "f32", "F16": "f16", "BF16": "bf16"}  # what the converter can write by itself


def to_gguf(checkpoint: Path, out: Path, quantisation: str) -> dict[str, Any]:
    """Convert a checkpoint to GGUF and quantise it; `out` appears whole or not at all.

    Args:
        checkpoint: a Hugging Face folder (safetensors, tokenizer, chat template).
        out: the file to write. If it exists it is taken as finished.
        quantisation: a llama.cpp name, `Q8_0`, `Q4_K_M`, `F16` and so on.

    Returns:
        quantisation, bytes, and `tensor_types`: how many tensors were really written in which type (K-quants
        fall back to other types for widths that are no multiple of 256).

    Raises:
        UserError: the converter is missing, or the quantisation is unknown.
        RectuneError: conversion or quantisation failed; the message has the log's last lines.
    """
    file_type = quantisation_code(quantisation)
    if not out.exists():
        plain, partial = out.with_name(out.name + ".plain"), out.with_name(out.name + ".partial")
        try:
            convert(checkpoint, plain, _UNQUANTISED.get(quantisation, "f16"))
            if quantisation in _UNQUANTISED:
                plain.replace(out)
            else:
                quantise(plain, partial, file_type)
                partial.replace(out)
        finally:
            plain.unlink(missing_ok=True)
            partial.unlink(missing_ok=True)
    return {"quantisation": quantisation, "bytes": out.stat().st_size, "tensor_types": tensor_types(out)}


def quantisation_code(name: str) -> int:
    """llama.cpp's number for a quantisation.

    Raises:
        UserError: lists the names that there are.
    """
    import llama_cpp

    prefixes = ("LLAMA_FTYPE_MOSTLY_", "LLAMA_FTYPE_ALL_")
    known = {
        key.removeprefix(p): getattr(llama_cpp, key)
        for p in prefixes
        for key in dir(llama_cpp)
        if key.startswith(p)
    }
    if name not in known:
        raise UserError(
            f"{name!r} is no quantisation of llama.cpp", mend="name one of: " + ", ".join(sorted(known))
        )
    return int(known[name])


def convert(checkpoint: Path, out: Path, kind: str) -> None:
    """Run llama.cpp's convert_hf_to_gguf.py in a process of its own; `kind` is f32, f16 or bf16."""
    folder = converter_folder()
    if not is_current(folder):
        found = f"llama.cpp's converter for llama-cpp-python {runtime_version()} is not unpacked"
        raise UserError(found, where=str(folder), mend="run: make setup")
    say(f"converting {checkpoint.name} to GGUF")
    script = str(folder / "convert_hf_to_gguf.py")
    command = [
        sys.executable,
        script,
        str(checkpoint.resolve()),
        "--outfile",
        str(out.resolve()),
        "--outtype",
        kind,
    ]
    # gguf-py of the same commit goes before the installed package, so that converter and format agree.
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), str(folder / "gguf-py")])}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, errors="replace"
    )
    if done.returncode or not out.exists():
        tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-8:])
        raise RectuneError(f"{checkpoint}: llama.cpp's converter failed (exit {done.returncode}):\n{tail}")


def quantise(source: Path, out: Path, file_type: int) -> None:
    """Quantise a plain GGUF file with the library that will also run it."""
    import llama_cpp

    settings = llama_cpp.llama_model_quantize_default_params()
    settings.ftype = file_type
    settings.nthread = os.cpu_count() or 1
    failed = llama_cpp.llama_model_quantize(str(source).encode(), str(out).encode(), settings)
    if failed:
        raise RectuneError(
            f"{source}: llama.cpp could not quantise it (code {failed}); its reason is in the run's log"
        )


def tensor_types(file: Path) -> dict[str, int]:
    """How many tensors of a GGUF file have which type, the most frequent first."""
    from gguf import GGUFReader

    return dict(Counter(tensor.tensor_type.name for tensor in GGUFReader(file).tensors).most_common())
