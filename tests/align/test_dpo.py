"""DPO starts from the SFT model as its own reference, learns the pairs, and publishes one adapter."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from rectune.align.dpo import check_start, run
from rectune.align.rows import make_rows, tokenise_pairs
from rectune.core.errors import RectuneError, UserError
from rectune.core.recipe import Recipe, parse_recipe
from rectune.core.rows import write_rows
from rectune.core.settings import AlignConfig, LoraSection, ModelsConfig
from rectune.core.types import Preference, with_id
from rectune.models import metrics
from rectune.models.eval_users import split_eval_users
from rectune.models.loading import add_lora, load_for_training, load_tokenizer, note_base
from tests.align.examples import make_prompt
from tests.models.tiny import tiny_checkpoint
from tests.train.runs import SHORT, finish, losses

ALIGN = SHORT | {
    "zero_stage": 0,
    "per_device_train_batch_size": 4,
    "warmup_ratio": 0.0,
    "learning_rate": 5e-3,
    "annotator": "simulated",
    "eval_user_fraction": 0.0,
}
LEFT = {"adapter", "metrics.jsonl", "generations.jsonl", "rewards.png", "dpo.png"}


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
    models = ModelsConfig(base="tiny")
    tuned = add_lora(
        load_for_training(tiny_checkpoint(), models),
        LoraSection(r=4, lora_alpha=32, lora_dropout=0.1),
        seed=1,
    )
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
    figures = run(recipe(num_train_epochs=8, save_steps=3), inputs, tmp_path)
    assert figures.first_loss == pytest.approx(math.log(2), abs=1e-4)
    assert figures.last_loss < 0.6
    assert figures.accuracy == 1.0 and figures.margin > 0.1
    assert (figures.pairs, figures.steps, figures.annotators) == (4, 8, {"simulated": 4})
    assert {path.name for path in tmp_path.iterdir()} == LEFT
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


def test_held_out_pairs_are_never_trained_on_and_measured_from_the_start(
    tmp_path: Path, inputs: dict[str, Path]
) -> None:
    figures = run(
        recipe(num_train_epochs=6, eval_user_fraction=0.5, eval_steps=2, beta=0.2), inputs, tmp_path
    )
    split_eval_users = metrics.read(tmp_path / "held_out.jsonl")
    assert [row["step"] for row in split_eval_users] == [0, 2, 4, 6]
    start, end = split_eval_users[0], split_eval_users[-1]
    assert (start["loss"], start["accuracy"], start["margin"]) == (pytest.approx(math.log(2)), 0.5, 0.0)
    assert start["kl"] == 0.0 < split_eval_users[1]["kl"]
    assert start["pairs"] == figures.held_out.pairs in (1, 2, 3)
    assert end["loss"] < start["loss"] and end["accuracy"] == 1.0  # pairs of other users are alike
    assert end["margin"] == pytest.approx(
        0.2 * (end["chosen_logps"] - start["chosen_logps"] - end["rejected_logps"] + start["rejected_logps"]),
        abs=1e-4,
    )
    assert figures.held_out.step == figures.best_step
    answers = metrics.read(tmp_path / "generations.jsonl")
    assert {row["step"] for row in answers} == {0, 6} and all(row["tokens"] >= 1 for row in answers)
    assert {path.name for path in tmp_path.iterdir()} == LEFT | {"held_out.jsonl"}


def test_rows_of_several_negatives_begin_at_the_logarithm_of_their_answers(
    tmp_path: Path, inputs: dict[str, Path]
) -> None:
    implied = [
        replace(make_pair(n, f"Heat {n}.", f"{film}. {n}"), source="ranking", annotator="interactions")
        for n in (4, 5, 6, 7)
        for film in ("Ronin", "Alien")
    ]
    folder = tmp_path / "tag"
    folder.mkdir()
    write_rows(folder / "preferences.parquet", [*(make_pair(n) for n in range(4)), *implied], Preference)
    changes = {"num_train_epochs": 4, "per_device_train_batch_size": 8, "watched_prompts": 0}
    figures = run(recipe(**changes), inputs | {"tag": folder}, tmp_path / "out")
    assert figures.first_loss == pytest.approx((math.log(2) + math.log(3)) / 2, abs=1e-3)
    assert figures.last_loss < figures.first_loss
    assert (figures.pairs, figures.sources) == (12, {"tags": 4, "ranking": 8})
    assert figures.annotators == {"simulated": 4} and figures.answer_tokens is None
    figures = run(recipe(**changes, eval_user_fraction=0.6), inputs | {"tag": folder}, tmp_path / "held out")
    assert set(figures.held_out.sources) == {"tags", "ranking"}
    assert sum(part.pairs for part in figures.held_out.sources.values()) == figures.held_out.pairs


@pytest.mark.slow
def test_a_reference_known_beforehand_trains_as_one_computed_in_each_step(
    tmp_path: Path, inputs: dict[str, Path]
) -> None:
    for name, precompute in (("once", True), ("each_step", False)):
        run(recipe(num_train_epochs=3, precompute_ref_log_probs=precompute), inputs, tmp_path / name)
    assert losses(tmp_path / "once") == pytest.approx(losses(tmp_path / "each_step"), abs=1e-5)


@pytest.mark.slow
def test_losses_add_up_with_their_weights(tmp_path: Path, inputs: dict[str, Path]) -> None:
    added = {"loss_type": ["sigmoid", "sft"], "loss_weights": [1.0, 0.5]}
    run(recipe(num_train_epochs=6, **added), inputs, tmp_path / "both")
    run(recipe(num_train_epochs=6), inputs, tmp_path / "alone")
    both, alone = (metrics.read(tmp_path / name / "metrics.jsonl") for name in ("both", "alone"))
    # The random model is about as unsure of a token as the vocabulary is large: ln 49152 = 10.8 nats.
    assert both[0]["loss"] == pytest.approx(math.log(2) + 0.5 * 10.8, abs=0.5)
    assert both[-1]["logps/chosen"] > alone[-1]["logps/chosen"] + 1


@pytest.mark.slow
def test_a_killed_run_goes_on_with_the_same_reference(tmp_path: Path, inputs: dict[str, Path]) -> None:
    settings = {"num_train_epochs": 6, "save_steps": 2, "eval_user_fraction": 0.5, "eval_steps": 2}
    run(recipe(**settings), inputs, tmp_path / "whole")
    out = tmp_path / "cut"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rectune.models.metrics.append", _killing(metrics.append, at=5))
        with pytest.raises(KeyboardInterrupt):
            run(recipe(**settings), inputs, out)
    assert (out / "reference.json").exists()
    run(recipe(**settings), inputs, out)
    assert losses(out) == pytest.approx(losses(tmp_path / "whole"), abs=1e-4)
    whole, cut = (metrics.read(folder / "held_out.jsonl") for folder in (tmp_path / "whole", out))
    assert [row["step"] for row in cut] == [row["step"] for row in whole]
    assert [row["loss"] for row in cut] == pytest.approx([row["loss"] for row in whole], abs=1e-4)


def _killing(append: Any, at: int) -> Any:
    """`metrics.append` until the training step `at` is logged, then a kill."""

    def wrapped(path: Path, row: dict[str, Any]) -> None:
        append(path, row)
        if row["step"] == at and "loss" in row and "learning_rate" in row:
            raise KeyboardInterrupt

    return wrapped


START = {"step": 1, "loss": math.log(2) + 0.005, "rewards/chosen": 0.0, "rewards/rejected": 0.0}


def test_a_reference_other_than_the_sft_model_is_noticed() -> None:
    check_start([START], AlignConfig())
    with pytest.raises(RectuneError, match="ln 2"):
        check_start([START | {"loss": 0.75}], AlignConfig())
    both = AlignConfig(loss_type=["sigmoid", "sft"], loss_weights=[1.0, 0.5])
    check_start([START | {"loss": 3.0}], both)
    with pytest.raises(RectuneError, match=r"rewards of 0\.3"):
        check_start([START | {"rewards/rejected": -0.3}], both)
    check_start([START | {"step": 7, "loss": 0.1}], AlignConfig())


def test_answers_end_their_turn_and_hold_no_other_control_token() -> None:
    tokenizer = load_tokenizer(tiny_checkpoint())
    row = tokenise_pairs(tokenizer, [make_pair(1, "Heat <|im_end|>", "<|im_start|>user")])
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    (rejected,) = row["rejected_ids"]
    for answer, text in ((row["chosen_ids"], "Heat <|im_end|>"), (rejected, "<|im_start|>user")):
        assert [token for token in answer if token in tokenizer.all_special_ids] == [end]
        assert tokenizer.decode(answer[:-1]) == text


def test_long_pairs_are_left_out_and_counted() -> None:
    tokenizer = load_tokenizer(tiny_checkpoint())
    rows = make_rows(tokenizer, [make_pair(1), make_pair(2, rejected="long " * 200)], 150, 0.5)
    assert (rows.pairs, len(rows.train), rows.held_out) == (1, 1, [])
    assert rows.seen == 2


def test_pairs_made_for_ranking_are_a_row_a_case_and_tagged_pairs_are_one_each() -> None:
    tokenizer = load_tokenizer(tiny_checkpoint())
    tagged = [make_pair(1, "Heat."), replace(make_pair(1, "Heat.", "No."), id="other")]
    implied = [
        replace(make_pair(n, f"Heat {n}.", text), source="ranking", annotator="interactions")
        for n in (1, 2)
        for text in ("Ronin.", "Alien.", "long " * 200)
    ]
    rows = make_rows(tokenizer, [*tagged, *implied], 150, 0.0)
    assert [len(row["rejected_ids"]) for row in rows.train] == [1, 1, 2, 2]
    assert [row["source"] for row in rows.train] == ["tags", "tags", "ranking", "ranking"]
    assert (rows.seen, rows.pairs) == (8, 6)


def test_all_pairs_of_a_user_are_on_one_side() -> None:
    tokenizer = load_tokenizer(tiny_checkpoint())
    pairs = [make_pair(n, rejected=f"No {k}.") for n in range(8) for k in range(3)]
    rows = make_rows(tokenizer, pairs, 500, 0.3)
    sides = [{tuple(row["prompt_ids"]) for row in side} for side in (rows.train, rows.held_out)]
    assert not sides[0] & sides[1] and len(sides[0]) + len(sides[1]) == 8
    assert sorted(row["number"] for row in rows.train + rows.held_out) == list(range(24))
    assert len(rows.held_out) == 3 * len(sides[1]) > 0


def test_no_pair_is_an_error_with_a_mend(tmp_path: Path, inputs: dict[str, Path]) -> None:
    write_rows(tmp_path / "preferences.parquet", [], Preference)
    with pytest.raises(UserError, match="rectune tag"):
        run(recipe(), inputs | {"tag": tmp_path}, tmp_path / "out")


@pytest.mark.slow
@pytest.mark.parametrize("zero", [2, 3])
def test_two_processes_align_like_one(tmp_path: Path, inputs: dict[str, Path], zero: int) -> None:
    users = [f"movies/u{number}" for number in range(12)]
    out = split_eval_users(users, 0.3)
    trained = [number for number, user in enumerate(users) if user not in out][:4]  # a whole batch for either
    apart = [number for number, user in enumerate(users) if user in out]
    (tmp_path / "tag").mkdir()
    pairs = [make_pair(number) for number in trained + apart]
    write_rows(tmp_path / "tag" / "preferences.parquet", pairs, Preference)
    inputs = inputs | {"tag": tmp_path / "tag"}
    settings = ALIGN | {"num_train_epochs": 4, "eval_steps": 1, "eval_user_fraction": 0.3}
    together = finish(
        tmp_path / "two",
        inputs,
        settings | {"zero_stage": zero, "per_device_train_batch_size": 2},
        2,
        "rectune.align.dpo",
    )
    finish(tmp_path / "one", inputs, settings, 1, "rectune.align.dpo")
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), abs=1e-3)
    assert together.processes == 2 and together.first_loss == pytest.approx(math.log(2), abs=1e-4)
    two, one = (metrics.read(tmp_path / name / "held_out.jsonl") for name in ("two", "one"))
    assert len(one) == 5 and one[0]["pairs"] == len(apart)
    for column in ("step", "pairs", "loss", "accuracy", "chosen_logps", "kl"):
        assert [row[column] for row in two] == pytest.approx([row[column] for row in one], abs=2e-2)
