"""Models that are cut off, incomplete or unfit are refused before anything is spent, and leave nothing
behind.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from rectune.core.digests import DigestCache, file_digest, parts_of
from rectune.core.errors import UserError
from rectune.models.checkpoint_checks import check_checkpoint
from rectune.models.merge import merge_adapter
from rectune.models.prepare import link_checkpoint, make_checkpoint
from rectune.models.reference import gguf_file, locate
from tests.models.gguf_files import part, write_gguf
from tests.models.tiny import tiny_checkpoint

WEIGHTS = "model.safetensors"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the tiny checkpoint that may be broken."""
    made = tmp_path / "model"
    made.mkdir()
    link_checkpoint(tiny_checkpoint(), made)
    return made


def refused(folder: Path, found: str) -> None:
    out = folder.parent / "out" / "checkpoint"
    with pytest.raises(UserError, match=found) as told:
        make_checkpoint(locate(str(folder)), out)
    assert told.value.where.startswith(str(folder)) and told.value.hint
    assert not list(out.parent.iterdir())


def rewrite(folder: Path, change: Callable[[dict], None]) -> None:
    tensors = load_file(folder / WEIGHTS)
    change(tensors)
    (folder / WEIGHTS).unlink()
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})


def shard(folder: Path) -> list[Path]:
    """The weights in two files with an index."""
    tensors = load_file(folder / WEIGHTS)
    names = sorted(tensors)
    halves = {"model-00001-of-00002.safetensors": names[:9], "model-00002-of-00002.safetensors": names[9:]}
    for file, some in halves.items():
        save_file({name: tensors[name] for name in some}, folder / file, metadata={"format": "pt"})
    index = {"metadata": {}, "weight_map": {name: file for file, some in halves.items() for name in some}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (folder / WEIGHTS).unlink()
    return [folder / file for file in halves]


def test_a_whole_checkpoint_is_taken_in_one_file_or_several(folder: Path) -> None:
    check_checkpoint(folder)
    shard(folder)
    check_checkpoint(folder)


def test_a_missing_tensor_is_refused_and_never_made_up(folder: Path) -> None:
    rewrite(folder, lambda tensors: tensors.pop("model.layers.1.mlp.up_proj.weight"))
    refused(folder, r"lacks 1 tensors: model\.layers\.1\.mlp\.up_proj\.weight")


def test_weights_of_another_shape_are_refused(folder: Path) -> None:
    rewrite(
        folder,
        lambda tensors: tensors.update({"model.norm.weight": tensors["model.norm.weight"][:5].clone()}),
    )
    refused(folder, r"1 tensors of another shape than its config says: model\.norm\.weight")


@pytest.mark.parametrize("number", [0, 1])
def test_a_missing_file_of_the_weights_is_refused(folder: Path, number: int) -> None:
    gone = shard(folder)[number]
    gone.unlink()
    refused(folder, f"lacks 1 of the 2 files of its weights: {gone.name}")


def test_files_that_do_not_hold_what_the_index_says_are_refused(folder: Path) -> None:
    first, second = shard(folder)
    second.write_bytes(first.read_bytes())
    refused(folder, f"{second.name} lacks")


def test_parts_without_their_index_are_refused(folder: Path) -> None:
    shard(folder)
    (folder / "model.safetensors.index.json").unlink()
    refused(folder, r"no model\.safetensors\.index\.json")


@pytest.mark.parametrize("share", [0.0, 0.0001, 0.5, 0.99])
def test_weights_that_are_cut_off_are_refused(folder: Path, share: float) -> None:
    whole = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).unlink()
    (folder / WEIGHTS).write_bytes(whole[: int(len(whole) * share)])
    refused(folder, "cut off or damaged")


def test_a_tokenizer_without_padding_and_end_is_refused(folder: Path) -> None:
    file = folder / "tokenizer_config.json"
    config = json.loads(file.read_text())
    file.write_text(json.dumps({k: v for k, v in config.items() if k not in ("pad_token", "eos_token")}))
    refused(folder, "neither a padding nor an end token")


@pytest.mark.parametrize(
    ("file", "content", "found"),
    [
        ("config.json", "{", r"config\.json cannot be read"),
        ("config.json", '{"model_type": "unheard of"}', "cannot be loaded"),
        ("tokenizer.json", "{", "tokenizer cannot be loaded"),
        ("tokenizer.json", "{}", "tokenizer cannot be loaded"),
        ("chat_template.jinja", "{{ raise_exception('never') }}", "refuses these messages"),
        ("chat_template.jinja", "{% for m in messages %}{{ m.content }} {% endfor %}", "no model stops at"),
    ],
)
def test_files_that_cannot_be_used_are_refused(folder: Path, file: str, content: str, found: str) -> None:
    (folder / file).write_text(content)
    refused(folder, found)


def test_a_tokenizer_of_another_model_is_refused(folder: Path) -> None:
    file = folder / "tokenizer.json"
    known = json.loads(file.read_text())
    known["added_tokens"].append({**known["added_tokens"][-1], "id": 49152, "content": "<|one more|>"})
    file.write_text(json.dumps(known))
    refused(folder, "has a token 49152, its weights end with token 49151")


@pytest.mark.parametrize("share", [0.0001, 0.2, 0.99])
def test_a_gguf_file_that_is_cut_off_is_refused(tmp_path: Path, share: float) -> None:
    whole = write_gguf(tmp_path / "whole.gguf").read_bytes()
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(whole[: int(len(whole) * share)])
    refused(cut, "cut off or damaged")


def test_a_part_of_a_model_is_no_base_whatever_its_name(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "model.gguf", parts=2)
    first = part(path, 1, 2)
    refused(first, "is one of 2 parts")
    refused(first.rename(tmp_path / "renamed.gguf"), "is one of 2 parts")


def test_a_model_in_parts_is_known_by_all_of_them(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "model.gguf", parts=2)
    first, second = part(path, 1, 2), part(path, 2, 2)
    assert gguf_file(str(first)) == first and parts_of(first) == [first, second]
    before = file_digest(first)
    assert before == DigestCache(tmp_path / "runs").digest(first)
    with second.open("r+b") as file:
        file.seek(-4, 2)
        file.write(b"else")
    assert file_digest(first) != before and DigestCache(tmp_path / "runs").digest(first) == file_digest(first)
    with pytest.raises(UserError, match="later part") as told:
        gguf_file(str(second))
    assert first.name in told.value.hint
    second.unlink()
    with pytest.raises(UserError, match="00002-of-00002"):
        gguf_file(str(first))


def test_an_adapter_that_lacks_a_part_is_not_merged(tmp_path: Path) -> None:
    from rectune.core.settings import LoraSection, ModelsConfig
    from rectune.models.loading import add_lora, load_for_training, open_adapter

    models, adapter = ModelsConfig(base="tiny", load_in_4bit=False), tmp_path / "adapter"
    add_lora(
        load_for_training(tiny_checkpoint(), models), LoraSection(r=4, lora_dropout=0.0), seed=1
    ).save_pretrained(adapter)
    file = adapter / "adapter_model.safetensors"
    tensors = load_file(file)
    del tensors[sorted(tensors)[0]]
    save_file(tensors, file, metadata={"format": "pt"})
    with pytest.raises(UserError, match="lacks 1 tensors"):
        merge_adapter(tiny_checkpoint(), adapter, tmp_path / "merged")
    with pytest.raises(UserError, match="lacks 1 tensors"):
        open_adapter(load_for_training(tiny_checkpoint(), models), adapter, trainable=False)
    file.write_bytes(file.read_bytes()[:2000])
    with pytest.raises(UserError, match="cannot be loaded"):
        merge_adapter(tiny_checkpoint(), adapter, tmp_path / "merged")
    assert not (tmp_path / "merged").exists()
