"""Recipes: every shipped one is complete and loads; every fault is named at once; free fields stay out of the key."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from rectune.core.errors import UserError
from rectune.core.recipe import dump_sections, load_recipe, parse_recipe

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("*.yaml"))
DEMO = next(path for path in RECIPES if path.stem == "demo")


def keys(section: BaseModel, prefix: str = "") -> set[str]:
    found: set[str] = set()
    for name in type(section).model_fields:
        value = getattr(section, name)
        found |= keys(value, f"{prefix}{name}.") if isinstance(value, BaseModel) else {prefix + name}
    return found


def given(section: BaseModel, prefix: str = "") -> set[str]:
    found: set[str] = set()
    for name in section.model_fields_set:
        value = getattr(section, name)
        found |= given(value, f"{prefix}{name}.") if isinstance(value, BaseModel) else {prefix + name}
    return found


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_shipped_recipes_load_and_leave_nothing_to_defaults(path: Path) -> None:
    recipe = load_recipe(path)
    assert keys(recipe) - given(recipe) == set()


def test_overrides_are_read_as_yaml_and_a_number_like_5e_7_is_a_number() -> None:
    recipe = load_recipe(DEMO, ["train.learning_rate=5e-7", "data.datasets=[anime, books]", "train.lora.r=4"])
    assert recipe.train.learning_rate == 5e-7
    assert recipe.data.datasets == ["anime", "books"]
    assert recipe.train.lora.r == 4


def test_all_faults_are_listed_at_once_with_the_nearest_key() -> None:
    with pytest.raises(UserError) as caught:
        load_recipe(
            DEMO,
            ["train.learning_rat=1", "filter.threshold=abc", "train.lora.alpa=2", "nonsense", "traim={}"],
        )
    text = str(caught.value)
    assert "train.learning_rat: unknown key, did you mean learning_rate?" in text
    assert "filter.threshold" in text and "'abc'" in text
    assert "train.lora.alpa: unknown key, did you mean alpha?" in text
    assert "nonsense: not of the form section.key=value" in text
    assert "traim: unknown key, did you mean train?" in text


def test_prompts_that_leave_no_room_for_a_response_are_refused() -> None:
    fits = ["prompts.max_tokens=500", "train.max_length=501", "align.max_length=501"]
    assert load_recipe(DEMO, fits).prompts.max_tokens == 500
    with pytest.raises(UserError) as caught:
        load_recipe(DEMO, [*fits, "align.max_length=500", "train.max_length=64"])
    said = "prompts.max_tokens: 500 leaves no room for a response within train.max_length (64) and align.max_length (500)"
    assert caught.value.found == f"{DEMO}: {said}"


@pytest.mark.parametrize("content", ["", "- a\n- b\n", "data: [", "\x00"])
def test_what_is_no_recipe_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(content)
    with pytest.raises(UserError, match=r"broken\.yaml"):
        load_recipe(path)


def test_a_missing_recipe_says_which_there_are() -> None:
    with pytest.raises(UserError, match=r"demo\.yaml"):
        load_recipe(DEMO.with_name("absent.yaml"))


def test_free_fields_are_not_part_of_the_result_and_all_others_are() -> None:
    plain = load_recipe(DEMO)
    free = load_recipe(
        DEMO, ["train.save_steps=3", "train.log_steps=7", "generate.slots=3", "generate.threads=1"]
    )
    bound = load_recipe(DEMO, ["train.lora.r=3"])
    sections = ("train", "generate")
    assert free.result_fields(sections) == plain.result_fields(sections)
    assert bound.result_fields(sections) != plain.result_fields(sections)


def test_a_view_holds_its_sections_and_no_other() -> None:
    view = load_recipe(DEMO).only(("filter",))
    assert view.filter.threshold == 15
    with pytest.raises(AttributeError):
        _ = view.train


def test_sections_survive_the_way_to_a_worker() -> None:
    recipe = load_recipe(DEMO)
    sections = ("data", "train", "generate")
    dumped: dict[str, Any] = dump_sections(recipe, sections)
    again = parse_recipe(dumped)
    assert [getattr(again, name) for name in sections] == [getattr(recipe, name) for name in sections]
