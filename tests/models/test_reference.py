"""References: what a name means, and errors that say what to name instead."""

import shutil
from pathlib import Path

import pytest

from rectune.core.errors import UserError
from rectune.models.reference import content_digest, gguf_file, locate


def test_the_embedded_model_is_a_gguf_file_on_disk() -> None:
    reference = locate("embedded")
    assert reference.kind == "embedded"
    assert reference.path is not None and reference.path.read_bytes()[:4] == b"GGUF"
    assert gguf_file("embedded") == reference.path


def test_tiny_has_no_file_and_a_digest_all_the_same() -> None:
    reference = locate("tiny")
    assert (reference.kind, reference.path) == ("tiny", None)
    assert reference.digest() == locate("tiny").digest()


@pytest.mark.parametrize(("name", "digest"), [("org/model", "hub:org/model@main"), ("o/m@v1", "hub:o/m@v1")])
def test_a_hub_id_is_told_by_name_and_revision(name: str, digest: str) -> None:
    reference = locate(name)
    assert (reference.kind, reference.digest()) == ("hub", digest)


def test_a_folder_needs_a_config(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"config\.json"):
        locate(str(tmp_path))
    (tmp_path / "config.json").write_text("{}")
    assert locate(str(tmp_path)).kind == "folder"


def test_a_gguf_file_is_told_by_its_first_bytes(tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(b"<html>404</html>")
    with pytest.raises(UserError, match="no GGUF file"):
        locate(str(file))
    file.write_bytes(b"GGUF\x03\x00\x00\x00")
    assert locate(str(file)).kind == "gguf"
    assert gguf_file(str(file)) == file


@pytest.mark.parametrize("name", ["no such model", "./missing", "/missing/model.gguf", "../a/b"])
def test_what_is_not_there_is_refused_with_a_mend(name: str) -> None:
    with pytest.raises(UserError) as refusal:
        locate(name)
    assert refusal.value.hint


def test_a_teacher_must_be_a_gguf_file() -> None:
    with pytest.raises(UserError, match="names no GGUF file"):
        gguf_file("org/model")


def test_an_unreachable_hub_says_what_to_name_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    def unreachable(*arguments: object, **options: object) -> str:
        raise OSError("no route to host")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", unreachable)
    with pytest.raises(UserError, match="no route to host") as refusal:
        gguf_file("org/model:model-Q4_K_M.gguf")
    assert "embedded" in refusal.value.hint


def test_a_digest_follows_names_and_contents_and_not_the_place(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    (first / "sub").mkdir(parents=True)
    (first / "b").write_text("2")
    (first / "sub" / "a").write_text("1")
    shutil.copytree(first, second)
    assert content_digest(first) == content_digest(second)
    (second / "b").rename(second / "c")
    assert content_digest(first) != content_digest(second)
    before = content_digest(first)
    (first / "sub" / "a").write_text("3")
    assert content_digest(first) != before
