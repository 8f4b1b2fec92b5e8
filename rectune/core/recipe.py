"""Loading a recipe: a YAML file, the defaults of what it leaves out, overrides; all errors at once."""

from __future__ import annotations

import copy
import difflib
import functools
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from rectune.core import settings
from rectune.core.errors import UserError
from rectune.core.package_data import RECIPES, find_recipe, recipe_names
from rectune.core.settings.base import BY_LOCALE, ONE


class Recipe(BaseModel):
    """Everything a run needs; what is left out has its default.

    A stage gets a view (`only`) with the sections that its row in the table of stages names.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: settings.DataConfig
    models: settings.ModelsConfig
    prompts: settings.PromptsConfig
    generate: settings.GenerateConfig
    filter: settings.FilterConfig
    train: settings.TrainConfig
    candidates: settings.CandidatesConfig
    align: settings.AlignConfig
    fit: settings.FitConfig
    allmrec: settings.AllmrecConfig
    rerank: settings.RerankConfig
    retrieval: settings.RetrievalConfig
    evaluate: settings.EvaluateConfig
    leave_last_out: settings.LeaveLastOutConfig
    held_out_ratings: settings.HeldOutRatingsConfig
    random_split: settings.RandomSplitConfig
    report: settings.ReportConfig
    release: settings.ReleaseConfig

    @model_validator(mode="before")
    @classmethod
    def _all_sections(cls, given: Any) -> Any:
        # Not defaults of the fields: these would fill the sections that a view leaves out.
        return {name: {} for name in cls.model_fields} | given if isinstance(given, dict) else given

    def only(self, sections: Iterable[str]) -> Recipe:
        """A view that holds these sections and raises AttributeError for any other."""
        return Recipe.model_construct(**{name: getattr(self, name) for name in sections})

    def result_fields(self, sections: Iterable[str]) -> dict[str, Any]:
        """The fields of these sections that can change a result, as plain JSON values: the part of a key."""
        return {name: _without_free(getattr(self, name)) for name in sections}


def load_recipe(recipe: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Load and check a recipe.

    Args:
        recipe: a YAML 1.2 file with sections of `Recipe`, or the name of one that comes with the package.
        overrides: `section.key=value` strings; the value is read as YAML (`5e-7` is a number, `[a, b]` a
            list). `section.key.name=value` changes one entry of a map, or of its default, and keeps the
            others.

    Raises:
        UserError: lists all errors at once: unknown keys with the nearest valid one, wrong types, values out
            of range, sections that do not go together.
    """
    path = find_recipe(recipe)
    document = read_yaml(path)
    faults = [fault for text in overrides if (fault := _override(document, text))]
    try:
        loaded = Recipe.model_validate(document)
        faults += _conflicts(loaded)
    except ValidationError as invalid:
        faults += [describe_fault(dict(error)) for error in invalid.errors()]
    if faults:
        raise UserError("\n".join(f"{path}: {fault}" for fault in faults), hint="fix the keys named above")
    return loaded


def _conflicts(recipe: Recipe) -> list[str]:
    """Conflicts between sections that are valid by themselves."""
    budget = max(recipe.prompts.token_limits.values(), default=0)
    lengths = {"train": recipe.train.max_length, "align": recipe.align.max_length}
    short = [f"{name}.max_length ({length})" for name, length in lengths.items() if length <= budget]
    if not short:
        return []
    return [f"prompts.max_tokens: {budget} leaves no room for a response within {' and '.join(short)}"]


def parse_recipe(sections: Mapping[str, Any]) -> Recipe:
    """A view again from what `dump_sections` wrote: only the sections that are there."""
    views = {name: _inner_model(Recipe.model_fields[name].annotation) for name in sections}
    return Recipe.model_construct(
        **{name: views[name].model_validate(value) for name, value in sections.items()}
    )


def dump_sections(recipe: Recipe, sections: Iterable[str]) -> dict[str, Any]:
    """The named sections as plain JSON values, runtime-only fields included."""
    return {name: getattr(recipe, name).model_dump(mode="json") for name in sections}


def resolved(recipe: Recipe) -> str:
    """The whole recipe as YAML, every key with its value; loading it gives an equal recipe."""
    return to_yaml(dump_sections(recipe, Recipe.model_fields))


def to_yaml(document: Mapping[str, Any]) -> str:
    """Plain values as YAML text, keys in their order."""
    from ruamel.yaml import YAML

    stream, yaml = io.StringIO(), YAML(typ="safe", pure=True)
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # ruamel declares it None
    yaml.width = 110
    yaml.dump(dict(document), stream)
    return stream.getvalue()


def read_yaml(path: Path) -> dict[str, Any]:
    """The sections in a YAML file, as plain values.

    Raises:
        UserError: it cannot be read, or holds none.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        document = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        near = [] if path.parent == RECIPES else sorted(map(str, path.parent.glob("*.yaml")))
        hint = f"name a file, or one of: {', '.join([*near, *recipe_names()])}"
        raise UserError("no such recipe", where=str(path), hint=hint) from None
    except (OSError, UnicodeDecodeError, YAMLError) as broken:
        raise UserError(f"cannot be read as YAML: {broken}", where=str(path)) from None
    if not isinstance(document, dict):
        raise UserError(
            "holds no sections", where=str(path), hint=f"wanted: {', '.join(Recipe.model_fields)}"
        )
    return document


@functools.cache
def _defaults() -> dict[str, Any]:
    return dump_sections(Recipe.model_validate({}), Recipe.model_fields)


def _override(document: dict[str, Any], text: str) -> str | None:
    """Apply one `section.key=value`; returns the error message, if any."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    dotted, equals, raw = text.partition("=")
    if not equals:
        return f"{text}: not of the form section.key=value"
    *parents, last = dotted.strip().split(".")
    node: Any = document
    default: Any = _defaults()
    for parent in parents:
        default = default.get(parent, {}) if isinstance(default, dict) else {}
        node = node.setdefault(parent, copy.deepcopy(default)) if isinstance(node, dict) else None
    if not isinstance(node, dict):
        return f"{dotted}: stands inside a value that has no keys"
    try:
        node[last] = YAML(typ="safe", pure=True).load(raw) if raw else ""
    except YAMLError as broken:
        return f"{dotted}: value cannot be read as YAML ({broken})"
    return None


def describe_fault(error: dict[str, Any]) -> str:
    """One of pydantic's errors in words, with the nearest right key where a key is unknown."""
    place = ".".join(str(part) for part in error["loc"] if part not in (ONE, BY_LOCALE))
    if error["type"] == "extra_forbidden":
        near = difflib.get_close_matches(str(error["loc"][-1]), _keys_at(error["loc"][:-1]), n=1, cutoff=0.5)
        return f"{place}: unknown key" + (f", did you mean {near[0]}?" if near else "")
    if error["type"] == "missing":
        return f"{place}: missing"
    return f"{place}: {error['msg']}, found {error['input']!r}"


def _keys_at(location: Sequence[str | int]) -> list[str]:
    """The keys that are known at a place in the recipe."""
    kind: Any = Recipe
    for part in location:
        if isinstance(part, int) or not _is_model(kind):
            continue
        field = kind.model_fields.get(part)
        kind = _inner_model(field.annotation) if field else None
    return list(kind.model_fields) if _is_model(kind) else []


def _inner_model(annotation: Any) -> Any:
    return (
        annotation if _is_model(annotation) else next((a for a in get_args(annotation) if _is_model(a)), None)
    )


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _without_free(section: BaseModel) -> dict[str, Any]:
    plain: dict[str, Any] = section.model_dump(mode="json")
    for name, field in type(section).model_fields.items():
        extra = field.json_schema_extra
        if isinstance(extra, dict) and extra.get("runtime_only"):
            del plain[name]
        elif isinstance(value := getattr(section, name), BaseModel):
            plain[name] = _without_free(value)
    return plain
