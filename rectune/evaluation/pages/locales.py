"""The languages of the report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rectune.core.text.translation import ENGLISH, Translation
from rectune.core.types import Locale


def translation(locale: Locale) -> Translation:
    """The sentences of a language; English ones stand in the code, all others in `<locale>.yaml` here."""
    if locale == "en":
        return ENGLISH
    from ruamel.yaml import YAML

    path = Path(__file__).parent / f"{locale}.yaml"
    table: dict[str, list[dict[str, Any]]] = YAML(typ="safe", pure=True).load(path.read_text("utf-8"))
    tables = ({row["en"]: row[locale] for row in table[part]} for part in ("sentences", "written"))
    return Translation(locale, *tables)
