"""The sentences of the page. English ones stand in the templates, as `tr("…")`, others in tables."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, get_args

from rectune.core.text.translation import ENGLISH, Translation
from rectune.core.types import Locale

LOCALES: tuple[Locale, ...] = get_args(Locale)


@cache
def translation(locale: Locale) -> Translation:
    """The sentences of a language: those of all tables in the folder `<locale>`."""
    if locale == "en":
        return ENGLISH
    from ruamel.yaml import YAML

    yaml, found = YAML(typ="safe", pure=True), dict[str, str]()
    for path in sorted((Path(__file__).parent / locale).glob("*.yaml")):
        rows: list[dict[str, Any]] = yaml.load(path.read_text("utf-8"))
        found |= {row["en"]: row[locale] for row in rows}
    return Translation(locale, found)


def locale_of(*wanted: str | None) -> Locale:
    """The first of these that is a language of the page, else English.

    Args:
        wanted: names of languages (`ko-KR`), or a header Accept-Language.
    """
    for one in wanted:
        for part in (one or "").split(","):
            name = part.partition(";")[0].strip().lower().partition("-")[0]
            if name in LOCALES:
                return name
    return "en"
