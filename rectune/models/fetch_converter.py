"""`python -m rectune.models.fetch_converter`: unpack llama.cpp's converter into the environment.

The sdist of llama-cpp-python contains llama.cpp at the commit its runtime was compiled from. Converter and
runtime of one commit cannot disagree about the file format, so the converter is taken from there only.
"""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path, PurePosixPath

from rectune.core.errors import UserError
from rectune.core.progress import say

PACKAGE = "llama-cpp-python"
COMMAND = "python -m rectune.models.fetch_converter"
PARTS = ("convert_hf_to_gguf.py", "convert_lora_to_gguf.py", "conversion", "gguf-py", "LICENSE")


def converter_folder() -> Path:
    """Where set-up unpacks the converter."""
    return Path(sys.prefix) / "share" / "llama.cpp"


def is_current(folder: Path) -> bool:
    """Whether the converter in `folder` is that of the installed runtime."""
    try:
        return (folder / "VERSION").read_text(encoding="utf-8").strip() == runtime_version()
    except OSError:
        return False


def runtime_version() -> str:
    """The installed version of llama-cpp-python."""
    return importlib.metadata.version(PACKAGE)


def fetch(folder: Path) -> None:
    """Download the sdist of the installed version; unpack the converter into `folder`, whole or not at all.

    Raises:
        UserError: pip could not get the sdist, or it holds no converter.
    """
    with tempfile.TemporaryDirectory(prefix="llama.cpp-") as scratch:
        unpack(_download(Path(scratch)), folder)


def unpack(sdist: Path, folder: Path) -> None:
    """Unpack the converter from the sdist of the installed version into `folder`, whole or not at all.

    Raises:
        UserError: it holds no converter.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="llama.cpp-") as scratch:
        fresh = Path(scratch) / "unpacked"
        _unpack(sdist, fresh)
        (fresh / "VERSION").write_text(runtime_version() + "\n", encoding="utf-8")
        if folder.exists():
            folder.rename(Path(scratch) / "replaced")
        fresh.rename(folder)


def _download(into: Path) -> Path:
    """The sdist. pip prepares its metadata in an isolated environment (seconds); nothing is compiled."""
    wanted = f"{PACKAGE}=={runtime_version()}"
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--no-deps",
        "--no-binary",
        PACKAGE,
        "-d",
        str(into),
        wanted,
    ]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    found = sorted(into.glob("*.tar.gz"))
    if done.returncode or not found:
        tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-5:])
        raise UserError(
            f"pip could not download the source of {wanted}:\n{tail}",
            hint=f"check that pip reaches its package index, then run: {COMMAND}",
        )
    return found[0]


def _unpack(sdist: Path, into: Path) -> None:
    """Extract `PARTS` of vendor/llama.cpp; the data filter refuses links and paths that lead outside."""
    with tarfile.open(sdist) as archive:
        for member in archive:
            inside = PurePosixPath(member.name).parts[1:]  # the first part is the sdist's own folder
            if inside[:2] == ("vendor", "llama.cpp") and inside[2:3] and inside[2] in PARTS:
                member.name = str(PurePosixPath(*inside[2:]))
                archive.extract(member, into, filter="data")
    missing = [part for part in PARTS[:4] if not (into / part).exists()]
    if missing:
        shutil.rmtree(into, ignore_errors=True)
        raise UserError(
            f"holds no {', '.join(missing)}", where=sdist.name, hint=f"install another version of {PACKAGE}"
        )


def main() -> None:
    """Fetch the converter unless it is there already."""
    folder = converter_folder()
    if not is_current(folder):
        say(f"unpacking llama.cpp's converter ({PACKAGE} {runtime_version()})")
        fetch(folder)


if __name__ == "__main__":
    main()
