"""`rectune database`: a copy of the service's database, and back."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from rectune.cli.main import app
from rectune.core.errors import UserError
from rectune.serving.store.database import open_database
from rectune.serving.store.users import create, find


def run(*arguments: object) -> str:
    """What a command says; its errors are raised."""
    answer = CliRunner().invoke(app, ["database", *map(str, arguments)])
    if answer.exception:
        raise answer.exception
    return answer.output


def test_there_and_back(tmp_path: Path) -> None:
    place, copy = tmp_path / "service.sqlite", tmp_path / "copy.sqlite"
    with open_database(place) as database, database.writing() as session:
        create(session, "ann")
    assert str(copy) in run("backup", copy, "--runs", tmp_path)
    with open_database(place) as database, database.writing() as session:
        create(session, "bob")
    said = run("restore", copy, "--database", place)
    (kept,) = tmp_path.glob("service.sqlite.before-restore-*")
    assert str(kept) in said
    with open_database(place) as database, database.reading() as session:
        assert find(session, "ann") and not find(session, "bob")


def test_what_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no database"):
        run("backup", tmp_path / "copy", "--runs", tmp_path)
    with pytest.raises(UserError):
        run("restore", tmp_path / "copy", "--runs", tmp_path)
    assert not list(tmp_path.iterdir())
