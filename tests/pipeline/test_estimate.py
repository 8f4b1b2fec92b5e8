"""Estimates: known rows are counted, every table within 80 columns, and keys that really save memory."""

import functools
import json
import math
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rectune.core.artifacts import ArtifactStore
from rectune.core.errors import UserError
from rectune.core.recipe import Recipe, load_recipe
from rectune.core.rows import write_rows
from rectune.core.settings import LoraSection, TrainConfig
from rectune.core.types import Example, Preference, with_id
from rectune.datagen.generation_estimate import GenerationEstimate
from rectune.models.config import find_config
from rectune.models.memory import TrainingSetup
from rectune.models.meta_model import MetaModel
from rectune.pipeline.estimate import (
    DEVICES,
    DeviceSpec,
    EstimateInputs,
    find_device,
    fits,
    known_device,
    largest_step,
    make_estimate,
)
from rectune.pipeline.estimate_rows import DPO, SFT, RowLengths, probe, rows_of, why_no_probe
from rectune.pipeline.estimate_table import estimate_table, generation_notes, zero_page
from rectune.pipeline.plan import make_plan
from tests.models.tiny import tiny_checkpoint
from tests.train.runs import make_example

RECIPES = Path(__file__).parents[2] / "recipes"
# Recipes that are shipped, and a device that each is for.
SHIPPED = [("single-gpu-24gb", "rtx4090"), ("multi-gpu", "l4"), ("cluster", "l4"), ("varco", "h100")]


def recipe(name: str, *overrides: str) -> Recipe:
    return load_recipe(RECIPES / f"{name}.yaml", overrides)


@functools.cache
def estimated(name: str, device: str, *overrides: str) -> tuple[EstimateInputs, str, Any]:
    """Estimates for an empty store."""
    loaded = recipe(name, *overrides)
    with tempfile.TemporaryDirectory() as folder:
        runs = ArtifactStore(Path(folder))
        subject, stages = make_estimate(loaded, make_plan(loaded, runs, "dpo"), runs, device, probing=False)
    return subject, estimate_table(subject, stages), stages


@pytest.mark.parametrize(("name", "device"), SHIPPED)
def test_every_recipe_is_estimated_in_80_columns(name: str, device: str) -> None:
    subject, table, (sft, dpo) = estimated(name, device)
    assert max(len(line) for line in table.splitlines()) <= 80
    assert subject.device.name in table and "(arithmetic)" in table and "not measured" in table
    assert sft.steps == math.ceil(
        sft.rows.count / 2 / rows_a_step(subject.recipe)
    )  # 960 tokens fit twice into 2048
    assert (
        dpo.steps == math.ceil(dpo.rows.count / dpo_rows_a_step(subject.recipe)) and sft.seconds > dpo.seconds
    )


def rows_a_step(loaded: Recipe) -> int:
    machines = loaded.train.machines
    return (
        loaded.train.per_device_train_batch_size
        * loaded.train.gradient_accumulation_steps
        * loaded.train.processes
        * machines
    )


def dpo_rows_a_step(loaded: Recipe) -> int:
    machines = loaded.align.machines if isinstance(loaded.align.machines, int) else 1
    return (
        loaded.align.per_device_train_batch_size
        * loaded.align.gradient_accumulation_steps
        * loaded.align.processes
        * machines
    )


@pytest.mark.parametrize(("name", "device"), SHIPPED)
def test_shipped_recipes_fit_the_devices_that_they_are_for(name: str, device: str) -> None:
    subject, table, stages = estimated(name, device)
    assert all(fits(one.memory, subject, one.world_size) for one in stages)
    assert "DOES NOT FIT" not in table


def test_what_does_not_fit_says_which_key_saves_how_much() -> None:
    wide = ("train.per_device_train_batch_size=16", "train.gradient_checkpointing=false")
    _, table, (sft, _) = estimated("single-gpu-24gb", "rtx4090", *wide)
    assert "sft DOES NOT FIT" in table
    saved = {option.key: option.saves for option in sft.memory_options}
    assert list(saved.values()) == sorted(saved.values(), reverse=True)
    assert (
        f"train.gradient_checkpointing: true saves {saved['train.gradient_checkpointing'] / 2**30:.1f} GiB"
        in table
    )
    _, _, (after, _) = estimated("single-gpu-24gb", "rtx4090", wide[0])
    assert sft.memory.total - after.memory.total == saved["train.gradient_checkpointing"]


def test_rows_are_those_of_the_filter_where_it_has_run(tmp_path: Path) -> None:
    loaded = recipe("tiny", "train.eval_user_fraction=0.5")
    folders = {"base": tiny_checkpoint().parent, "filter": tmp_path}
    write_rows(tmp_path / "kept.parquet", [make_example(number) for number in range(40)], Example)
    known, assumed = rows_of(SFT, loaded, folders), rows_of(SFT, loaded, {})
    assert known.count == 20 and len(known.lengths) == 40 and known.source == "the kept examples"
    assert all(0 < answer < length for answer, length in zip(known.trained, known.lengths, strict=True))
    assert "averages" in assumed.source

    more = rows_of(SFT, recipe("tiny", "train.eval_user_fraction=0.5", "train.history_lists=40"), folders)
    assert more.count == 40 and len(more.lengths) == len(more.sample) == 80 and "40 histories" in more.source


def test_a_batch_is_padded_to_its_longest_row() -> None:
    rows = RowLengths(100, (10, 20), (5, 5), "")
    assert rows.padded(1) == pytest.approx(15)
    assert rows.padded(2) == pytest.approx(
        2 * (10 / 4 + 20 * 3 / 4)
    )  # the shorter one only if both are short


def test_packed_rows_are_counted_as_they_are_packed() -> None:
    assert RowLengths(100, (60,), (9,), "").packed(100) == pytest.approx(100)
    assert RowLengths(100, (60, 40), (9, 9), "").packed(100) == pytest.approx(50)


@given(st.lists(st.integers(1, 500), min_size=1, max_size=40), st.integers(1, 16))
def test_padding_never_takes_less_than_the_mean_or_more_than_the_longest(
    lengths: list[int], batch: int
) -> None:
    rows = RowLengths(len(lengths), tuple(lengths), tuple(1 for _ in lengths), "")
    mean = sum(lengths) / len(lengths)
    assert batch * mean - 1e-6 <= rows.padded(batch) <= batch * rows.longest + 1e-6


def test_the_largest_batch_is_of_the_longest_rows_or_full_ones_where_they_are_packed() -> None:
    rows = RowLengths(9, (100, 200), (50, 60), "")
    train = TrainConfig(per_device_train_batch_size=3, max_length=1000, packing=False)
    alone = largest_step(rows, TrainingSetup(train, 1))
    assert (alone.rows, alone.length, alone.trained) == (3, 200, 180)
    packed = largest_step(rows, TrainingSetup(train.model_copy(update={"packing": True}), 1))
    assert (packed.rows, packed.length, packed.trained) == (3, 1000, 1500)
    pairs = largest_step(rows, TrainingSetup(train, 1, reference=True))
    assert pairs.rows == 6


def test_processes_on_a_cpu_share_its_memory() -> None:
    subject, _, (sft, _) = estimated("multi-gpu", "l4")
    one = sft.memory.total
    small = replace(subject, device=DeviceSpec("CPU", 2 * one, 0.0, gpu=False))
    assert fits(sft.memory, small, 1) and not fits(sft.memory, small, 2)


def test_deepspeeds_configuration_is_shown_as_it_will_be() -> None:
    page = zero_page(recipe("cluster"), "l4")
    assert "auto" not in page and page.count("ZeRO-3") == 2
    config = json.loads(page.partition("\n")[2].partition("\n\ndpo")[0])
    zero = config["zero_optimization"]
    assert zero["offload_param"] == {"device": "cpu", "pin_memory": True} and config["bf16"]["enabled"]
    assert "without DeepSpeed" in zero_page(recipe("single-gpu-24gb"), "l4")


def test_an_unknown_device_is_told_with_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean rtx4090"):
        find_device("rtx409")
    assert find_device("h100") == DEVICES["h100"]


def test_a_models_config_is_found_in_its_checkpoint_its_gguf_and_the_table() -> None:
    tiny, source = find_config("tiny", tiny_checkpoint())
    assert tiny.hidden_size == 64 and tiny.num_hidden_layers == 2 and source == "its checkpoint"
    assert parameters("tiny", None) == parameters("tiny", tiny_checkpoint())
    embedded, source = find_config("embedded", None)
    assert (embedded.hidden_size, embedded.tie_word_embeddings, source) == (576, True, "its GGUF file")
    assert parameters("embedded", None) == 134_515_008
    assert parameters("Qwen/Qwen2.5-7B-Instruct@main", None) == 7_615_616_512  # as its model card has it


def parameters(reference: str, checkpoint: Path | None) -> int:
    return MetaModel(find_config(reference, checkpoint)[0], LoraSection(), 4, gpu=False).parameters


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"hidden_size": 4}', '{"model_type": "llama", "hidden_size": "x"}']
)
def test_a_config_that_describes_no_model_is_told(text: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(UserError, match="cannot be estimated"):
        find_config(str(tmp_path), None)


def test_a_probe_has_the_longest_row_and_an_even_spread() -> None:
    rows = RowLengths(100, tuple(range(20, 120)), (10,) * 100, "")
    lengths = [rows.lengths[place] for place in rows.spread(5)]
    assert lengths[0] == 119 and len(lengths) == 5 and lengths[1:] == sorted(lengths[1:])
    assert 20 <= lengths[1] < 50 and lengths[-1] > 80
    assert RowLengths(1, (20,), (10,), "").spread(3) == [0, 0, 0]


def test_what_stands_in_the_way_of_a_probe_is_told() -> None:
    base = {"base": tiny_checkpoint().parent}
    assert why_no_probe(SFT, recipe("cluster"), base) == "the recipe wants 2 machines"
    assert why_no_probe(SFT, recipe("tiny"), base) == ""
    assert why_no_probe(DPO, recipe("tiny"), base) == "sft would have to run before a probe"


def test_what_generation_takes_is_measured_once_there_is_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded, store = recipe("tiny", f"data.root={RECIPES.parent / 'samples'}"), ArtifactStore(tmp_path)
    plan = make_plan(loaded, store, "dpo")
    assert "until the stage data has run" in generation_notes(loaded, plan, store, probing=True)[0]
    ready = [replace(step, state="finished") if step.stage.name == "data" else step for step in plan]
    monkeypatch.setattr(
        "rectune.datagen.generation_estimate.estimate_generation",
        lambda *given: GenerationEstimate(
            ["queries: a prompt"], ["queries: 9 wanted", "rationales: 8 wanted"]
        ),
    )
    assert generation_notes(loaded, ready, store, probing=True) == [
        "queries: 9 wanted",
        "rationales: 8 wanted",
    ]
    assert "not probed" in generation_notes(loaded, ready, store, probing=False)[0]
    done = [replace(step, state="finished") for step in plan]
    assert generation_notes(loaded, done, store, probing=True) == []


def test_texts_that_are_to_be_summarised_are_measured_until_they_are(tmp_path: Path) -> None:
    data, store = f"data.root={RECIPES.parent / 'samples'}", ArtifactStore(tmp_path)
    loaded = recipe("tiny", data, "allmrec.enabled=true", "allmrec.summarise=true")
    plan = make_plan(loaded, store, "report")
    (said,) = generation_notes(loaded, plan, store, probing=True)
    assert said.startswith("queries, rationales, summaries: unknown")
    written = ("queries", "rationales")
    some = [replace(step, state="finished") if step.stage.name in written else step for step in plan]
    assert generation_notes(loaded, some, store, probing=True) == [said]
    done = [replace(step, state="finished") for step in plan]
    assert generation_notes(loaded, done, store, probing=True) == []


@pytest.mark.slow
def test_a_probe_measures_the_real_stage_on_sampled_rows_and_before_there_are_any(tmp_path: Path) -> None:
    loaded, folders = recipe("tiny"), {"base": tiny_checkpoint().parent, "filter": tmp_path}
    write_rows(tmp_path / "kept.parquet", [make_example(number) for number in range(8)], Example)
    for known in (folders, {"base": folders["base"]}):
        found = probe(SFT, loaded, known, rows_of(SFT, loaded, known))
        assert found.rate > 10 and found.memory > 200 * 2**20 and found.start > 0


def test_the_longer_answer_of_a_pair_counts(tmp_path: Path) -> None:
    pairs = [
        with_id(Preference("", make_example(number).prompt, "word " * number, "word", "somebody"))
        for number in range(1, 21)
    ]
    write_rows(tmp_path / "preferences.parquet", pairs, Preference)
    loaded = recipe("tiny", "align.eval_user_fraction=0")
    rows = rows_of(DPO, loaded, {"base": tiny_checkpoint().parent, "tag": tmp_path})
    assert rows.count == 20 and rows.trained[-1] - rows.trained[0] == 19
    assert rows.sample[rows.spread(1)[0]] == pairs[-1]


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("NVIDIA GeForce RTX 4090", "rtx4090"), ("NVIDIA GeForce RTX 3090", "rtx3090"),
        ("NVIDIA RTX A6000", ""), ("NVIDIA A100-SXM4-80GB", "a100-40"), ("NVIDIA H100 80GB HBM3", "h100"),
        ("NVIDIA L4", "l4"), ("NVIDIA A10G", ""), ("NVIDIA L40S", "l40s"),
    ],
)  # fmt: skip
def test_a_device_is_known_by_all_words_of_its_model(name: str, key: str) -> None:
    assert known_device(name) == DEVICES.get(key)
