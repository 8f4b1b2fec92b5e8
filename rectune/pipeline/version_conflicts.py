"""Conflicting package versions: those that the metadata declares, and known ones besides."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_HINT = "make setup, or .venv/bin/pip install -c constraints.txt {}"

# Whose declarations count. An extra's demands hold here where the package that it is about is installed.
DECLARING = (
    "rectune", "trl", "peft", "transformers", "accelerate", "bitsandbytes", "deepspeed", "datasets",
    "sentence-transformers", "llama-cpp-python", "lancedb",
)  # fmt: skip
_EXTRAS = {
    "trl": ("deepspeed", "peft", "quantization", "liger"),
    "transformers": ("torch", "deepspeed", "kernels"),
    "rectune": ("llm", "train", "ray"),
}


@dataclass(frozen=True)
class KnownConflict:
    """Versions of a package that do not work on `cpu`, `cuda` or anywhere though its metadata allows them."""

    package: str
    versions: str
    where: str
    reason: str


KNOWN = (
    # bitsandbytes' documentation of 0.45.1 says CUDA only; 0.46.0 brought the other backends into its
    # releases.
    KnownConflict(
        "bitsandbytes", "<0.46", "cpu", "computes on CUDA only, so 4-bit models do not load on a CPU"
    ),
)


@dataclass(frozen=True)
class VersionConflict:
    """A conflict, and what to do about it."""

    says: str
    hint: str


def installed(names: Iterable[str]) -> dict[str, str]:
    """Versions of those of the packages that are installed."""
    found = {}
    for name in names:
        try:
            found[_plain(name)] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def declared(package: str) -> list[str]:
    """The requirements that a package's metadata states; none where it is not installed."""
    try:
        return importlib.metadata.requires(package) or []
    except importlib.metadata.PackageNotFoundError:
        return []


def version_conflicts(
    requires: Callable[[str], list[str]], versions: Callable[[Iterable[str]], Mapping[str, str]], device: str
) -> Iterator[VersionConflict]:
    """All conflicts.

    Args:
        requires: a package's requirements, as `declared` gives them.
        versions: installed versions by plain name, as `installed` gives them.
        device: `cpu` or `cuda`.
    """
    from packaging.requirements import Requirement

    for package in DECLARING:
        for requirement in (Requirement(text) for text in requires(package)):
            if _applies(requirement.marker, package):
                yield from _unmet(package, requirement, versions)
    for known in KNOWN:
        yield from _known(known, versions, device)


def _applies(marker: object, package: str) -> bool:
    if marker is None:
        return True
    extras = ("", *_EXTRAS.get(package, ()))
    return any(marker.evaluate({"extra": extra}) for extra in extras)  # type: ignore[attr-defined]


def _unmet(
    package: str, requirement: object, versions: Callable[[Iterable[str]], Mapping[str, str]]
) -> Iterator[VersionConflict]:
    name, wanted = requirement.name, requirement.specifier  # type: ignore[attr-defined]
    found = versions([name]).get(_plain(name))
    if found and not wanted.contains(found, prereleases=True):
        yield VersionConflict(
            f"{package} wants {name} {wanted}, installed is {found}", _HINT.format(f"{package} {name}")
        )


def _known(
    known: KnownConflict, versions: Callable[[Iterable[str]], Mapping[str, str]], device: str
) -> Iterator[VersionConflict]:
    from packaging.specifiers import SpecifierSet

    found = versions([known.package]).get(known.package)
    if (
        found
        and known.where in ("", device)
        and SpecifierSet(known.versions).contains(found, prereleases=True)
    ):
        yield VersionConflict(f"{known.package} {found} {known.reason}", _HINT.format(known.package))


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def build_conflict(torch_cuda: str | None, llama_gpu: bool, llama_cuda: str) -> VersionConflict | None:
    """What is wrong with the builds on a machine with an NVIDIA accelerator.

    Args:
        torch_cuda: `torch.version.cuda`; None for a build without CUDA.
        llama_gpu: whether llama.cpp was built to use an accelerator.
        llama_cuda: the major version of CUDA that it is linked to; empty where that is unknown.
    """
    if torch_cuda is None:
        hint = "install torch from the index of builds for your CUDA, in the version of constraints.txt"
        return VersionConflict("torch is a build without CUDA, so training would run on the CPU", hint)
    pip = ".venv/bin/pip install --no-binary llama-cpp-python --force-reinstall --no-deps llama-cpp-python"
    flags = f"CMAKE_ARGS=-DGGML_CUDA=on {pip}, in the version of constraints.txt"
    if not llama_gpu:
        return VersionConflict(
            "llama-cpp-python is a build without CUDA, so generation would run on the CPU", flags
        )
    if llama_cuda and llama_cuda != torch_cuda.partition(".")[0]:
        says = (
            f"torch is built for CUDA {torch_cuda}, llama-cpp-python for CUDA {llama_cuda}: "
            "both runtimes are needed"
        )
        return VersionConflict(says, flags)
    return None


def linked_cuda(folder: Path) -> str:
    """The major version of the CUDA runtime that the libraries in a folder name; empty where none does."""
    for library in sorted(folder.glob("*cuda*.so*")):
        found = re.search(rb"libcudart\.so\.([0-9]{1,3})", library.read_bytes())
        if found:
            return found[1].decode()
    return ""
