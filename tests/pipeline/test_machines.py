"""Processes and machines of a recipe: what does not go together is refused; their product is in the key."""

from pathlib import Path

import pytest

from rectune.core.artifacts import ArtifactStore
from rectune.core.errors import UserError
from rectune.core.recipe import load_recipe
from rectune.pipeline.machines import ProcessGroup, process_group_of
from rectune.pipeline.plan import make_plan

ROOT = Path(__file__).parents[2]


def process_group(*overrides: str) -> ProcessGroup:
    return process_group_of(load_recipe(ROOT / "recipes/tiny.yaml", list(overrides)).train)


def test_the_world_is_all_processes_on_all_machines() -> None:
    assert process_group("train.processes=3").world_size == 3
    assert (
        process_group("train.processes=3", "train.machines=2", "train.endpoint=node1:29400").world_size == 6
    )


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("train.machines=2", "several machines need one, host:port of the first"),
        ("train.endpoint=node1", "'node1' is not host:port"),
        ("train.endpoint='node1:'", "is not host:port"),
        ("train.endpoint=':29400'", "is not host:port"),
        ("train.endpoint=node1:0", "is not host:port"),
        ("train.endpoint=node1:65536", "is not host:port"),
        ("train.endpoint=node1 -x:29400", "is not host:port"),
        ("train.machines=0", "machines"),
    ],
)
def test_what_does_not_go_together_is_refused(override: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        process_group(override)


@pytest.mark.parametrize(
    "endpoint", ["node1:29400", "node-1.some.net:1", "10.0.0.1:65535", "[fd00::1]:29400"]
)
def test_names_and_addresses_are_taken(endpoint: str) -> None:
    assert process_group(f"train.endpoint='{endpoint}'", "train.machines=2").endpoint == endpoint


def keys(store: ArtifactStore, *overrides: str) -> dict[str, str]:
    recipe = load_recipe(ROOT / "recipes/tiny.yaml", [f"data.root={ROOT / 'samples'}", *overrides])
    return {step.stage.name: step.key for step in make_plan(recipe, store, "sft")}


def test_the_number_of_processes_is_in_the_key_and_where_they_run_is_not(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    one, four = keys(store), keys(store, "train.processes=4")
    assert one["sft"] != four["sft"] and one["filter"] == four["filter"]
    apart = keys(store, "train.machines=2", "train.processes=2", "train.endpoint=node1:29400")
    assert apart["sft"] == four["sft"]
