"""`python -m scripts.recipe_keys > docs/recipe-keys.md`: the page, generated from the typed sections."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rectune.core.recipe import Recipe

_HEAD = """# Every key of a recipe

The reference of all recipe keys, for those who write a recipe. It is generated from the typed sections in
`rectune/core/settings/` by `python -m scripts.recipe_keys > docs/recipe-keys.md`; a test checks that it is up
to date.

A recipe states what differs from the defaults here; `rectune plan RECIPE --resolved` prints the whole recipe,
and the same text is stored as `recipe.yaml` beside every result. An unknown key is refused with the nearest
valid one. Any key can be set for one run: `rectune run RECIPE section.key=value`. A list or a map in a recipe
replaces the whole default; `section.key.name=value` on the command line changes one entry of a map.

Keys that name data or a model default to those that come with the package (`embedded`), so that nothing is
fetched that a recipe does not name. All other defaults are for models of some 7 billion parameters.

*Result* says whether a key is part of the run keys: changing such a key makes the stages that read it run
again; a *runtime only* key changes no result. `[]` stands for each element of a list, `NAME` for a name of
your own.
"""
_PLAIN = {
    "integer": "whole number",
    "number": "number",
    "string": "text",
    "boolean": "true, false",
    "null": "nothing",
}
_BOUNDS = (
    ("minimum", "≥ {}"),
    ("exclusiveMinimum", "> {}"),
    ("maximum", "≤ {}"),
    ("exclusiveMaximum", "< {}"),
    ("minItems", "at least {} of them"),
    ("pattern", "like `{}`"),
)


@dataclass(frozen=True)
class Row:
    """A line of a section's table, in Markdown; a section within the section has no `result` of its own."""

    key: str
    default: str
    range: str
    meaning: str
    result: str

    @property
    def line(self) -> str:
        """The line."""
        return f"| `{self.key}` | {self.default} | {self.range} | {self.meaning} | {self.result} |"


def page() -> str:
    """The whole page."""
    definitions = Recipe.model_json_schema()["$defs"]
    return "\n".join([_HEAD, *(_section(name, definitions) for name in Recipe.model_fields)])


def rows(section: str) -> list[Row]:
    """The rows of one section of a recipe."""
    definitions = Recipe.model_json_schema()["$defs"]
    return list(_rows(definitions[_class_of(section)], definitions))


def _class_of(section: str) -> str:
    return _reference(Recipe.model_json_schema()["properties"][section])


def _section(name: str, definitions: Mapping[str, Any]) -> str:
    section = definitions[_class_of(name)]
    head = ["| key | default | range | meaning | result |", "|---|---|---|---|---|"]
    lines = [row.line for row in _rows(section, definitions)]
    return "\n".join([f"## {name}", "", _one_line(section["description"]), "", *head, *lines, ""])


def _rows(
    section: Mapping[str, Any],
    definitions: Mapping[str, Any],
    prefix: str = "",
    *,
    runtime_only: bool = False,
) -> Iterator[Row]:
    """The keys of a section; those of a section within it follow a row of its own."""
    defaults = section.get("default", {})
    for name, stated in section["properties"].items():
        field = stated | ({"default": defaults[name]} if name in defaults else {})
        key, loose = prefix + name, runtime_only or bool(field.get("runtime_only"))
        inner, ending = _model_in(field)
        meaning = _one_line(field.get("description", ""))
        if inner and not ending:
            yield Row(key, "", "its keys below", meaning, "")
            whole = definitions[inner] | {"default": field["default"]}
            yield from _rows(whole, definitions, f"{key}.", runtime_only=loose)
            continue
        yield Row(key, _default(field), _kind(field), meaning, "runtime only" if loose else "yes")
        if inner:
            yield from _rows(definitions[inner], definitions, f"{key}{ending}.", runtime_only=loose)


def _default(field: Mapping[str, Any]) -> str:
    if "default" not in field:
        return "required"
    return _cell(f"`{json.dumps(field['default'], ensure_ascii=False)}`")


def _one_line(text: str) -> str:
    return _cell(" ".join(text.split()))


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _model_in(field: Mapping[str, Any]) -> tuple[str, str]:
    """The section of a field, or of its elements, and the suffix for its keys."""
    if found := _reference(field):
        return found, ""
    if found := _reference(field.get("items", {})):
        return found, "[]"
    inner = field.get("additionalProperties")
    return (_reference(inner), ".NAME") if isinstance(inner, dict) else ("", "")


def _reference(field: Mapping[str, Any]) -> str:
    return str(field["$ref"]).rsplit("/", 1)[1] if "$ref" in field else ""


def _kind(field: Mapping[str, Any]) -> str:
    if _reference(field):
        return "sections of the keys below"
    if alternatives := field.get("anyOf", field.get("oneOf")):
        return " or ".join(map(_kind, alternatives))
    if "enum" in field or "const" in field:
        return ", ".join(f"`{value}`" for value in field.get("enum", [field.get("const")]))
    bounds = [words.format(field[name]) for name, words in _BOUNDS if name in field]
    return _cell(", ".join([_plain(field), *bounds]))


def _plain(field: Mapping[str, Any]) -> str:
    kind = field.get("type")
    if kind == "array":
        return f"list of {_kind(field.get('items', {}))}"
    if kind == "object":
        inner, names = field.get("additionalProperties"), field.get("propertyNames", {}).get("enum")
        of = f" of {', '.join(f'`{name}`' for name in names)}" if names else ""
        return f"map{of} to {_kind(inner) if isinstance(inner, dict) and inner else 'anything'}"
    return _PLAIN.get(str(kind), "anything")


if __name__ == "__main__":
    print(page(), end="")
