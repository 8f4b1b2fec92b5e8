"""The stage `base` on the tiny model and on folders."""

import json
from pathlib import Path

import pytest

from rectune.core.errors import UserError
from rectune.core.recipe import parse_recipe
from rectune.models import prepare
from rectune.models.prepare import check_checkpoint, link_checkpoint, make_checkpoint, parameter_count
from rectune.models.reference import content_digest, hub_error, locate
from tests.models.tiny import tiny_checkpoint


@pytest.mark.slow
def test_the_tiny_model_is_the_same_on_every_machine(tmp_path: Path) -> None:
    make_checkpoint(locate("tiny"), tmp_path / "again")
    assert content_digest(tmp_path / "again") == content_digest(tiny_checkpoint())


@pytest.mark.slow
def test_the_stage_goes_on_from_a_finished_checkpoint(tmp_path: Path) -> None:
    config = parse_recipe({"models": {"base": "tiny", "quantisation": "F16"}})
    link = tmp_path / "checkpoint"
    link.mkdir()
    link_checkpoint(tiny_checkpoint(), link)
    before = {(file.name, file.lstat().st_ino) for file in link.iterdir()}
    figures = prepare.run(config, {}, tmp_path)
    assert figures.model == "tiny"
    assert figures.parameters == parameter_count(tiny_checkpoint()) > 49152 * 64
    assert (tmp_path / "model.gguf").exists()
    assert {(file.name, file.lstat().st_ino) for file in link.iterdir()} == before, "made again"


def test_a_folder_is_taken_over_without_its_code(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    link_checkpoint(tiny_checkpoint(), source)
    (source / "modeling_evil.py").write_text("raise SystemExit")
    (source / "pytorch_model.bin").write_text("pickle")
    make_checkpoint(locate(str(source)), tmp_path / "out")
    names = {file.name for file in (tmp_path / "out").iterdir()}
    assert names == {file.name for file in tiny_checkpoint().iterdir()}


@pytest.mark.parametrize(
    ("missing", "says"), [("model.safetensors", "safetensors"), ("config.json", "config")]
)
def test_an_incomplete_folder_is_refused(tmp_path: Path, missing: str, says: str) -> None:
    link_checkpoint(tiny_checkpoint(), tmp_path)
    (tmp_path / missing).unlink()
    with pytest.raises(UserError, match=says):
        check_checkpoint(tmp_path)


def test_a_model_without_chat_template_is_refused(tmp_path: Path) -> None:
    link_checkpoint(tiny_checkpoint(), tmp_path)
    (tmp_path / "chat_template.jinja").unlink()
    with pytest.raises(UserError, match="no chat template"):
        check_checkpoint(tmp_path)


def test_a_checkpoint_made_from_gguf_is_an_ordinary_one() -> None:
    config = json.loads((tiny_checkpoint() / "config.json").read_text())
    assert "quantization_config" not in config
    assert config["dtype"] == "float32"


def test_hub_errors_say_the_first_line_of_the_reason() -> None:
    assert "401" in str(hub_error("org/model", OSError("401 Unauthorized\nlong trace")))
