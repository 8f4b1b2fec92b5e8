"""Versions that do not work together are found, whatever really is installed."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from rectune.pipeline.doctor import examine
from rectune.pipeline.version_conflicts import (
    build_conflict,
    declared,
    installed,
    linked_cuda,
    version_conflicts,
)

DECLARED = {
    "trl": [
        "transformers>=4.56.2",
        'transformers!=5.1.0; extra == "deepspeed"',
        'liger-kernel>=0.8.2; extra == "liger"',
    ],
    "transformers": ['kernels<0.19,>=0.18.2; extra == "kernels"', 'pytest<9; extra == "testing"'],
    "rectune": ["peft>=0.21,<0.22"],
}
GOOD = {"transformers": "5.23.0", "peft": "0.21.2", "bitsandbytes": "0.50.2"}


def found(versions: Mapping[str, str], device: str = "cpu") -> list[str]:
    def chosen(names: Iterable[str]) -> dict[str, str]:
        return {name: versions[name] for name in names if name in versions}

    return [
        clash.says for clash in version_conflicts(lambda package: DECLARED.get(package, []), chosen, device)
    ]


def test_versions_that_go_together_are_let_be() -> None:
    assert found(GOOD) == []
    assert found(GOOD | {"pytest": "9.1"}) == []  # an extra that nothing here is about


@pytest.mark.parametrize(
    ("package", "version", "words"),
    [
        ("transformers", "4.40.0", "trl wants transformers >=4.56.2, installed is 4.40.0"),
        ("transformers", "5.1.0", "trl wants transformers !=5.1.0"),
        ("peft", "0.22.0", "rectune wants peft"),
        ("kernels", "0.20.0", "transformers wants kernels"),
        ("liger-kernel", "0.5.0", "trl wants liger-kernel >=0.8.2"),
        ("bitsandbytes", "0.45.5", "computes on CUDA only"),
    ],
)
def test_a_version_that_does_not_work_is_named_with_what_it_breaks(
    package: str, version: str, words: str
) -> None:
    said = found(GOOD | {package: version})
    assert len(said) == 1 and words in said[0]


def test_what_fails_on_a_cpu_only_is_no_fault_on_cuda() -> None:
    assert found(GOOD | {"bitsandbytes": "0.45.5"}, "cuda") == []


def test_what_is_installed_here_goes_together() -> None:
    assert "transformers>=4.56.2" in declared("trl") and declared("no-such-package") == []
    assert list(version_conflicts(declared, installed, "cpu")) == []


@pytest.mark.parametrize(
    ("torch", "offload", "linked", "words"),
    [
        (None, True, "12", "torch is a build without CUDA"),
        ("12.8", False, "", "llama-cpp-python is a build without CUDA"),
        ("13.0", True, "12", "torch is built for CUDA 13.0, llama-cpp-python for CUDA 12"),
    ],
)
def test_builds_for_another_accelerator_are_named(
    torch: str | None, offload: bool, linked: str, words: str
) -> None:
    clash = build_conflict(torch, offload, linked)
    assert clash is not None and words in clash.says and clash.hint


def test_builds_for_the_same_cuda_are_let_be() -> None:
    assert build_conflict("12.8", True, "12") is None and build_conflict("12.8", True, "") is None


def test_the_linked_cuda_is_read_from_the_library(tmp_path: Path) -> None:
    assert linked_cuda(tmp_path) == ""
    (tmp_path / "libggml-cuda.so").write_bytes(b"\0\0libcudart.so.12\0libc.so.6\0")
    assert linked_cuda(tmp_path) == "12"


def test_the_doctor_says_what_excludes_what(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no two versions exclude each other" in examine()[0]
    real = installed

    def faked(names: Iterable[str]) -> dict[str, str]:
        found = real(names)
        return found | {"transformers": "5.1.0"} if "transformers" in found else found

    monkeypatch.setattr("rectune.pipeline.version_conflicts.installed", faked)
    said, healthy = examine()
    assert (
        not healthy and "MEND together" in said and "installed is 5.1.0" in said and "-> make setup" in said
    )


def test_the_doctor_names_what_deepspeed_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    said, healthy = examine()
    assert not healthy and "DeepSpeed compiles an operator and has no C++ compiler" in said


def test_a_flash_attn_for_another_torch_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert "flash-attn" not in examine()[0]
    (tmp_path / "flash_attn.py").write_text("raise ImportError('undefined symbol: _ZN3c105Error')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(str(tmp_path))
    said, _ = examine()
    assert "undefined symbol" in said and "train.attn_implementation: sdpa" in said
