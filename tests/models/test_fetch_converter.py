"""Unpacking the converter: only what is wanted, only into the folder, or nothing."""

import io
import tarfile
from pathlib import Path

import pytest

from rectune.core.errors import UserError
from rectune.models import fetch_converter

WHOLE = [
    "convert_hf_to_gguf.py",
    "convert_lora_to_gguf.py",
    "conversion/base.py",
    "gguf-py/gguf/constants.py",
]


def sdist(path: Path, names: list[str]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = 4
            archive.addfile(member, io.BytesIO(b"text"))
    return path


def inside(names: list[str]) -> list[str]:
    return [f"llama_cpp_python-9/vendor/llama.cpp/{name}" for name in names]


def test_the_converter_and_nothing_else_is_unpacked(tmp_path: Path) -> None:
    file = sdist(tmp_path / "s.tar.gz", [*inside([*WHOLE, "src/llama.cpp"]), "llama_cpp_python-9/setup.py"])
    folder = tmp_path / "share" / "llama.cpp"
    fetch_converter.unpack(file, folder)
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert found == {*WHOLE, "VERSION"}
    assert fetch_converter.is_current(folder)


def test_the_converter_of_another_runtime_is_stale(tmp_path: Path) -> None:
    (tmp_path / "VERSION").write_text(fetch_converter.runtime_version())
    assert fetch_converter.is_current(tmp_path)
    (tmp_path / "VERSION").write_text("0.0.1")
    assert not fetch_converter.is_current(tmp_path)


def test_an_archive_that_leads_outside_is_refused(tmp_path: Path) -> None:
    file = sdist(tmp_path / "s.tar.gz", inside([*WHOLE, "conversion/../../../../escaped"]))
    with pytest.raises(tarfile.OutsideDestinationError):
        fetch_converter.unpack(file, tmp_path / "share" / "llama.cpp")
    assert not list(tmp_path.rglob("escaped"))
    assert not (tmp_path / "share" / "llama.cpp").exists()


def test_an_archive_without_the_converter_leaves_the_old_one(tmp_path: Path) -> None:
    file = sdist(tmp_path / "s.tar.gz", inside(WHOLE[:1]))
    folder = tmp_path / "share" / "llama.cpp"
    folder.mkdir(parents=True)
    (folder / "VERSION").write_text("old")
    with pytest.raises(UserError, match="conversion"):
        fetch_converter.unpack(file, folder)
    assert (folder / "VERSION").read_text() == "old"
