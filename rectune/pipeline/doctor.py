"""`rectune doctor`: what works on this machine, and how to repair what does not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rectune.core.errors import MissingExtra, UserError, how_to_install
from rectune.core.extras import EXTRAS, absent_modules, is_installed
from rectune.core.package_data import CONSTRAINTS, SET_UP, WITH_SET_UP
from rectune.pipeline.plan import PACKAGES, package_versions

_SHOWN = 4  # absent packages that are named
_DISK_WANTED = 4 * 2**30  # bytes: what the demo leaves behind, with room


@dataclass(frozen=True)
class DoctorCheck:
    """One line of the report. `hint` is what to do; if a `needed` check fails, the exit status is 2."""

    subject: str
    good: bool
    says: str
    hint: str = ""
    needed: bool = True


def examine(runs: Path = Path("runs")) -> tuple[str, bool]:
    """Look at everything; returns the report, and whether all that is needed is there.

    Args:
        runs: the artifact store to be used.
    """
    checks: tuple[Callable[[], DoctorCheck | None], ...] = (
        _python, _packages, *(partial(_extra, extra) for extra in EXTRAS), _together, _constraints, _embedded,
        _converter, _compiler, _accelerator, _builds, _attention, partial(_disk, runs), partial(_store, runs),
        _tags, _scratch, _cache, _hub,
    )  # fmt: skip
    findings = [finding for check in checks if (finding := check())]
    lines = []
    for finding in findings:
        mark = "ok  " if finding.good else "MEND" if finding.needed else "note"
        lines.append(f"{mark} {finding.subject:<12} {finding.says}")
        if not finding.good and finding.hint:
            lines.append(f"     {'':<12} -> {finding.hint}")
    return "\n".join(lines), all(finding.good or not finding.needed for finding in findings)


def _python() -> DoctorCheck:
    version = ".".join(str(part) for part in sys.version_info[:3])
    return DoctorCheck("Python", sys.version_info >= (3, 11), version, f"{SET_UP}, with a newer Python")


def _packages() -> DoctorCheck:
    """What is needed without any extra, as the installed package declares it."""
    from packaging.requirements import Requirement

    from rectune.pipeline.version_conflicts import declared, installed

    stated = [Requirement(text) for text in declared("rectune")]
    needed = [one.name for one in stated if one.marker is None or one.marker.evaluate({"extra": ""})]
    absent = [name for name in needed if not installed([name])]
    says = f"absent: {', '.join(absent)}" if absent else f"all {len(needed)} required ones are installed"
    return DoctorCheck("packages", not absent, says, SET_UP)


def _extra(name: str) -> DoctorCheck:
    """Whether the packages of an extra are there. Only a checkout is set up with all that a machine needs."""
    absent = absent_modules(name)
    more = f" and {len(absent) - _SHOWN} more" if len(absent) > _SHOWN else ""
    says = f"absent: {', '.join(absent[:_SHOWN])}{more}" if absent else "installed"
    needed = CONSTRAINTS.is_file() and name in WITH_SET_UP
    return DoctorCheck(f"extra {name}", not absent, says, how_to_install(name), needed=needed)


def _together() -> DoctorCheck:
    """Packages whose versions conflict, by their metadata and by the known conflicts."""
    from rectune.pipeline.version_conflicts import declared, installed, version_conflicts

    found = list(version_conflicts(declared, installed, "cuda" if _has_nvidia() else "cpu"))
    says = "; ".join(clash.says for clash in found) or "no two versions exclude each other"
    return DoctorCheck("together", not found, says, "; ".join(dict.fromkeys(clash.hint for clash in found)))


def _constraints() -> DoctorCheck | None:
    """Versions other than the pinned ones are untested. Only a checkout has the pins."""
    if not CONSTRAINTS.is_file():
        return None
    pins, installed = _pins(CONSTRAINTS), package_versions()
    other = [
        f"{name} {installed[name]} (tried: {pins.get(name, 'none')})"
        for name in PACKAGES
        if name in installed and installed[name] != pins.get(name)
    ]
    says = "; ".join(other) or "as pinned in constraints.txt"
    return DoctorCheck("versions", not other, says, SET_UP, needed=False)


def _embedded() -> DoctorCheck | None:
    from rectune.models.reference import gguf_file

    try:
        return DoctorCheck("model", True, f"embedded: {gguf_file('embedded').name}")
    except MissingExtra:
        return None
    except UserError as missing:
        return DoctorCheck("model", False, missing.message, missing.hint or SET_UP)


def _converter() -> DoctorCheck | None:
    if not is_installed("llama_cpp"):
        return None
    from rectune.models.fetch_converter import COMMAND, converter_folder, is_current

    good = is_current(converter_folder())
    says = "llama.cpp's converter, of the runtime's version" if good else "absent, or of another version"
    return DoctorCheck("converter", good, says, COMMAND)


def _compiler() -> DoctorCheck | None:
    if not is_installed("deepspeed"):
        return None
    compiler = shutil.which("c++") or shutil.which("g++")
    ninja = shutil.which("ninja") or (Path(sys.executable).parent / "ninja").exists()
    good = bool(compiler and ninja)
    absent = " and ".join(name for name, found in (("C++ compiler", compiler), ("ninja", ninja)) if not found)
    says = f"{compiler}, ninja" if good else f"DeepSpeed compiles an operator and has no {absent}"
    return DoctorCheck("compiler", good, says, f"apt-get install g++, then {SET_UP}")


def _accelerator() -> DoctorCheck:
    if not _has_nvidia():
        return DoctorCheck(
            "accelerator", True, f"none; {os.cpu_count()} CPU cores, enough for the recipe demo"
        )
    command = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    found = "; ".join(answer.stdout.split("\n")).strip("; ")
    hint = "install a torch build for the accelerator, and llama-cpp-python with CMAKE_ARGS=-DGGML_CUDA=on"
    return DoctorCheck(
        "accelerator", answer.returncode == 0, found or answer.stderr.strip(), hint, needed=False
    )


def _has_nvidia() -> bool:
    return shutil.which("nvidia-smi") is not None


def _builds() -> DoctorCheck | None:
    """How torch and llama.cpp were built; of interest only where there is an accelerator."""
    if not (_has_nvidia() and is_installed("llama_cpp") and is_installed("torch")):
        return None
    import llama_cpp
    import torch

    from rectune.pipeline.version_conflicts import build_conflict, linked_cuda

    cuda = linked_cuda(Path(llama_cpp.__file__).parent / "lib")
    clash = build_conflict(torch.version.cuda, bool(llama_cpp.llama_supports_gpu_offload()), cuda)
    says = clash.says if clash else f"torch and llama-cpp-python are built for CUDA {torch.version.cuda}"
    return DoctorCheck("builds", clash is None, says, clash.hint if clash else "", needed=False)


def _attention() -> DoctorCheck | None:
    """flash-attn is compiled against one torch, which its metadata does not name: only loading it tells."""
    if not is_installed("flash_attn"):
        return None
    command = [sys.executable, "-c", "import flash_attn"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    good = answer.returncode == 0
    reason = (answer.stderr.strip().splitlines() or ["no reason given"])[-1][:200]
    says = "flash-attn loads" if good else f"flash-attn does not load with this torch: {reason}"
    hint = (
        "pip install --no-build-isolation --force-reinstall --no-deps flash-attn, "
        "or set train.attn_implementation: sdpa"
    )
    return DoctorCheck("flash-attn", good, says, hint, needed=False)


def _disk(runs: Path) -> DoctorCheck:
    left = shutil.disk_usage(_nearest(runs)).free
    says = f"{left / 2**30:.0f} GiB free for {runs}; the demo leaves about 2 GiB"
    return DoctorCheck(
        "disk", left > _DISK_WANTED, says, "free some space, or give another folder with --runs"
    )


def _store(runs: Path) -> DoctorCheck:
    return _writing("runs", runs, "give a folder that you may write to with --runs")


def _tags() -> DoctorCheck:
    return _writing("tags", Path("tags"), "give a path that ends in .sqlite as align.tags", needed=False)


def _scratch() -> DoctorCheck:
    """Where the work of a moment goes: probes, files unpacked."""
    hint = "set TMPDIR to a folder that you may write to"
    try:
        return _writing("scratch", Path(tempfile.gettempdir()), hint)
    except FileNotFoundError:
        return DoctorCheck("scratch", False, "no folder for temporary files can be written to", hint)


def _cache() -> DoctorCheck:
    from rectune.inference.weights import cache_folder

    hint = "set XDG_CACHE_HOME to a folder that you may write to; without it batches are slower"
    try:
        return _writing("cache", cache_folder(), hint, needed=False)
    except UserError as unknown:
        return DoctorCheck("cache", False, unknown.message, hint, needed=False)


def _writing(subject: str, folder: Path, hint: str, *, needed: bool = True) -> DoctorCheck:
    """Whether a folder, or where it would be made, takes a file; the file is gone afterwards."""
    place = _nearest(folder)
    if not place.is_dir():
        return DoctorCheck(subject, False, f"{place} is no folder", hint, needed)
    try:
        with tempfile.TemporaryFile(dir=place) as file:
            file.write(b"0" * 4096)
            file.flush()
    except OSError as problem:
        return DoctorCheck(subject, False, f"{place} cannot be written to: {problem.strerror}", hint, needed)
    return DoctorCheck(subject, True, f"{folder} can be written to")


def _nearest(folder: Path) -> Path:
    """The folder itself, or the nearest above it that is there."""
    return next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())


def _hub() -> DoctorCheck | None:
    if not is_installed("huggingface_hub"):
        return None
    from huggingface_hub import get_token

    good = get_token() is not None
    says = "logged in" if good else "not logged in; only push and private models need it"
    return DoctorCheck("Hub", good, says, "hf auth login", needed=False)


def _pins(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    lines = [line.split("==") for line in path.read_text(encoding="utf-8").splitlines() if "==" in line]
    return {name.strip().lower().replace("_", "-"): version.strip() for name, version in lines}
