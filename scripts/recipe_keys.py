"""The page docs/recipe-keys.md, made from the typed sections: python -m scripts.recipe_keys > docs/recipe-keys.md"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from rectune.core.recipe import Recipe
from rectune.core.settings.base import Section

_HEAD = """# Every key of a recipe

Made from the typed sections in `rectune/core/settings/` by `python -m scripts.recipe_keys > docs/recipe-keys.md`, not by
hand; a test says when it is old.

A recipe states every key itself: nothing is inherited, and an unknown key is refused with the nearest right one. Any key
can be set for one run: `rectune run RECIPE section.key=value`. *Default* is what the code takes where a program leaves a
key out; the recipes leave none out. *Result* says whether a key goes into the run keys: changing one that does makes the
stages that read it run again; a *free* one changes no result.
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
    """A line of a section's table; all of it is Markdown."""

    key: str
    kind: str
    default: str
    free: bool


def page() -> str:
    """The whole page."""
    schema = Recipe.model_json_schema()
    parts = [_HEAD]
    for name, field in Recipe.model_fields.items():
        model = field.annotation
        assert isinstance(model, type) and issubclass(model, BaseModel)
        parts.append(_section(name, model, schema["$defs"]))
    return "\n".join(parts)


def _section(name: str, model: type[BaseModel], definitions: Mapping[str, Any]) -> str:
    rows = list(_rows(definitions[model.__name__], definitions, "", free=False))
    lines = [f"## {name}", "", *_docs(model), "| key | value | default | result |", "|---|---|---|---|"]
    lines += [
        f"| `{row.key}` | {row.kind} | {row.default} | {'free' if row.free else 'yes'} |" for row in rows
    ]
    lines.append("")
    for nested in _nested(definitions[model.__name__], definitions):
        said = definitions[nested].get("description", "")
        lines += [f"**{nested}.** {' '.join(said.split())}", ""] if said else []
    return "\n".join(lines)


def _docs(model: type[BaseModel]) -> list[str]:
    """What the section's class and those that it extends say, a paragraph a line, an empty line after each."""
    found = []
    for one in model.__mro__:
        if isinstance(one, type) and issubclass(one, Section) and one is not Section and one.__doc__:
            found += [" ".join(part.split()) for part in inspect.cleandoc(one.__doc__).split("\n\n")]
    return [line for part in found for line in (part, "")]


def _rows(
    schema: Mapping[str, Any], definitions: Mapping[str, Any], prefix: str, *, free: bool
) -> Iterator[Row]:
    for name, field in schema.get("properties", {}).items():
        key, loose = prefix + name, free or bool(field.get("free"))
        inner, ending = _model_in(field)
        if inner and not ending:
            yield from _rows(definitions[inner], definitions, f"{key}.", free=loose)
            continue
        default = (
            "none" if "default" not in field else f"`{json.dumps(field['default'], ensure_ascii=False)}`"
        )
        yield Row(key, _kind(field), default.replace("|", "\\|"), loose)
        if inner:
            yield from _rows(definitions[inner], definitions, f"{key}{ending}.", free=loose)


def _model_in(field: Mapping[str, Any]) -> tuple[str, str]:
    """The section that a field is, or holds many of, and what its keys are then written with."""
    if found := _reference(field):
        return found, ""
    if found := _reference(field.get("items", {})):
        return found, "[]"
    inner = field.get("additionalProperties")
    return (_reference(inner), ".NAME") if isinstance(inner, dict) else ("", "")


def _reference(field: Mapping[str, Any]) -> str:
    return str(field["$ref"]).rsplit("/", 1)[1] if "$ref" in field else ""


def _nested(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> list[str]:
    """The sections inside a section, each once, in their order."""
    found: dict[str, None] = {}
    for field in schema.get("properties", {}).values():
        inner, _ = _model_in(field)
        if inner and inner not in found:
            found[inner] = None
            found.update(dict.fromkeys(_nested(definitions[inner], definitions)))
    return list(found)


def _kind(field: Mapping[str, Any]) -> str:
    if name := _reference(field):
        return f"**{name}**"
    if "anyOf" in field:
        return " or ".join(_kind(one) for one in field["anyOf"])
    if "enum" in field or "const" in field:
        return ", ".join(f"`{value}`" for value in field.get("enum", [field.get("const")]))
    bounds = [words.format(field[name]) for name, words in _BOUNDS if name in field]
    return ", ".join([_plain(field), *bounds]).replace("|", "\\|")


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
