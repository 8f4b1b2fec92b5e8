"""Sizing an engine: threads, and tokens in the cache, from the resources that are free and allowed."""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rectune.core.settings import EngineConfig
from rectune.inference.gguf_model import metadata

_GROUPS = Path("/sys/fs/cgroup")
_MEMORY_FILES = (
    ("", "memory.max", "memory.current"),  # cgroups of version 2, then 1
    ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),
)
_HOST_SHARE, _DEVICE_SHARE = 0.5, 0.8  # of the free memory that the cache may take
_SLOTS_HOST, _SLOTS_DEVICE = 16, 64  # 16 was the fastest of 1, 8, 16, 32 on two cores
_ROOMY, _TIGHT = 16 * 2**30, 2**30  # bytes free


@dataclass(frozen=True, slots=True)
class ContextSize:
    """Sequences at once, tokens that the cache holds for all of them, tokens evaluated together at most.

    `accelerated`: at least some layers are on an accelerator.
    """

    slots: int
    cells: int
    batch: int
    accelerated: bool


def size_for(model: Any, engine: EngineConfig, limit: int) -> ContextSize:
    """Sizes for a loaded model, the free memory and the settings; explicit settings are kept.

    Args:
        model: llama.cpp's, loaded with `engine.gpu_layers`.
        engine: with `max_num_seqs` 0, as many full sequences as memory holds, up to 16 (64 on an
            accelerator).
        limit: tokens of a full sequence.
    """
    import llama_cpp

    device = device_memory() if engine.gpu_layers else 0
    room = cells_in_memory(model, engine.gpu_layers, device)
    chosen = engine.max_num_seqs or max(1, min(room // limit, _SLOTS_DEVICE if device else _SLOTS_HOST))
    slots = min(chosen, llama_cpp.llama_max_parallel_sequences() - 1)
    # Large accelerators are busy only with large batches; where memory is tight, so is that for a batch.
    batch = 2048 if device > _ROOMY else 512 if device or host_memory() > _TIGHT else 128
    return ContextSize(slots, max(limit, min(slots * limit, room)), max(batch, slots), device > 0)


def cells_in_memory(model: Any, gpu_layers: int, device: int) -> int:
    """How many tokens of 16-bit keys and values fit beside the loaded model.

    The cache of a layer is where the layer is, so if only some are on the accelerator both sides limit it.
    """
    import llama_cpp

    layers = llama_cpp.llama_model_n_layer(model)
    offloaded = min(gpu_layers, layers) if gpu_layers >= 0 else layers
    on_device = offloaded if device else 0
    layer = max(1, _bytes_a_layer(model))
    rooms = []
    if on_device:
        rooms.append(device * _DEVICE_SHARE / (layer * on_device))
    if on_device < layers:
        rooms.append(host_memory() * _HOST_SHARE / (layer * (layers - on_device)))
    return int(min(rooms, default=0))


def device_memory() -> int:
    """Free bytes of all accelerators that llama.cpp knows; 0 where there is none."""
    import llama_cpp.llama_cpp as binding

    if not binding.llama_supports_gpu_offload():
        return 0
    library = binding._lib
    library.ggml_backend_dev_count.restype = ctypes.c_size_t
    library.ggml_backend_dev_get.argtypes = [ctypes.c_size_t]
    library.ggml_backend_dev_get.restype = ctypes.c_void_p
    library.ggml_backend_dev_type.argtypes = [ctypes.c_void_p]
    place = ctypes.POINTER(ctypes.c_size_t)
    library.ggml_backend_dev_memory.argtypes = [ctypes.c_void_p, place, place]
    free, total, found = ctypes.c_size_t(), ctypes.c_size_t(), 0
    for number in range(library.ggml_backend_dev_count()):
        device = library.ggml_backend_dev_get(number)
        if library.ggml_backend_dev_type(device) == 1:  # 0 is the processor, 2 graphics in the host's memory
            library.ggml_backend_dev_memory(device, ctypes.byref(free), ctypes.byref(total))
            found += free.value
    return found


def host_memory() -> int:
    """Free bytes of main memory, those that a container allows if they are fewer."""
    import psutil

    found = int(psutil.virtual_memory().available)
    for folder, most, used in _MEMORY_FILES:
        limit, taken = _number(_GROUPS / folder / most), _number(_GROUPS / folder / used)
        if limit is not None and taken is not None:
            found = min(found, limit - taken + _cached(_GROUPS / folder / "memory.stat"))
    return max(0, found)


def whole_memory() -> int:
    """Bytes of main memory, those that a container allows if they are fewer; free or not."""
    import psutil

    limits = [_number(_GROUPS / folder / most) for folder, most, _ in _MEMORY_FILES]
    return min(int(psutil.virtual_memory().total), *(limit for limit in limits if limit is not None))


def cores() -> int:
    """Threads to compute with: physical cores, or fewer where this process or its container may use fewer.

    OMP_NUM_THREADS, which torch's agent sets for several processes, is respected. The load of the machine is
    ignored: the number of threads can change the last bits of a result, and a result must not depend on the
    load.
    """
    import psutil

    bounds = [psutil.cpu_count(logical=False) or os.cpu_count() or 1]
    if hasattr(os, "sched_getaffinity"):
        bounds.append(len(os.sched_getaffinity(0)))
    if (told := os.environ.get("OMP_NUM_THREADS", "")).isdecimal():
        bounds.append(int(told))
    if quota := _quota():
        bounds.append(round(quota))
    return max(1, min(bounds))


def _quota() -> float | None:
    """Processors that the container may use at a time."""
    try:
        quota, _, period = (_GROUPS / "cpu.max").read_text().partition(" ")
        return int(quota) / int(period)
    except (OSError, ValueError):
        quota_, period_ = (
            _number(_GROUPS / "cpu/cpu.cfs_quota_us"),
            _number(_GROUPS / "cpu/cpu.cfs_period_us"),
        )
        return quota_ / period_ if quota_ and period_ and quota_ > 0 else None


def _cached(path: Path) -> int:
    """Bytes of files that the container keeps in memory and would give up."""
    try:
        lines = dict(line.split() for line in path.read_text().splitlines())
    except (OSError, ValueError):
        return 0
    return int(lines.get("total_inactive_file", lines.get("inactive_file", 0)))


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):  # not there, or "max"
        return None


def _bytes_a_layer(model: Any) -> int:
    """Bytes that a token's keys and values take in one layer."""
    import llama_cpp

    usual = llama_cpp.llama_model_n_embd(model) // max(1, llama_cpp.llama_model_n_head(model))
    kind = metadata(model, "general.architecture")
    widths = [metadata(model, f"{kind}.attention.{part}_length") for part in ("key", "value")]
    width = sum(int(found) if found.isdecimal() else usual for found in widths)
    return int(llama_cpp.llama_model_n_head_kv(model)) * width * 2
