"""A checkpoint is taken only if it is sealed and whole."""

from pathlib import Path

import pytest

from rectune.models.checkpoints import SEAL, discard_broken, last_complete, seal, step_of


def make(folder: Path, step: int, *, sealed: bool = True) -> Path:
    checkpoint = folder / f"checkpoint-{step}"
    (checkpoint / "state").mkdir(parents=True)
    (checkpoint / "weights").write_bytes(b"w" * step)
    (checkpoint / "state" / "rank_0").write_bytes(b"optimiser")
    if sealed:
        seal(checkpoint)
    return checkpoint


def test_no_folder_means_a_fresh_start(tmp_path: Path) -> None:
    assert last_complete(tmp_path / "absent") is None


def test_the_newest_sealed_checkpoint_is_taken_by_number(tmp_path: Path) -> None:
    for step in (9, 100, 20):
        make(tmp_path, step)
    newest = last_complete(tmp_path)
    assert newest is not None and step_of(newest) == 100


def test_half_written_checkpoints_are_never_taken(tmp_path: Path) -> None:
    whole = make(tmp_path, 10)
    make(tmp_path, 20, sealed=False)
    (make(tmp_path, 30) / "state" / "rank_0").unlink()
    (make(tmp_path, 40) / "weights").write_bytes(b"cut")
    (make(tmp_path, 50) / SEAL).write_text("{")
    assert last_complete(tmp_path) == whole
    discard_broken(tmp_path)
    assert list(tmp_path.iterdir()) == [whole]


def test_another_number_of_processes_cannot_take_it_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, 10)
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert last_complete(tmp_path) is None
