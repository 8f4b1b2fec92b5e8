"""What a process computes on: the device that is here, or one that is named, with its memory and its peak."""

from __future__ import annotations

import difflib
import time
from dataclasses import dataclass

from rectune.core.errors import UserError
from rectune.core.settings import Models

# Resident bytes of a training process before it holds anything of its own: Python, torch, transformers, trl, DeepSpeed.
# On a CPU measured (`make bench-estimate` shows it again); on a GPU it is the CUDA context, the libraries' workspaces and
# what the allocator loses between blocks, and assumed: there was none to measure on.
CPU_OVERHEAD = 1.0 * 2**30
GPU_OVERHEAD = 1.5 * 2**30

# Share of the peak that training reaches: on a GPU assumed; on a CPU about what the 135M model reaches on two quiet cores,
# 70 to 120 tokens a second where a matrix product makes 150 GFLOP/s.
GPU_SHARE = 0.30
CPU_SHARE = 0.40


@dataclass(frozen=True)
class Device:
    """`memory` in bytes; `peak` in floating-point operations a second, 0 where it has to be measured."""

    name: str
    memory: int
    peak: float
    gpu: bool

    def precision(self, models: Models) -> int:
        """Bytes of an element of activations."""
        if models.compute == "auto":
            return 2 if self.gpu else 4
        return 4 if models.compute == "float32" else 2


def _gpu(name: str, gib: int, teraflops: float) -> Device:
    return Device(name, gib * 2**30, teraflops * 1e12, gpu=True)


# Dense 16-bit matrix products with float32 sums, from the vendor's data sheets.
DEVICES = {
    "a10": _gpu("NVIDIA A10", 24, 125),
    "a100-40": _gpu("NVIDIA A100 40 GB", 40, 312),
    "a100-80": _gpu("NVIDIA A100 80 GB", 80, 312),
    "h100": _gpu("NVIDIA H100 80 GB", 80, 989),
    "l4": _gpu("NVIDIA L4", 24, 121),
    "l40s": _gpu("NVIDIA L40S", 48, 362),
    "rtx3090": _gpu("NVIDIA RTX 3090", 24, 71),
    "rtx4090": _gpu("NVIDIA RTX 4090", 24, 165),
}


def find_device(name: str) -> Device:
    """The device of that name, or with no name the one that is here.

    Raises:
        UserError: it is not in the table.
    """
    if not name:
        return _device_here()
    if name not in DEVICES:
        near = difflib.get_close_matches(name, DEVICES, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise UserError(
            f"no figures of a device {name}", where="--on", mend=f"{hint}known: {', '.join(DEVICES)}"
        )
    return DEVICES[name]


def _device_here() -> Device:
    import psutil
    import torch

    if not torch.cuda.is_available():
        cores = psutil.cpu_count(logical=False) or psutil.cpu_count() or 1
        return Device(f"{cores} CPU cores", psutil.virtual_memory().total, 0.0, gpu=False)
    found = torch.cuda.get_device_properties(0)
    known = next((one for one in DEVICES.values() if one.name.split()[1] in found.name.split()), None)
    return Device(found.name, found.total_memory, known.peak if known else 0.0, gpu=True)


def measured_peak(device: Device) -> float:
    """Operations a second of a matrix product in the type that is trained in, the best of half a second of them.

    The best, since other work on the machine only ever makes one slower.
    """
    import torch

    kind = torch.bfloat16 if device.gpu else torch.float32
    size = 4096 if device.gpu else 512
    left = torch.rand(size, size, dtype=kind, device="cuda" if device.gpu else "cpu")
    best, ends = float("inf"), time.monotonic() + 0.5
    while time.monotonic() < ends:
        begun = time.perf_counter()
        float((left @ left)[0, 0])  # reading a value waits for it
        best = min(best, time.perf_counter() - begun)
    return 2.0 * size**3 / best
