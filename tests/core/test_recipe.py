"""Recipes state what differs from the defaults; all faults at once; runtime-only fields are in no key."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from ruamel.yaml import YAML

from rectune.core.errors import UserError
from rectune.core.recipe import Recipe, dump_sections, load_recipe, parse_recipe, resolved
from rectune.core.settings import Section

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("*.yaml"))
DEMO = next(path for path in RECIPES if path.stem == "demo")


def read(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


def loaded(folder: Path, text: str, *overrides: str) -> Recipe:
    path = folder / "own.yaml"
    path.write_text(text)
    return load_recipe(path, overrides)


def idle(given: dict[str, Any], defaults: BaseModel, place: str = "") -> Iterator[str]:
    """Keys of a recipe that it could leave out: their values are the defaults."""
    plain = defaults.model_dump(mode="json")
    for name, value in given.items():
        inner = getattr(defaults, name)
        if isinstance(inner, BaseModel) and value:
            yield from idle(value, inner, f"{place}{name}.")
        elif value == plain[name] or isinstance(inner, BaseModel):
            yield place + name


def sections(of: type[Section] = Section) -> Iterator[type[Section]]:
    for kind in of.__subclasses__():
        yield kind
        yield from sections(kind)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_shipped_recipes_load_fit_on_a_screen_and_state_no_default(path: Path) -> None:
    load_recipe(path)
    assert len(path.read_text().splitlines()) <= 60
    assert list(idle(read(path.read_text()), Recipe.model_validate({}))) == []


def test_a_recipe_may_leave_out_everything(tmp_path: Path) -> None:
    assert loaded(tmp_path, "{}") == Recipe.model_validate({})


def test_every_key_has_a_description() -> None:
    kinds = {kind for kind in sections() if kind.__module__.startswith("rectune.")}
    assert {field.annotation for field in Recipe.model_fields.values()} <= kinds
    silent = [
        f"{kind.__name__}.{name}"
        for kind in kinds
        for name, field in kind.model_fields.items()
        if not field.description
    ]
    assert silent == []


def test_what_a_nested_section_leaves_out_is_as_where_all_of_it_is_left_out(tmp_path: Path) -> None:
    short = loaded(tmp_path, "generate: {rationale: {max_tokens: 8}}")
    same = loaded(tmp_path, "{}", "generate.rationale.max_tokens=8")
    default = Recipe.model_validate({}).generate.rationale
    assert short == same
    assert short.generate.rationale == default.model_copy(update={"max_tokens": 8})
    assert default.repeat_penalty != short.generate.query.repeat_penalty


def test_an_override_changes_one_entry_of_a_map_and_a_recipe_the_whole_map(tmp_path: Path) -> None:
    shares = Recipe.model_validate({}).data.mixture_weights
    assert loaded(tmp_path, "{}", "data.mixture_weights.anime=1").data.mixture_weights == shares | {
        "anime": 1
    }
    assert loaded(tmp_path, "data: {mixture_weights: {anime: 1}}").data.mixture_weights == {"anime": 1}
    assert loaded(
        tmp_path, "data: {mixture_weights: {anime: 1}}", "data.mixture_weights.books=2"
    ).data.mixture_weights == {
        "anime": 1,
        "books": 2,
    }
    assert Recipe.model_validate({}).data.mixture_weights == shares


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_resolved_recipe_states_every_key_in_order_and_loads_as_the_same(
    path: Path, tmp_path: Path
) -> None:
    awkward = ["data.root='1e5'", "release.repo='no'", "train.lora.extra={a: null, b: [1, '2']}"]
    recipe = load_recipe(path, awkward)
    text = resolved(recipe)
    assert loaded(tmp_path, text) == recipe
    stated = read(text)
    assert stated == recipe.model_dump(mode="json")
    assert list(stated) == list(Recipe.model_fields)
    assert all(list(stated[name]) == list(type(getattr(recipe, name)).model_fields) for name in stated)


def test_overrides_are_read_as_yaml_and_a_number_like_5e_7_is_a_number() -> None:
    recipe = load_recipe(DEMO, ["train.learning_rate=5e-7", "data.datasets=[anime, books]", "train.lora.r=4"])
    assert recipe.train.learning_rate == 5e-7
    assert recipe.data.datasets == ["anime", "books"]
    assert recipe.train.lora.r == 4


def test_all_faults_are_listed_at_once_with_the_nearest_key() -> None:
    with pytest.raises(UserError) as caught:
        load_recipe(
            DEMO,
            [
                "train.learning_rat=1",
                "filter.threshold=abc",
                "train.lora.lora_alpa=2",
                "nonsense",
                "traim={}",
            ],
        )
    text = str(caught.value)
    assert "train.learning_rat: unknown key, did you mean learning_rate?" in text
    assert "filter.threshold" in text and "'abc'" in text
    assert "train.lora.lora_alpa: unknown key, did you mean lora_alpha?" in text
    assert "nonsense: not of the form section.key=value" in text
    assert "traim: unknown key, did you mean train?" in text


def test_prompts_that_leave_no_room_for_a_response_are_refused() -> None:
    fits = ["prompts.max_tokens=500", "train.max_length=501", "align.max_length=501"]
    assert load_recipe(DEMO, fits).prompts.max_tokens == 500
    with pytest.raises(UserError) as caught:
        load_recipe(DEMO, [*fits, "align.max_length=500", "train.max_length=64"])
    said = (
        "prompts.max_tokens: 500 leaves no room for a response within "
        "train.max_length (64) and align.max_length (500)"
    )
    assert caught.value.message == f"{DEMO}: {said}"


def test_prompts_may_have_a_length_by_language() -> None:
    room = ["prompts.locales={en: 1, ko: 2}", "train.max_length=1201", "align.max_length=1201"]
    found = load_recipe(DEMO, [*room, "prompts.max_tokens={en: 448, ko: 1200}"]).prompts
    assert found.token_limits == {"en": 448, "ko": 1200}
    assert load_recipe(DEMO, [*room, "prompts.max_tokens=500"]).prompts.token_limits == {"en": 500, "ko": 500}
    # What is not used needs no number, and one that is there does not count.
    english = ["prompts.locales={en: 1, ko: 0}", "prompts.max_tokens={en: 448, ko: 9000}"]
    assert load_recipe(DEMO, english).prompts.token_limits == {"en": 448}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("{en: 448, ko: 1201}", "prompts.max_tokens: 1201 leaves no room for a response within "
         "train.max_length (1201) and align.max_length (1201)"),
        ("{en: 448}", "prompts.max_tokens has no number for ko"),
        ("{en: 448, ko: 0}", "prompts.max_tokens.ko: Input should be greater than or equal to 1"),
        ("{en: 448, ko: 9, de: 9}", "prompts.max_tokens.de"),
        ("many", "prompts.max_tokens: Input should be a valid integer"),
    ],
)  # fmt: skip
def test_a_length_by_language_that_cannot_be_is_refused(given: str, said: str) -> None:
    room = ["prompts.locales={en: 1, ko: 2}", "train.max_length=1201", "align.max_length=1201"]
    with pytest.raises(UserError) as caught:
        load_recipe(DEMO, [*room, f"prompts.max_tokens={given}"])
    assert caught.value.message.count("prompts.max_tokens") == 1 and said in caught.value.message


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
        DEMO, ["train.save_steps=3", "train.logging_steps=7", "generate.max_num_seqs=3", "generate.threads=1"]
    )
    bound = load_recipe(DEMO, ["train.lora.r=3"])
    names = ("train", "generate")
    assert free.result_fields(names) == plain.result_fields(names)
    assert bound.result_fields(names) != plain.result_fields(names)


def test_a_view_holds_its_sections_and_no_other() -> None:
    view = load_recipe(DEMO).only(("filter",))
    assert view.filter.threshold == 15
    with pytest.raises(AttributeError):
        _ = view.train


def test_sections_survive_the_way_to_a_worker() -> None:
    recipe = load_recipe(DEMO)
    names = ("data", "train", "generate")
    dumped: dict[str, Any] = dump_sections(recipe, names)
    again = parse_recipe(dumped)
    assert [getattr(again, name) for name in names] == [getattr(recipe, name) for name in names]
