"""Converting a checkpoint folder to a quantised GGUF file with llama.cpp's converter and quantiser."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from rectune.core.errors import MissingExtra, RectuneError, UserError, first_line
from rectune.core.extras import needs_extra
from rectune.core.figures.record import GgufFile
from rectune.core.progress import say
from rectune.models.fetch_converter import COMMAND, converter_folder, is_current, runtime_version

_UNQUANTISED = {"F32": "f32", "F16": "f16", "BF16": "bf16"}  # what the converter can write by itself


def to_gguf(checkpoint: Path, out: Path, quantisation: str) -> GgufFile:
    """Convert a checkpoint to GGUF and quantise it; `out` appears whole or not at all.

    Args:
        checkpoint: a Hugging Face folder (safetensors, tokenizer, chat template).
        out: the file to write. If it exists it is taken as finished.
        quantisation: a llama.cpp name, `Q8_0`, `Q4_K_M`, `F16` and so on.

    Returns:
        What was written; K-quants fall back to other types for widths that are no multiple of 256.

    Raises:
        UserError: the converter is missing, or the quantisation is unknown.
        RectuneError: conversion or quantisation failed; the message has the log's last lines.
    """
    quantisation_code(quantisation)
    if not out.exists() and quantisation in _UNQUANTISED:
        convert(checkpoint, out, _UNQUANTISED[quantisation])
    elif not out.exists():
        plain = out.with_name(out.name + ".plain")
        try:
            convert(checkpoint, plain, "f16")
            to_quantised(plain, out, quantisation)
        finally:
            plain.unlink(missing_ok=True)
    return gguf_figures(out, quantisation)


def to_quantised(plain: Path, out: Path, quantisation: str) -> None:
    """Write a GGUF file's weights in another type; `out` is whole or absent, and kept if it exists.

    Raises:
        UserError: the quantisation is unknown.
        RectuneError: llama.cpp could not quantise the file.
    """
    file_type = quantisation_code(quantisation)
    if out.exists():
        return
    partial = out.with_name(out.name + ".partial")
    try:
        quantise(plain, partial, file_type)
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)


def gguf_figures(file: Path, quantisation: str) -> GgufFile:
    """What `to_gguf` returns."""
    return GgufFile(quantisation=quantisation, bytes=file.stat().st_size, tensor_types=tensor_types(file))


@needs_extra("GGUF")
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
            f"{name!r} is no quantisation of llama.cpp", hint="name one of: " + ", ".join(sorted(known))
        )
    return int(known[name])


def convert(checkpoint: Path, out: Path, kind: str) -> None:
    """Write a checkpoint as GGUF with llama.cpp's convert_hf_to_gguf.py; `kind` is f32, f16 or bf16.

    `out` appears whole or not at all.
    """
    say(f"converting {checkpoint.name} to GGUF")
    _run("convert_hf_to_gguf.py", [str(checkpoint.resolve()), "--outtype", kind], out)


def convert_adapter(checkpoint: Path, adapter: Path, out: Path) -> None:
    """Write a LoRA adapter as GGUF (float32), for use with the GGUF file of its base.

    Args:
        checkpoint: the folder of the base; only its config is read.
        adapter: as peft saves it.
        out: the file to write, whole or not at all.

    Raises:
        UserError: the converter is missing, or llama.cpp does not support this kind of adapter.
        RectuneError: conversion failed; the message has the log's last lines.
    """
    say("converting the adapter to GGUF")
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".adapter-") as scratch:
        copy = Path(scratch)
        config = adapter_config(adapter / "adapter_config.json")
        (copy / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
        (copy / "adapter_model.safetensors").symlink_to((adapter / "adapter_model.safetensors").resolve())
        command = [str(copy.resolve()), "--base", str(checkpoint.resolve()), "--outtype", "f32"]
        _run("convert_lora_to_gguf.py", command, out)


def adapter_config(file: Path) -> dict[str, Any]:
    """An adapter's config with its alpha adjusted for llama.cpp, which always scales by alpha / r.

    Raises:
        UserError: llama.cpp does not support this kind of adapter.
    """
    config: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    named = ("use_dora", "alpha_pattern", "rank_pattern", "modules_to_save", "lora_bias")
    if odd := [name for name in named if config.get(name)]:
        raise UserError(
            f"llama.cpp has no adapters with {', '.join(odd)}",
            where=str(file),
            hint="set release.adapter_gguf=false; the merged model has everything",
        )
    if config.get("use_rslora"):  # Kalajdzievski 2023: the scale is alpha / sqrt(r)
        config["lora_alpha"] = config["lora_alpha"] * math.sqrt(config["r"])
    return config


def _run(script: str, arguments: Sequence[str], out: Path) -> None:
    """Run a converter of llama.cpp in a process of its own."""
    folder = converter_folder()
    if not is_current(folder):
        found = f"llama.cpp's converter for llama-cpp-python {runtime_version()} is not unpacked"
        raise UserError(found, where=str(folder), hint=f"run: {COMMAND}")
    partial = out.with_name(out.name + ".partial")
    command = [sys.executable, str(folder / script), *arguments, "--outfile", str(partial.resolve())]
    # gguf-py of the same commit goes before the installed package, so that converter and format agree.
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), str(folder / "gguf-py")])}
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, errors="replace"
        )
        if done.returncode or not partial.exists():
            tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-8:])
            raise RectuneError(f"llama.cpp's {script} failed (exit {done.returncode}):\n{tail}")
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)


@needs_extra("GGUF")
def quantise(source: Path, out: Path, file_type: int) -> None:
    """Write a GGUF file's weights in another type with the library that will also run them.

    Bits that a quantised file has lost do not come back; the new type should have more bits.
    """
    import llama_cpp

    settings = llama_cpp.llama_model_quantize_default_params()
    settings.ftype = file_type
    settings.allow_requantize = True
    settings.nthread = os.cpu_count() or 1
    failed = llama_cpp.llama_model_quantize(str(source).encode(), str(out).encode(), settings)
    if failed:
        raise RectuneError(
            f"{source}: llama.cpp could not quantise it (code {failed}); its reason is in the run's log"
        )


def check_single(file: Path) -> None:
    """Refuse a GGUF file that is one part of several: transformers would make up the tensors of the others.

    Raises:
        UserError: it is a part, is cut off, or damaged.
    """
    try:
        field = open_gguf(file).get_field("split.count")
    except MissingExtra:
        raise
    except Exception as problem:  # whatever numpy and struct say of bytes that end too early
        found = f"is cut off or damaged ({first_line(problem)})"
        raise UserError(found, where=str(file), hint="download or make it again") from None
    if field and int(field.contents()) > 1:
        found = f"is one of {int(field.contents())} parts of a model"
        hint = (
            "merge them first (llama-gguf-split --merge FIRST.gguf WHOLE.gguf), or name its checkpoint folder"
        )
        raise UserError(found, where=str(file), hint=hint)


@lru_cache(maxsize=1)
@needs_extra("GGUF")
def _reader(file: Path, size: int, modified: int) -> Any:
    from gguf.gguf_reader import GGUFReader  # not the name that `parsed_once` replaces

    return GGUFReader(file)


def open_gguf(file: Path) -> Any:
    """gguf's reader of a file; the latest is kept, because reading a vocabulary takes seconds."""
    state = file.stat()
    return _reader(file, state.st_size, state.st_mtime_ns)


@contextmanager
def parsed_once() -> Iterator[None]:
    """While it lasts, whoever opens a GGUF file by gguf's reader gets the one of `open_gguf`: transformers
    parses a file anew, vocabulary and all, for the config, the tokenizer and the weights.
    """
    import gguf

    own = gguf.GGUFReader
    gguf.GGUFReader = lambda file, *rest: own(file, *rest) if rest else open_gguf(Path(file))
    try:
        yield
    finally:
        gguf.GGUFReader = own


def tensor_types(file: Path) -> dict[str, int]:
    """How many tensors of a GGUF file have which type, the most frequent first."""
    return dict(Counter(tensor.tensor_type.name for tensor in open_gguf(file).tensors).most_common())
