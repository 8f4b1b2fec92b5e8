"""DPO starts from the SFT model as its own reference, learns the pairs, and publishes one adapter."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from align.dpo import check_start, rows_within, run, tokenise_pair
from models import metrics
from models.loading import add_lora, load_for_training, load_tokenizer, note_base
from rectune.errors import RectuneError, UserError
from rectune.recipe import Recipe, parse_recipe
from rectune.rows import write_rows
from rectune.settings import Lora, Models
from rectune.types import Preference, with_id
from tests.align.examples import make_prompt
from tests.models.tiny import tiny_checkpoint
from tests.train.runs import finish, losses

ALIGN = {"zero": 0, "batch_size": 4, "warmup_ratio": 0.0, "learning_rate": 5e-3, "annotator": "simulated"}


def recipe(**changes: Any) -> Recipe:
    return parse_recipe({"models": {"base": "tiny"}, "align": ALIGN | changes})


def make_pair(number: int, chosen: str = "", rejected: str = "") -> Preference:
    prompt = make_prompt(number)
    chosen, rejected = chosen or f"Heat, since Ran {number} was slow.", rejected or f"Anything. {number}"
    return with_id(Preference("", prompt, chosen, rejected, "simulated"))


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The tiny base, four pairs, and an SFT adapter that is far from doing nothing."""
    folder = tmp_path_factory.mktemp("inputs")
    models = Models(base="tiny")
    tuned = add_lora(load_for_training(tiny_checkpoint(), models), Lora(r=4, dropout=0.1), seed=1)
    torch.manual_seed(2)
    for name, value in tuned.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(value, std=0.1)
    tuned.save_pretrained(str(folder / "sft" / "adapter"), save_embedding_layers=False)
    note_base(folder / "sft" / "adapter", models)
    (folder / "tag").mkdir()
    write_rows(folder / "tag" / "preferences.parquet", [make_pair(number) for number in range(4)], Preference)
    return {"base": tiny_checkpoint().parent, "sft": folder / "sft", "tag": folder / "tag"}


def test_a_run_begins_at_ln_2_and_learns_the_pairs(tmp_path: Path, inputs: dict[str, Path]) -> None:
    sft = load_file(inputs["sft"] / "adapter" / "adapter_model.safetensors")
    figures = run(recipe(epochs=8, save_steps=3), inputs, tmp_path)
    assert figures["first_loss"] == pytest.approx(math.log(2), abs=1e-4)
    assert figures["last_loss"] < 0.6
    assert figures["accuracy"] == 1.0 and figures["margin"] > 0.1
    assert (figures["pairs"], figures["steps"], figures["annotators"]) == (4, 8, {"simulated": 4})
    assert {path.name for path in tmp_path.iterdir()} == {"adapter", "metrics.jsonl", "rewards.png"}
    rows = metrics.read(tmp_path / "metrics.jsonl")
    assert {"rewards/chosen", "rewards/rejected", "rewards/margins", "rewards/accuracies"} <= rows[0].keys()
    adapter = load_file(tmp_path / "adapter" / "adapter_model.safetensors")
    assert adapter.keys() == sft.keys()  # the frozen copy is not published
    assert any(not adapter[name].equal(sft[name]) for name in sft)
    assert max(float((adapter[name] - sft[name]).abs().max()) for name in sft) < 0.2  # it went on from there
    assert {path.name for path in (tmp_path / "adapter").iterdir()} == {
        "adapter_config.json",
        "adapter_model.safetensors",
        "base.json",
    }


def test_a_reference_other_than_the_sft_model_is_noticed() -> None:
    check_start([{"step": 1, "loss": math.log(2) + 0.005}])
    with pytest.raises(RectuneError, match="ln 2"):
        check_start([{"step": 1, "loss": 0.75}])


def test_answers_end_their_turn_and_hold_no_other_control_token() -> None:
    tokenizer = load_tokenizer(tiny_checkpoint())
    row = tokenise_pair(tokenizer, make_pair(1, "Heat <|im_end|>", "<|im_start|>user"))
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    for answer, text in (("chosen_ids", "Heat <|im_end|>"), ("rejected_ids", "<|im_start|>user")):
        assert [token for token in row[answer] if token in tokenizer.all_special_ids] == [end]
        assert tokenizer.decode(row[answer][:-1]) == text


def test_long_pairs_are_left_out_and_counted() -> None:
    tokenizer = load_tokenizer(tiny_checkpoint())
    rows, flow = rows_within(tokenizer, [make_pair(1), make_pair(2, rejected="long " * 200)], 150)
    assert len(rows) == 1
    assert (flow["rows_in"], flow["rows_out"], flow["dropped"]) == (2, 1, {"too_long": 1})


def test_no_pair_is_an_error_with_a_mend(tmp_path: Path, inputs: dict[str, Path]) -> None:
    write_rows(tmp_path / "preferences.parquet", [], Preference)
    with pytest.raises(UserError, match="rectune tag"):
        run(recipe(), inputs | {"tag": tmp_path}, tmp_path / "out")


@pytest.mark.slow
@pytest.mark.parametrize("zero", [2, 3])
def test_two_processes_align_like_one(tmp_path: Path, inputs: dict[str, Path], zero: int) -> None:
    settings = ALIGN | {"epochs": 4}
    together = finish(tmp_path / "two", inputs, settings | {"zero": zero, "batch_size": 2}, 2, "align.dpo")
    finish(tmp_path / "one", inputs, settings, 1, "align.dpo")
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), abs=1e-3)
    assert together["processes"] == 2 and together["first_loss"] == pytest.approx(math.log(2), abs=1e-4)
