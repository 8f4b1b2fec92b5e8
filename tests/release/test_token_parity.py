"""Tokens of checkpoint and GGUF: equal on everything hard, and one changed merge or template is noticed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from rectune.models.loading import load_tokenizer
from rectune.release.parity_texts import CONVERSATIONS, HARD_TEXTS, MIXED
from rectune.release.token_parity import token_parity
from tests.models.tiny import tiny_checkpoint
from tests.release.small import exact_gguf


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_checkpoint(), tmp_path / "checkpoint"))


@pytest.mark.slow
def test_one_model_splits_everything_alike_in_both_forms() -> None:
    found = token_parity(tiny_checkpoint(), exact_gguf(), CONVERSATIONS)
    special = sum(added.special for added in load_tokenizer(tiny_checkpoint()).added_tokens_decoder.values())
    assert (found.differing, found.differing_count, found.control) == ((), 0, 0)
    assert found.texts == len(HARD_TEXTS) + 1 + 2 * special and special > 10
    assert found.vocabulary > 40_000


def test_the_texts_are_as_many_and_as_long_as_they_should_be() -> None:
    assert len(HARD_TEXTS) >= 30 and len(set(HARD_TEXTS)) == len(HARD_TEXTS)
    assert len(MIXED.encode()) > 2048


@pytest.mark.slow
def test_one_merge_less_is_noticed(checkpoint: Path) -> None:
    path = checkpoint / "tokenizer.json"
    tokenizer = json.loads(path.read_text())
    del tokenizer["model"]["merges"][30_000]
    path.write_text(json.dumps(tokenizer))
    assert token_parity(checkpoint, exact_gguf()).differing_count > 0


def test_another_chat_template_is_noticed(checkpoint: Path) -> None:
    path = checkpoint / "chat_template.jinja"
    path.write_text(path.read_text() + "{{ ' ' if add_generation_prompt else '' }}")
    assert token_parity(checkpoint, exact_gguf(), CONVERSATIONS).differing_count == len(CONVERSATIONS)


def test_a_special_token_that_became_plain_text_is_noticed(checkpoint: Path) -> None:
    path = checkpoint / "tokenizer.json"
    tokenizer = json.loads(path.read_text())
    mine = {**tokenizer["added_tokens"][-1], "id": 9000, "content": "<extra>"}
    tokenizer["added_tokens"].append(mine)
    path.write_text(json.dumps(tokenizer))
    assert token_parity(checkpoint, exact_gguf()).control > 0
