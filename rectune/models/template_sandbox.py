"""Chat templates are programs that came with a model file: they run in jinja2's sandbox."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from rectune.core.errors import UserError

if TYPE_CHECKING:
    from jinja2 import Template

TEMPLATE_HINT = "use a model whose chat template takes these roles, or another wording of the prompt"


def render(
    template: str, turns: list[dict[str, str]], generation_prompt: bool, names: Mapping[str, Any]
) -> str:
    """What a template makes of messages.

    Args:
        turns: with `role` and `content` each.
        names: what else the template may ask for.

    Raises:
        UserError: it refuses the messages, or does not work.
    """
    from jinja2 import TemplateError

    faults = (
        TemplateError,
        ArithmeticError,
        AttributeError,
        LookupError,
        TypeError,
        ValueError,
        RecursionError,
    )
    try:
        return _compiled(template).render(messages=turns, add_generation_prompt=generation_prompt, **names)
    except faults as refusal:
        raise UserError(f"the chat template refuses these messages: {refusal}", hint=TEMPLATE_HINT) from None


@lru_cache(maxsize=32)
def _compiled(template: str) -> Template:
    """The template in a sandbox, with the white-space rules and helpers that chat templates count on."""
    from jinja2 import TemplateError, nodes
    from jinja2.ext import Extension, loopcontrols
    from jinja2.parser import Parser
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(Extension):
        """`{% generation %}` marks the assistant's words for loss masks; here it only has to be accepted."""

        tags = {"generation"}  # noqa: RUF012 (jinja2 declares it so)

        def parse(self, parser: Parser) -> nodes.Node | list[nodes.Node]:
            line = next(parser.stream).lineno
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            return nodes.Scope(body).set_lineno(line)

    def raise_exception(message: str) -> str:
        raise TemplateError(message)

    sandbox = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
    )
    sandbox.filters["tojson"] = _tojson
    sandbox.globals.update(raise_exception=raise_exception)
    return sandbox.from_string(template)


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """JSON as it stands; jinja2's own filter of this name escapes HTML."""
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )
