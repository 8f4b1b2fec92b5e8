"""Digests of files: the same for the same content, remembered until the file changes."""

import os
import sqlite3
from pathlib import Path

import pytest

from rectune.core.digests import FILE, DigestCache, content_digest, file_digest
from rectune.core.errors import UserError


def test_a_copy_has_the_same_digest(tmp_path: Path) -> None:
    (tmp_path / "a.gguf").write_bytes(b"GGUF")
    (tmp_path / "b.gguf").write_bytes(b"GGUF")
    found = content_digest(tmp_path / "a.gguf")
    assert len(found) == 32 and found == file_digest(tmp_path / "b.gguf")
    assert DigestCache(tmp_path / "cache").digest(tmp_path / "b.gguf") == found


def test_a_digest_is_remembered_until_the_file_changes(tmp_path: Path) -> None:
    model, cache = tmp_path / "a.gguf", DigestCache(tmp_path / "cache")
    model.write_bytes(b"GGUF one")
    state = model.stat()
    assert cache.digest(model) == content_digest(model)
    # Other content under the same size and time shows that nothing is hashed again.
    model.write_bytes(b"GGUF two")
    os.utime(model, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert DigestCache(tmp_path / "cache").digest(model) != content_digest(model)
    model.write_bytes(b"GGUF three")
    assert cache.digest(model) == content_digest(model)


def test_another_process_finds_what_was_remembered(tmp_path: Path) -> None:
    file = tmp_path / "raw.csv"
    file.write_text("a,b\n")
    found = DigestCache(tmp_path).digest(file)
    with sqlite3.connect(tmp_path / FILE) as base:
        assert base.execute("select path, digest from digests").fetchall() == [(str(file), found)]
        base.execute("update digests set digest = 'planted'")
    assert DigestCache(tmp_path).digest(file) == "planted"


def test_no_file_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.gguf"):
        DigestCache(tmp_path).digest(tmp_path / "none.gguf")


def test_what_is_no_cache_is_a_clear_error_and_stays_as_it_was(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("notes of mine, long enough to be taken for a database by nobody\n" * 20)
    before = (tmp_path / FILE).read_bytes()
    with pytest.raises(UserError, match=FILE):
        DigestCache(tmp_path).digest(tmp_path / FILE)
    assert (tmp_path / FILE).read_bytes() == before
