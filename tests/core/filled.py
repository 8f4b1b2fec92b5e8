"""Records of figures for tests: what a test does not care about is the least that is allowed, or is there."""

from __future__ import annotations

import json
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import AfterValidator

from rectune.core.figures.record import Record, StageRecord, json_name

R = TypeVar("R", bound=Record)
_LEAST: dict[Any, Any] = {int: 0, float: 0.0, str: "", bool: False}
_ABSENT = object()


def record(kind: type[R], /, **known: Any) -> R:
    """A record with these figures, nested ones as mappings of what matters; names as in Python or JSON."""
    return kind.model_validate_json(json.dumps(document(kind, known)))


def document(kind: type[Record], known: Mapping[str, Any]) -> dict[str, Any]:
    """The same as plain JSON values."""
    given = {json_name(name): value for name, value in known.items()}
    names = {json_name(name): field for name, field in kind.model_fields.items()}
    assert set(given) <= set(names), f"{kind.__name__} has no {set(given) - set(names)}"
    return {
        name: _value(Annotated[field.annotation, "", *field.metadata], given.get(name, _ABSENT))
        for name, field in names.items()
    }


def _value(kind: Any, given: Any) -> Any:
    if isinstance(given, Record):
        return given.document()
    metadata: tuple[Any, ...] = ()
    while get_origin(kind) is Annotated:
        kind, *more = get_args(kind)
        metadata += tuple(more)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        some = next(one for one in arguments if one is not type(None))
        return None if given in (_ABSENT, None) else _value(some, given)
    if origin is dict:
        whole = any(isinstance(one, AfterValidator) for one in metadata)  # then every name is there
        entries = {} if given is _ABSENT else dict(given)
        names = list(get_args(arguments[0])) if whole else list(entries)
        return {name: _value(arguments[1], entries.get(name, _ABSENT)) for name in names}
    if origin is tuple and arguments[-1] is ...:
        return [] if given is _ABSENT else [_value(arguments[0], one) for one in given]
    if origin is tuple:
        return [_value(one, _ABSENT) for one in arguments] if given is _ABSENT else list(given)
    if isinstance(kind, type) and issubclass(kind, Record):
        return document(kind, {} if given is _ABSENT else given)
    if given is not _ABSENT:
        return given
    return arguments[0] if origin is Literal else _LEAST[kind]


def everything(kind: type[R], /, name: str = "x") -> R:
    """A record in which nothing is absent: one entry in every list and map, this name for every word."""
    return kind.model_validate_json(json.dumps(_some(kind, name)))


def _some(kind: Any, name: str) -> Any:
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _some(next(one for one in arguments if one is not type(None)), name)
    if origin is dict:
        names = get_args(arguments[0]) if get_origin(arguments[0]) is Literal else (name,)
        return {one: _some(arguments[1], name) for one in names}
    if origin is tuple:
        return [_some(one, name) for one in arguments if one is not ...]
    if isinstance(kind, type) and issubclass(kind, Record):
        return {json_name(one): _some(field.annotation, name) for one, field in kind.model_fields.items()}
    if origin is Literal:
        return arguments[0]
    return {int: 1, float: 0.25, str: name, bool: True}.get(kind)


def write_stage(folder: Path, figures: StageRecord, /, **manifest: Any) -> None:
    """A finished stage's folder with these figures in its manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    rest = {"key": folder.name, "recipe": "trial", "versions": {}, "started": "2031-05-01T10:00:00"}
    rest |= {"seconds": 1.0, "peak_memory": 0, "attempts": 1, "stage": figures.stage} | manifest
    (folder / "manifest.json").write_text(json.dumps(rest | {"figures": figures.document()}))
